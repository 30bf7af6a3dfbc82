"""Data sets that the recipes and their users read.

What they need is imported where it is used. Asking for `DigitsInPhotos` or its
config registers it with TFDS.
"""

import importlib

from keras_pyconv.datasets.coco_labels import COCO_IDS, COCO_NAMES
from keras_pyconv.datasets.digit_scenes import (
    SIZE_CLASSES,
    SIZE_EDGES,
    size_class,
)
from keras_pyconv.datasets.digits import (
    builder_module,
    load_digits_in_photos,
    prepare_digits_in_photos,
)

__all__ = [
    "COCO_IDS",
    "COCO_NAMES",
    "SIZE_CLASSES",
    "SIZE_EDGES",
    "load_digits_in_photos",
    "prepare_digits_in_photos",
    "size_class",
]


_WITH_TENSORFLOW = {
    "broken": "BrokenPictures BrokenVideos",
    "classification": "cutmix evaluation_pictures training_pictures",
    "detection": "evaluation_scenes training_scenes",
    "detection_sets": "DetectionSet coco_files detection_set",
    "mask_sets": "mask_set",
    "masks": "LABEL_RULES",
    "picture_sets": "picture_set split_class_folder",
    "segmentation": "central_crops training_masks whole_pictures",
    "sets": "joined",
    "stream": "training_stream",
    "video_clips": "evaluation_clips training_clips video_views",
    "video_sets": "video_set",
}
_WITH_TENSORFLOW = {
    name: f"{__name__}.{module}"
    for module, names in _WITH_TENSORFLOW.items()
    for name in names.split()
}


def __getattr__(name):
    if name in _WITH_TENSORFLOW:
        return getattr(importlib.import_module(_WITH_TENSORFLOW[name]), name)
    if name in ("DigitsInPhotos", "DigitsInPhotosConfig"):
        return getattr(builder_module(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
