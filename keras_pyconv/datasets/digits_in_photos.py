"""The `digits_in_photos` TFDS builder: a data set that needs no download.

Importing this file registers it. Each example has a generator of its own, so
that it is the same wherever it is prepared.
"""

import dataclasses
import io
import zlib

import numpy as np
import tensorflow_datasets as tfds

from keras_pyconv import arguments
from keras_pyconv.datasets import digit_scenes as scenes

# The tasks, and the features of each that a network learns from.
_SUPERVISED = {
    "classification": ("image", "label"),
    "detection": ("image", "objects"),
    "segmentation": ("image", "segmentation_mask"),
    "video": ("video", "label"),
}
DIGIT_NAMES = [str(digit) for digit in range(10)]

_RANGES = {
    "image_size": (16, 4096),
    "train_examples": (1, 10**7),
    "test_examples": (1, 10**7),
    "seed": (0, 2**32 - 1),
    "max_objects": (1, 255),  # what an 8-bit instance mask can tell apart
    "frames": (2, 10**4),
}
_ENCODINGS = {
    "PNG": {"compress_level": 1},
    "JPEG": {"quality": 95, "subsampling": 0},
}

_DESCRIPTION = """\
Handwritten digits of many sizes on photographs, composed on this machine from
what scikit-learn ships: the 1,797 digits of 8 x 8 pixels of the UCI set
"Optical Recognition of Handwritten Digits" and the two photographs of
`load_sample_images`. Nothing is downloaded.

A digit is smoothly enlarged, turned by up to 12 degrees, stretched by up to
15 %, and painted in one random colour. The photographs are dimmed to 0.4 of
their light, and the colour's luminance (BT.601) is above the mean under it by
at least 0.35 of the range. Heights are log-uniform from 1/8 to 7/8 of the
frame. The test split draws from the last 360 digits and from columns of the
photographs that the training split never touches.

Licences of the sources: the digits, E. Alpaydin and C. Kaynak, CC BY 4.0;
china.jpg, by flickr.com/photos/danielbuechele, and flower.jpg, by
flickr.com/photos/vultilion, CC BY 2.0.
"""

_CITATION = """\
@misc{alpaydin1998optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  publisher = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49}
}
"""


@dataclasses.dataclass(eq=False, kw_only=True)
class DigitsInPhotosConfig(tfds.core.BuilderConfig):
    """What to make, how large and how many.

    Args:
        task: "classification", "detection", "segmentation" or "video".
        image_size: height and width in pixels.
        train_examples, test_examples: how many images or clips.
        seed: another seed gives other images from the same sources.
        smallest, largest: heights of digits, as fractions of the frame.
        max_objects: at most this many digits where there are several.
        frames: length of a clip.
    """

    task: str
    image_size: int
    train_examples: int
    test_examples: int
    seed: int = 0
    smallest: float = scenes.SMALLEST
    largest: float = scenes.LARGEST
    max_objects: int = 5
    frames: int = 16

    def __post_init__(self):
        arguments.one_of("task", self.task, _SUPERVISED)
        for name, bounds in _RANGES.items():
            value = arguments.integer(name, getattr(self, name), *bounds)
            setattr(self, name, value)
        for name in ("smallest", "largest"):
            setattr(self, name, arguments.number(name, getattr(self, name)))
        if not 0 < self.smallest <= self.largest <= scenes.LARGEST:
            raise ValueError(
                "sizes must satisfy 0 < smallest <= largest <= "
                f"{scenes.LARGEST}. Received: smallest={self.smallest}, "
                f"largest={self.largest}"
            )
        if self.smallest * self.image_size < 4:
            raise ValueError(
                "the smallest digit must be at least 4 pixels high. Received: "
                f"smallest={self.smallest} of image_size={self.image_size}; "
                f"the smallest legal value is {4 / self.image_size:g}"
            )


