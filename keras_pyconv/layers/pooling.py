"""Max pooling, padded by half the window on both sides.

Keras's `padding="same"` is uneven at stride 2.
"""

from typing import Any, Literal

import keras

from keras_pyconv.arguments import check, one_of, told_options
from keras_pyconv.layers.checked import CheckedCall, checked_format
from keras_pyconv.layers.targeted import Targeted
from keras_pyconv.ops.arguments import axis_sizes
from keras_pyconv.ops.pooling import max_pool
from keras_pyconv.ops.target import TARGETS
from keras_pyconv.ops.uncut import never_empty
from keras_pyconv.typing import DataFormat, PerAxis


class SymmetricMaxPoolingND(CheckedCall, Targeted, keras.layers.Layer):
    """What both layers share; `rank` is their axes."""

    rank: int

    def __init__(
        self,
        pool_size: PerAxis,
        strides: PerAxis | None = None,
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ):
        with told_options(kwargs) as options:
            super().__init__(**options)
        self.pool_size = axis_sizes("pool_size", pool_size, self.rank)
        good = all(size % 2 for size in self.pool_size)
        rule = "odd, to be padded alike on both sides"
        check("pool_size", pool_size, good, rule)
        strides = self.pool_size if strides is None else strides
        self.strides = axis_sizes("strides", strides, self.rank)
        self.data_format = checked_format(data_format)
        self.input_spec = keras.InputSpec(ndim=self.rank + 2)

    def call(self, inputs):
        return max_pool(
            inputs, self.pool_size, self.strides, self.data_format, self.target
        )

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        first = 1 if self.data_format == "channels_last" else 2
        for axis, stride in enumerate(self.strides, first):
            if shape[axis] is not None:
                shape[axis] = (shape[axis] - 1) // stride + 1
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "data_format": self.data_format,
        }


@keras.saving.register_keras_serializable(package="keras_pyconv")
class SymmetricMaxPooling2D(SymmetricMaxPoolingND):
    """Max pooling over height and width, padded alike on both sides.

    Args:
        pool_size: An odd integer, or two.
        strides: An integer, or two; None for `pool_size`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            one of `keras.config.image_data_format()`.

    Input shape:
        `(batch, height, width, channels)`, or channels first. Sizes may be
        unknown.

    Output shape:
        The same, of every size `(size - 1) // stride + 1`.

    Raises:
        ValueError: If a size of the window is even, or no positive integer.

    Example:

    >>> x = np.random.rand(1, 28, 28, 16)
    >>> y = keras_pyconv.SymmetricMaxPooling2D(3, strides=2)(x)
    >>> print(y.shape)
    (1, 14, 14, 16)
    """

    rank = 2


@keras.saving.register_keras_serializable(package="keras_pyconv")
class SymmetricMaxPooling3D(SymmetricMaxPoolingND):
    """Max pooling over time, height and width, padded alike on both sides.

    Args:
        pool_size: An odd integer, or three, that of time first.
        strides: An integer, or three; None for `pool_size`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the
            one of `keras.config.image_data_format()`.

    Input shape:
        `(batch, frames, height, width, channels)`, or channels first. Sizes
        may be unknown.

    Output shape:
        The same, of every size `(size - 1) // stride + 1`.

    Raises:
        ValueError: If a size of the window is even, or no positive integer.

    Example:

    >>> x = np.random.rand(1, 8, 28, 28, 16)
    >>> y = keras_pyconv.SymmetricMaxPooling3D(3, strides=(1, 2, 2))(x)
    >>> print(y.shape)
    (1, 8, 14, 14, 16)
    """

    rank = 3


class _NeverEmpty(CheckedCall, Targeted):
    """With oneDNN, the gradient of max pooling crashes at an empty batch."""

    rank: int

    def __init__(
        self,
        pool_size: PerAxis = 2,
        strides: PerAxis | None = None,
        padding: Literal["same", "valid"] = "valid",
        data_format: DataFormat | None = None,
        **kwargs: Any,
    ):
        sizes = axis_sizes("pool_size", pool_size, self.rank)
        if strides is not None:
            strides = axis_sizes("strides", strides, self.rank)
        padding = one_of("padding", padding, ("same", "valid"))
        data_format = checked_format(data_format)
        with told_options(kwargs) as options:
            kept = sizes, strides, padding, data_format
            super().__init__(*kept, **options)  # type: ignore[call-arg]

    def call(self, inputs):
        return never_empty(super().call, inputs, TARGETS[self.target])


@keras.saving.register_keras_serializable(package="keras_pyconv")
class MaxPooling2D(_NeverEmpty, keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` that trains on empty batches too."""

    rank = 2


@keras.saving.register_keras_serializable(package="keras_pyconv")
class MaxPooling3D(_NeverEmpty, keras.layers.MaxPooling3D):
    """`keras.layers.MaxPooling3D` that trains on empty batches too."""

    rank = 3
