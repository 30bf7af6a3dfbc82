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
    """`tensor * scale + shift` in float32, a number a channel, folded."""
    plain = tf.nn.bias_add(tensor * scale, shift)
    convolution = convolution_of(tensor)
    if convolution is None or not _is_worth_it(convolution.kernels, tensor):
        return plain
    kernels, bias, compute = convolution
    kernels = [tf.cast(kernel, tensor.dtype) for kernel in kernels]
    bias = None if bias is None else tf.cast(bias, tensor.dtype)
    return instead_of(plain, compute(*folded(kernels, bias, scale, shift)))


def _is_worth_it(kernels, outputs):
    """Whether the kernels have few numbers beside a map."""
    # Three passes over a map instead of one over the kernel: for five images
    # the same.
    map_shape = outputs.shape[1:]
    if not map_shape.is_fully_defined():
        return True
    numbers = sum(math.prod(kernel.shape) for kernel in kernels)
    return numbers < 16 * map_shape.num_elements()
