"""Keras's convolutions with groups, computed by `ops.grouped_conv`.

The classes have Keras's names, by which its files of weights call the layers
of a model. Keras's padding "same" is uneven at stride 2, so that it is added
before the convolution here.
"""

import functools

import keras
from keras import layers, ops

from keras_pyconv.layers.pyconv import activated
from keras_pyconv.layers.targeted import Targeted
from keras_pyconv.ops.grouped_conv import pyramid_conv


def _margins(size, kernel, stride, dilation):
    """Zeros before and behind an axis, as TensorFlow's padding "same"."""
    reach = (kernel - 1) * dilation + 1
    outputs = -(-size // stride)
    total = (outputs - 1) * stride + reach - size
    total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
    return total // 2, total - total // 2


_registered = functools.partial(
    keras.saving.register_keras_serializable, "keras_pyconv"
)


class _NativeGroups(Targeted):
    """The convolution of a Keras layer; all else is the layer's."""

    def call(self, inputs):
        padding, last = self.padding, self.data_format == "channels_last"
        symmetric = all(size % 2 for size in self.kernel_size) and all(
            stride == 1 for stride in self.strides
        )
        if padding == "causal" or (padding == "same" and not symmetric):
            inputs, padding = self._padded(inputs, last), "valid"
        outputs = pyramid_conv(
            inputs,
            [ops.cast(self.kernel, inputs.dtype)],
            groups=[self.groups],
            bias=self.bias,
            strides=self.strides,
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
            target=self.target,
        )
        return activated(self.activation, outputs)

    def _padded(self, inputs, last):
        shape = ops.shape(inputs)
        sizes = shape[1:-1] if last else shape[2:]
        axes = zip(sizes, self.kernel_size, self.strides, self.dilation_rate)
        if self.padding == "causal":
            margins = [(d * (k - 1), 0) for _, k, _, d in axes]
        else:
            margins = [_margins(*axis) for axis in axes]
        none = [(0, 0)]
        margins = none + margins + none if last else 2 * none + margins
        return ops.pad(inputs, margins)


@_registered("NativeGroupsConv1D")
class Conv1D(_NativeGroups, layers.Conv1D):
    """`keras.layers.Conv1D` whose groups need no compiler."""


@_registered("NativeGroupsConv2D")
class Conv2D(_NativeGroups, layers.Conv2D):
    """`keras.layers.Conv2D` whose groups need no compiler."""


@_registered("NativeGroupsConv3D")
class Conv3D(_NativeGroups, layers.Conv3D):
    """`keras.layers.Conv3D` whose groups need no compiler."""


# By the exact class: a user's subclass may compute something else.
NATIVE = {
    layers.Conv1D: Conv1D,
    layers.Conv2D: Conv2D,
    layers.Conv3D: Conv3D,
}
