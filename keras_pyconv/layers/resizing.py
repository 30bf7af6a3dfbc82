"""Layers that pool to bins and resize between aligned corners (section 5)."""

from typing import Any

import keras
from keras import ops

from keras_pyconv.arguments import plain, told_options
from keras_pyconv.layers.checked import CheckedCall, checked_format
from keras_pyconv.ops.resize import check_size, resize_align_corners
from keras_pyconv.ops.separable import (
    adaptive_average_pool,
    check_bins,
    spatial_axes,
)
from keras_pyconv.typing import DataFormat, PerAxis


class _Spatial(CheckedCall, keras.layers.Layer):
    """A layer without variables that changes height and width alone."""

    rank = 2

    def __init__(self, data_format=None, **kwargs):
        with told_options(kwargs) as options:
            super().__init__(**options)
        self.data_format = checked_format(data_format)
        self._axes = spatial_axes(self.data_format)

    def _with_sizes(self, shape, sizes):
        if len(shape) != 4:
            raise ValueError(
                f"{type(self).__name__} takes inputs of rank 4. "
                f"Received: shape {tuple(shape)}"
            )
        shape = list(shape)
        for axis, size in zip(self._axes, sizes):
            shape[axis] = size
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


@keras.saving.register_keras_serializable(package="keras_pyconv")
class AdaptiveAveragePooling(_Spatial):
    """Average pooling to a given number of bins, whatever the input's size.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 5; the bins are PyTorch's, which overlap where they must.

    Args:
        bins: Positive integer, or two: along the height and the width.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            one of `keras.config.image_data_format()`.

    Input shape:
        `(batch, height, width, channels)`, or channels first.

    Output shape:
        `(batch, bins, bins, channels)`, or channels first.

    Example:

    >>> x = np.random.rand(2, 60, 45, 16)
    >>> y = keras_pyconv.AdaptiveAveragePooling(9)(x)
    >>> print(y.shape)
    (2, 9, 9, 16)
    """

    def __init__(
        self,
        bins: PerAxis,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.bins = check_bins(bins)

    def call(self, inputs):
        return adaptive_average_pool(inputs, self.bins, self.data_format)

    def compute_output_shape(self, input_shape):
        return self._with_sizes(input_shape, self.bins)

    def get_config(self):
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="keras_pyconv")
class AlignedResizing(_Spatial):
    """Bilinear resizing that leaves the corner pixels where they are.

    PyTorch's `align_corners=True`, which the paper's networks use everywhere
    (section 5) and Keras's `Resizing` does not have.

    Args:
        size: `(height, width)` of the output, or None to take them from the
            second tensor of each call.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            one of `keras.config.image_data_format()`.

    Call arguments:
        inputs: Tensor to resize.
        like: Tensor of rank 4 whose height and width the output gets, when
            `size` is None.

    Input shape:
        `(batch, height, width, channels)`, or channels first.

    Output shape:
        `(batch, new_height, new_width, channels)`, or channels first.

    Example:

    >>> x = np.random.rand(2, 60, 60, 16)
    >>> y = keras_pyconv.AlignedResizing((473, 473))(x)
    >>> print(y.shape)
    (2, 473, 473, 16)
    """

    def __init__(
        self,
        size: PerAxis | None = None,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        if size is not None:
            check_size(size)
            size = tuple(map(int, plain(size)))
        self.size = size

    def call(self, inputs, like=None):
        size = self.size
        if size is None:
            shape = ops.shape(self._needed(like))
            size = tuple(shape[axis] for axis in self._axes)
        return resize_align_corners(inputs, size, self.data_format)

    def _needed(self, like):
        if like is None:
            raise ValueError(
                f"{self.name!r} has no `size`, so each call needs a second "
                "tensor, whose height and width the output gets."
            )
        return like

    def compute_output_shape(self, inputs_shape, like_shape=None):
        size = self.size
        if size is None:
            like_shape = self._needed(like_shape)
            size = tuple(like_shape[axis] for axis in self._axes)
        return self._with_sizes(inputs_shape, size)

    def get_config(self):
        return {**super().get_config(), "size": self.size}
