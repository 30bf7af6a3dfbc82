"""Keras layers: pyramidal convolution and what stands around it."""

from keras_pyconv.layers.activation import ReLU
from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pooling import (
    MaxPooling2D,
    MaxPooling3D,
    SymmetricMaxPooling2D,
    SymmetricMaxPooling3D,
)
from keras_pyconv.layers.pyconv import PyConv, PyConv1D, PyConv3D
from keras_pyconv.layers.residual import ResidualAdd
from keras_pyconv.layers.resizing import (
    AdaptiveAveragePooling,
    AlignedResizing,
)

__all__ = [
    "AdaptiveAveragePooling",
    "AlignedResizing",
    "FusedBatchNormalization",
    "MaxPooling2D",
    "MaxPooling3D",
    "PointwiseConv2D",
    "PyConv",
    "PyConv1D",
    "PyConv3D",
    "ReLU",
    "ResidualAdd",
    "SymmetricMaxPooling2D",
    "SymmetricMaxPooling3D",
]
