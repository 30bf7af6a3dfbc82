"""Normalization at inference, folded into the convolution before it.

TensorFlow does not fold a scale and a shift into kernels that are variables,
and passes twice over every map. So a convolution of ours leaves with its
result how it is computed, and a normalization has it computed anew, with scaled
kernels. The one that is replaced stays in the graph and is never computed,
unless something else uses its result.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import instead_of

_ATTRIBUTE = "_keras_pyconv_convolution"


class Convolution(NamedTuple):
    """How a tensor was made, channels last: `compute(kernels, bias)`."""

    kernels: list
    bias: Any
    compute: Callable


def remember(outputs, convolution):
    """`outputs`, which carry their `Convolution` if they stand in a graph."""
    if convolution is not None and not tf.executing_eagerly():
        setattr(outputs, _ATTRIBUTE, convolution)
    return outputs


def convolution_of(tensor):
    """The `Convolution` that made a tensor, or None where it is not known."""
    return getattr(tensor, _ATTRIBUTE, None)


def folded(kernels, bias, scale, shift):
    """Kernels of levels and their bias, scaled and shifted by the filter."""
    scaled, first = [], 0
    for kernel in kernels:
        last = first + kernel.shape[-1]
        scaled.append(kernel * scale[first:last])
        first = last
    return scaled, shift if bias is None else bias * scale + shift


def rescale_channels(tensor, scale, shift):
    """`tensor * scale + shift` by the channel, in float32, folded."""
    rescaled = tf.nn.bias_add(tf.cast(tensor, "float32") * scale, shift)
    plain = tf.cast(rescaled, tensor.dtype)
    if not can_fold(tensor):
        return plain
    kernels, bias, compute = convolution_of(tensor)
    kernels = [_uncut_weight(kernel) for kernel in kernels]
    bias = None if bias is None else _uncut_weight(bias)
    return instead_of(plain, compute(*folded(kernels, bias, scale, shift)))


def _uncut_weight(tensor):
    """A weight in float32, as its variable has it if Keras cast it."""
    tensor = tf.convert_to_tensor(tensor)
    is_cut = tensor.op.type == "Cast"
    return tf.cast(tensor.op.inputs[0] if is_cut else tensor, "float32")


def can_fold(outputs):
    """Whether a convolution made them, of few numbers beside a map."""
    convolution = convolution_of(outputs)
    if convolution is None:
        return False
    # Three passes over a map instead of one over the kernel: for five images
    # the same, in float32.
    map_shape = outputs.shape[1:]
    if not map_shape.is_fully_defined():
        return True
    numbers = sum(math.prod(kernel.shape) for kernel in convolution.kernels)
    return numbers < 16 * map_shape.num_elements()
