"""Weights from elsewhere: a catalogue, fetching, names, strict loading."""

from keras_pyconv.weights.catalog import (
    PUBLISHED,
    SETS,
    Published,
    get_published,
    published_sets,
)
from keras_pyconv.weights.files import cache_folder, fetch
from keras_pyconv.weights.keras_applications import from_keras_applications
from keras_pyconv.weights.keras_files import (
    load_keras_weights,
    save_keras_weights,
)
from keras_pyconv.weights.published import adapt_stem, fit_to, load_published
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_names import from_torch, torch_names
from keras_pyconv.weights.torch_shapes import find_variant, torch_shapes
