"""Small folders of pictures and masks, laid out as ADEChallengeData2016."""

import numpy as np
from PIL import Image

SIZES = ((40, 60), (50, 31), (33, 33))


def picture(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3)).astype("uint8")


def mask(size, seed=0, classes=150):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes + 1, size).astype("uint8")


def write(root, split="training", sizes=SIZES):
    """Pictures 0.jpg, 1.jpg, ... and masks with values from 0 to 150."""
    for kind in ("images", "annotations"):
        (root / kind / split).mkdir(parents=True)
    for number, size in enumerate(sizes):
        image = Image.fromarray(picture(size, number))
        image.save(root / "images" / split / f"{number}.jpg")
        labels = Image.fromarray(mask(size, number))
        labels.save(root / "annotations" / split / f"{number}.png")
    return root