class DigitsInPhotos(tfds.core.GeneratorBasedBuilder):
    """Handwritten digits of many sizes on photographs, for four tasks.

    Configs, with the features that a network learns from:

    - `classification`: one digit; `image` (64, 64, 3) uint8, `label`, `size`
      in pixels, `size_class`, `bbox`.
    - `detection`: one to five digits that do not touch; the features of
      `coco/2017`, with boxes as (ymin, xmin, ymax, xmax) in [0, 1] and
      `area` counted in pixels of ink, plus `size` and `size_class`.
    - `segmentation`: the same images at 96 x 96; `segmentation_mask`
      (96, 96, 1) uint8 is 0 on the photograph and 1 + d on the digit d.
      `instance_mask` is k on the k-th of `objects`, counted from one.
    - `video`: `video` (16, 64, 64, 3) uint8 and the motion as `label`, which
      no frame alone tells; `digit`, and `size` in each frame.

    `source` says which digits, photograph and crop of it, in its pixels as
    (ymin, xmin, ymax, xmax), an example is made of.

    Example:

    >>> import keras_pyconv.datasets.digits_in_photos
    >>> train = tfds.load("digits_in_photos/classification", split="train")
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The first version."}
    BUILDER_CONFIGS = [
        DigitsInPhotosConfig(
            name=task,
            task=task,
            image_size=image_size,
            train_examples=train,
            test_examples=test,
            description=description,
        )
        for task, image_size, train, test, description in (
            ("classification", 64, 8000, 2000, "One digit, of any size."),
            ("detection", 128, 1500, 500, "One to five digits with boxes."),
            ("segmentation", 96, 1500, 500, "One to five digits with masks."),
            ("video", 64, 900, 300, "A digit that moves, grows or shrinks."),
        )
    ]

    def _info(self):
        config = self.builder_config
        source = {
            "photo": tfds.features.ClassLabel(names=["china", "flower"]),
            "crop": tfds.features.Tensor(shape=(4,), dtype=np.int32),
            "digits": tfds.features.Sequence(np.int32),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {**_features(config), "source": source}
            ),
            supervised_keys=_SUPERVISED[config.task],
            homepage="https://archive.ics.uci.edu/dataset/80",
            citation=_CITATION,
            license="CC BY 4.0 (digits), CC BY 2.0 (photographs)",
            metadata=tfds.core.MetadataDict(
                first_test_digit=scenes.FIRST_TEST_DIGIT,
                photo_columns={
                    split: [list(columns) for columns in both]
                    for split, both in scenes.PHOTO_COLUMNS.items()
                },
            ),
        )

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(split) for split in scenes.SPLITS
        }

    def _generate_examples(self, split):
        config = self.builder_config
        for index in range(getattr(config, f"{split}_examples")):
            yield index, _example(config, split, index)


def example_rng(config, split: str, index: int) -> np.random.Generator:
    """The generator of one example, independent of all others."""
    task = zlib.crc32(f"{config.task}/{split}".encode())
    return np.random.default_rng((config.seed, task, index))


def _features(config):
    square = (config.image_size, config.image_size)
    label = tfds.features.ClassLabel(names=DIGIT_NAMES)
    if config.task == "video":
        shape = (config.frames, *square, 3)
        return {
            "video": tfds.features.Video(shape=shape, encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=list(scenes.MOTIONS)),
            "digit": label,
            "size": tfds.features.Tensor(
                shape=(config.frames,), dtype=np.float32
            ),
        }
    png = {"encoding_format": "png"}
    image = tfds.features.Image(shape=(*square, 3), **png)
    digit = {
        "bbox": tfds.features.BBoxFeature(),
        "label": label,
        "size": np.float32,
        "size_class": tfds.features.ClassLabel(names=list(scenes.SIZE_CLASSES)),
    }
    if config.task == "classification":
        return {"image": image, **digit}
    one = {"area": np.int64, "id": np.int64, "is_crowd": np.bool_, **digit}
    features = {
        "image": image,
        "image/filename": tfds.features.Text(),
        "image/id": np.int64,
        "objects": tfds.features.Sequence(one),
    }
    if config.task == "segmentation":
        names = ["background", *DIGIT_NAMES]
        features["segmentation_mask"] = tfds.features.LabeledImage(
            labels=names, shape=(*square, 1), **png
        )
        features["instance_mask"] = tfds.features.Image(
            shape=(*square, 1), use_colormap=True, **png
        )
    return features


def _example(config, split, index):
    rng = example_rng(config, split, index)
    given = (rng, scenes.sources(split), config.image_size)
    sizes = (config.smallest, config.largest)
    if config.task == "video":
        motion = index % len(scenes.MOTIONS)
        clip = scenes.random_clip(*given, config.frames, motion, sizes)
        return {
            "video": [_encoded(frame, "JPEG") for frame in clip.frames],
            "label": clip.motion,
            "digit": clip.label,
            "size": clip.sizes,
            "source": _source(clip.backdrop, [clip.digit_id]),
        }
    if config.task == "classification":
        labels = [index % 10]
    else:
        count = rng.integers(1, config.max_objects + 1)
        labels = list(rng.integers(10, size=count))
    scene = scenes.random_scene(*given, labels, sizes)
    digits = [_digit(digit, config.image_size) for digit in scene.digits]
    example = {
        "image": _encoded(scene.image, "PNG"),
        "source": _source(scene.backdrop, [d.digit_id for d in scene.digits]),
    }
    if config.task == "classification":
        return {**example, **digits[0]}
    for place, (digit, known) in enumerate(zip(scene.digits, digits)):
        known["area"], known["is_crowd"] = digit.area, False
        known["id"] = index * config.max_objects + place
    example["image/filename"] = f"{split}_{index:06d}.png"
    example["image/id"], example["objects"] = index, digits
    if config.task == "segmentation":
        # The photograph, which is instance 0, gets label 0.
        labels = np.array([0] + [1 + digit.label for digit in scene.digits])
        mask = labels.astype("uint8")[scene.instances]
        example["segmentation_mask"] = _encoded(mask, "PNG")
        example["instance_mask"] = _encoded(scene.instances, "PNG")
    return example


def _digit(digit, image_size):
    return {
        "label": digit.label,
        "bbox": tfds.features.BBox(*(side / image_size for side in digit.box)),
        "size": float(digit.size),
        "size_class": int(scenes.size_class(digit.size, image_size)),
    }


def _source(backdrop, digit_ids):
    return {
        "photo": backdrop.photo,
        "crop": np.array(backdrop.crop, "int32"),
        "digits": digit_ids,
    }


def _encoded(pixels, encoding):
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, encoding, **_ENCODINGS[encoding])
    return stream.getvalue()
