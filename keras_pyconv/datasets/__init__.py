"""Data sets that the recipes and their users read.

tensorflow-datasets and scikit-learn are imported where they are used, so
that the layers and networks do not need them.
"""

from keras_pyconv.datasets.digit_scenes import (
    SIZE_CLASSES,
    SIZE_EDGES,
    size_class,
)
from keras_pyconv.datasets.digits import (
    load_digits_in_photos,
    prepare_digits_in_photos,
)

__all__ = [
    "SIZE_CLASSES",
    "SIZE_EDGES",
    "load_digits_in_photos",
    "prepare_digits_in_photos",
    "size_class",
]
