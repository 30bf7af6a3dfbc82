"""Tensors in, tensors out: no variables, no layers, no paper names."""

from keras_pyconv.ops.conv.choose import WAYS
from keras_pyconv.ops.grouped_conv import (
    grouped_conv,
    pyramid_conv,
    set_way,
)
from keras_pyconv.ops.target import TARGETS

__all__ = ["TARGETS", "WAYS", "grouped_conv", "pyramid_conv", "set_way"]
