"""Data sets that the recipes and their users read.

tensorflow-datasets and scikit-learn are imported where they are used, so
that the layers and networks do not need them; asking this module for the
builder, `DigitsInPhotos`, or its `DigitsInPhotosConfig` imports and registers
it with TFDS. What makes batches is imported with TensorFlow when it is asked
for.
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
    "BrokenPictures": "broken",
    "LABEL_RULES": "masks",
    "DetectionSet": "detection_sets",
    "BrokenVideos": "broken",
    "central_crops": "segmentation",
    "coco_files": "detection_sets",
    "cutmix": "classification",
    "detection_set": "detection_sets",
    "evaluation_clips": "video_clips",
    "evaluation_pictures": "classification",
    "evaluation_scenes": "detection",
    "mask_set": "mask_sets",
    "picture_set": "picture_sets",
    "split_class_folder": "picture_sets",
    "training_clips": "video_clips",
    "training_masks": "segmentation",
    "training_pictures": "classification",
    "training_scenes": "detection",
    "training_stream": "stream",
    "video_set": "video_sets",
    "video_views": "video_clips",
    "whole_pictures": "segmentation",
}


def __getattr__(name):
    if name in _WITH_TENSORFLOW:
        module = f"{__name__}.{_WITH_TENSORFLOW[name]}"
        return getattr(importlib.import_module(module), name)
    if name in ("DigitsInPhotos", "DigitsInPhotosConfig"):
        return getattr(builder_module(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
