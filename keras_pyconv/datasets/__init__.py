"""Data sets that the recipes and their users read.

What they need is imported where it is used. Asking for `DigitsInPhotos` or its
config registers it with TFDS.
"""

from typing import TYPE_CHECKING

from keras_pyconv.datasets import digits
from keras_pyconv.datasets.augmentation import (
    Distortion,
    auto_augment,
    rand_augment,
    random_erasing,
)
from keras_pyconv.datasets.broken import BrokenPictures, BrokenVideos
from keras_pyconv.datasets.classification import (
    cutmix,
    either,
    evaluation_pictures,
    mixup,
    training_pictures,
)
from keras_pyconv.datasets.coco_labels import COCO_IDS, COCO_NAMES
from keras_pyconv.datasets.detection import evaluation_scenes, training_scenes
from keras_pyconv.datasets.detection_sets import (
    DetectionSet,
    coco_files,
    detection_set,
)
from keras_pyconv.datasets.digit_scenes import (
    SIZE_CLASSES,
    SIZE_EDGES,
    size_class,
)
from keras_pyconv.datasets.digits import (
    load_digits_in_photos,
    prepare_digits_in_photos,
)
from keras_pyconv.datasets.mask_sets import mask_set
from keras_pyconv.datasets.masks import LABEL_RULES
from keras_pyconv.datasets.picture_sets import picture_set, split_class_folder
from keras_pyconv.datasets.segmentation import (
    central_crops,
    training_masks,
    whole_pictures,
)
from keras_pyconv.datasets.sets import joined
from keras_pyconv.datasets.stream import training_stream
from keras_pyconv.datasets.tfrecord_writer import write_tfrecord
from keras_pyconv.datasets.video_clips import (
    evaluation_clips,
    training_clips,
    video_views,
)
from keras_pyconv.datasets.video_sets import video_set

if TYPE_CHECKING:
    from keras_pyconv.datasets.digits_in_photos import (
        DigitsInPhotos as DigitsInPhotos,
    )
    from keras_pyconv.datasets.digits_in_photos import (
        DigitsInPhotosConfig as DigitsInPhotosConfig,
    )

__all__ = [
    "BrokenPictures",
    "BrokenVideos",
    "COCO_IDS",
    "COCO_NAMES",
    "DetectionSet",
    "Distortion",
    "LABEL_RULES",
    "SIZE_CLASSES",
    "SIZE_EDGES",
    "auto_augment",
    "central_crops",
    "coco_files",
    "cutmix",
    "detection_set",
    "either",
    "evaluation_clips",
    "evaluation_pictures",
    "evaluation_scenes",
    "joined",
    "load_digits_in_photos",
    "mask_set",
    "mixup",
    "picture_set",
    "prepare_digits_in_photos",
    "rand_augment",
    "random_erasing",
    "size_class",
    "split_class_folder",
    "training_clips",
    "training_masks",
    "training_pictures",
    "training_scenes",
    "training_stream",
    "video_set",
    "video_views",
    "whole_pictures",
    "write_tfrecord",
]


def __getattr__(name):
    if name in ("DigitsInPhotos", "DigitsInPhotosConfig"):
        return getattr(digits.builder_module(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
