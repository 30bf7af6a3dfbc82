"""Weights from elsewhere: name maps and strict loading."""

from keras_pyconv.weights.keras_applications import from_keras_applications
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_names import from_torch, torch_names
