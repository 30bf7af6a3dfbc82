"""Small folders of real pictures, good and bad, for the tests of reading."""

import io

import numpy as np
from PIL import Image


def photographs():
    """The two photographs of scikit-learn, uint8 (427, 640, 3)."""
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def encoded(pixels, kind="JPEG", mode="RGB", **options):
    """The bytes of a picture file; 16-bit gray for `mode` "I;16"."""
    stream = io.BytesIO()
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 1].astype("uint16") * 257)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def write_folder(root, train=6, val=3, side=96):
    """Two classes of crops, `root/{train,val}/{china,flower}/*.jpg`."""
    rng = np.random.default_rng(3)
    for split, count in (("train", train), ("val", val)):
        for name, photo in zip(("china", "flower"), photographs()):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                height, width = rng.integers(side // 2, 2 * side, 2)
                top = rng.integers(photo.shape[0] - height)
                left = rng.integers(photo.shape[1] - width)
                crop = photo[top : top + height, left : left + width]
                data = encoded(crop, quality=95)
                (folder / f"{number}.jpg").write_bytes(data)
    return root
