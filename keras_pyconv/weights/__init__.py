"""Weights from elsewhere: a catalogue, fetching, names, strict loading."""

from keras_pyconv.renamed import former
from keras_pyconv.weights.catalog import (
    PUBLISHED,
    SETS,
    Published,
    get_published,
    published_sets,
)
from keras_pyconv.weights.files import cache_folder, fetch
from keras_pyconv.weights.keras_files import save_keras_weights
from keras_pyconv.weights.loading import load
from keras_pyconv.weights.shipped import shipped_weights
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_names import adapt_stem, from_torch, torch_names
from keras_pyconv.weights.torch_shapes import find_variant, torch_shapes

__all__ = [
    "PUBLISHED",
    "Published",
    "SETS",
    "adapt_stem",
    "cache_folder",
    "fetch",
    "find_variant",
    "from_torch",
    "get_published",
    "load",
    "published_sets",
    "read_arrays",
    "save_keras_weights",
    "shipped_weights",
    "torch_names",
    "torch_shapes",
]


def _load_published(model, variant, set_name):
    return load(model, set_name)


_LOAD = "`keras_pyconv.weights.load`"
__getattr__ = former(
    __name__,
    {
        "from_keras_applications": (_LOAD, lambda: load),
        "load_keras_weights": (_LOAD, lambda: load),
        "load_published": (_LOAD, lambda: _load_published),
    },
)
