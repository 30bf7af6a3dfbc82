"""Tensors in, tensors out: no variables, no layers, no paper names."""

from keras_pyconv.ops.conv_ways import WAYS
from keras_pyconv.ops.grouped_conv import grouped_conv, pyramid_conv, set_way

__all__ = ["WAYS", "grouped_conv", "pyramid_conv", "set_way"]
