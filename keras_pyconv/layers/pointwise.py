"""1x1 convolution, by the operation that pyramids are made of."""

from typing import Any

import keras
from keras import ops

from keras_pyconv.arguments import integer, told_options
from keras_pyconv.layers.checked import CheckedCall
from keras_pyconv.layers.pyconv import activated
from keras_pyconv.layers.targeted import Targeted
from keras_pyconv.ops.arguments import axis_sizes
from keras_pyconv.ops.grouped_conv import pyramid_conv
from keras_pyconv.typing import PerAxis


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PointwiseConv2D(CheckedCall, Targeted, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a kernel of 1x1.

    Arguments, variables and results are the Keras layer's. It also trains
    where TensorFlow's own is slow or fails: in 16 bits on a CPU without
    arithmetic for them, and with channels first.

    Args:
        filters: Integer, the channels of the output.
        strides: Integer, or one per axis.
        **kwargs: The others of `keras.layers.Conv2D`, without `kernel_size`.

    Input shape:
        `(batch, height, width, channels)`, or channels first. All sizes but
        channels may be unknown.

    Output shape:
        `(batch, new_height, new_width, filters)`, or channels first.

    Example:

    >>> x = np.random.rand(2, 56, 56, 64)
    >>> y = keras_pyconv.layers.PointwiseConv2D(256)(x)
    >>> print(y.shape)
    (2, 56, 56, 256)
    """

    def __init__(self, filters: int, strides: PerAxis = 1, **kwargs: Any):
        integer("filters", filters)
        strides = axis_sizes("strides", strides, 2)
        with told_options(kwargs) as options:
            super().__init__(filters, 1, strides, **options)

    def call(self, inputs):
        outputs = pyramid_conv(
            inputs,
            [ops.convert_to_tensor(self.kernel)],
            groups=[self.groups],
            bias=self.bias,
            strides=self.strides,
            data_format=self.data_format,
            target=self.target,
        )
        return activated(self.activation, outputs)

    def get_config(self):
        config = super().get_config()
        del config["kernel_size"]
        return config
