"""Keras layers: pyramidal convolution and the normalization that follows."""

from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pyconv import PyConv, PyConv1D, PyConv3D

__all__ = ["FusedBatchNormalization", "PyConv", "PyConv1D", "PyConv3D"]
