"""Normalization at inference, folded into the convolution before it.

The scale and the shift of channels that inference makes of a normalization
are a convolution with other kernels and another bias. An export computes
those once, from arrays. In a graph whose weights are variables TensorFlow
does not fold them, and makes two passes over every map; there a convolution
of ours leaves with its result how it is computed, and the normalization has
it computed anew, with the kernels scaled at every call.

The fact a reader would get wrong: the convolution that is replaced stays in
the graph and is never computed, unless something else uses its result too.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import instead_of

_ATTRIBUTE = "_keras_pyconv_convolution"


class Convolution(NamedTuple):
    """How a tensor was made: `compute(kernels, bias)`, channels last.

    `kernels` are those of the levels that are side by side in its channels.
    """

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
    """Kernels and bias of the convolution that is scaled and shifted.

    Args:
        kernels: one a level, whose filters are side by side: arrays or
            tensors, the filters in the last axis.
        bias: of all filters, or None.
        scale: a number for each filter.
        shift: the like.

    Returns:
        The list of kernels and the bias.
    """
    scaled, first = [], 0
    for kernel in kernels:
        last = first + kernel.shape[-1]
        scaled.append(kernel * scale[first:last])
        first = last
    return scaled, shift if bias is None else bias * scale + shift


def rescale_channels(tensor, scale, shift):
    """`tensor * scale + shift`, with a number a channel of the last axis.

    Args:
        tensor: of two to five axes, in float32.
        scale: vector of as many numbers as `tensor` has channels.
        shift: the like.
    """
    plain = tf.nn.bias_add(tensor * scale, shift)
    convolution = convolution_of(tensor)
    if convolution is None or not _is_worth_it(convolution.kernels, tensor):
        return plain
    kernels, bias, compute = convolution
    kernels = [tf.cast(kernel, tensor.dtype) for kernel in kernels]
    bias = None if bias is None else tf.cast(bias, tensor.dtype)
    return instead_of(plain, compute(*folded(kernels, bias, scale, shift)))


def _is_worth_it(kernels, outputs):
    """Whether the kernels have few numbers beside a map.

    Three passes over a map instead of one over the kernel: for five images
    the same.
    """
    map_shape = outputs.shape[1:]
    if not map_shape.is_fully_defined():
        return True
    numbers = sum(math.prod(kernel.shape) for kernel in kernels)
    return numbers < 16 * map_shape.num_elements()
