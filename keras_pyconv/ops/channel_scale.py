"""A scale and a shift of channels, moved into the convolutions before them.

In a graph whose weights are variables TensorFlow does not fold what inference
makes of batch normalization into kernels, and of a scale and a shift it makes
two passes over every map. Here the kernels are scaled instead, where they are
small beside the maps, and TensorFlow adds the shift inside the convolution.

The fact a reader would get wrong: the convolutions are made anew. Those that
are replaced stay in the graph and are never computed, unless something else
uses their results too.
"""

import keras

from keras_pyconv.ops.dense_conv import PADDING, padding_conv
from keras_pyconv.ops.graph import barrier, before_connection

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# The name of the operation that joins the levels of a pyramid. Other
# concatenations are left alone: their parts may well be used elsewhere.
PYRAMID = "pyramid"

_CONVOLUTIONS = {
    "Conv2D": ("strides", "padding", "explicit_paddings", "dilations"),
    "Conv3D": ("strides", "padding", "dilations"),
}


def rescale_channels(tensor, scale, shift):
    """`tensor * scale + shift`, with a number a channel of the last axis.

    Args:
        tensor: of two to five axes.
        scale: vector of as many numbers as `tensor` has channels.
        shift: the like.
    """
    if not tf.executing_eagerly():
        tensor = before_connection(tensor)
        if _keeps_channels(tensor.op):
            inputs, shape = tensor.op.inputs
            return tf.reshape(rescale_channels(inputs, scale, shift), shape)
    return tf.nn.bias_add(_scaled(tensor, scale), shift)


def _scaled(tensor, scale):
    if tf.executing_eagerly():
        return tensor * scale
    operation = tensor.op
    kind = operation.type
    if kind in _CONVOLUTIONS and _is_worth_it(operation):
        return _scaled_conv(operation, scale)
    if kind == "IdentityN" and _is_named(operation.inputs[0].op, PADDING):
        if _is_worth_it(operation.inputs[0].op):
            return _scaled_padding_conv(operation.inputs[0].op, scale)
    if kind == "EnsureShape":
        return barrier(_scaled(operation.inputs[0], scale))
    if _keeps_channels(operation):
        inputs, shape = operation.inputs
        return tf.reshape(_scaled(inputs, scale), shape)
    if kind == "ConcatV2" and _is_named(operation, PYRAMID):
        *levels, axis = operation.inputs
        filters = [level.shape[-1] for level in levels]
        scales = tf.split(scale, filters)
        return tf.concat(list(map(_scaled, levels, scales)), axis)
    return tensor * scale


def _is_worth_it(operation):
    """Whether its kernel has few numbers beside the map, and can be scaled."""
    if _get(operation, "data_format")[-1] != "C":
        return False
    kernel, outputs = operation.inputs[1], operation.outputs[0].shape[1:]
    if not outputs.is_fully_defined():
        return True
    # Three passes over a map instead of one over the kernel: for five images
    # the same.
    return kernel.shape.num_elements() < 16 * outputs.num_elements()


def _scaled_conv(operation, scale):
    inputs, kernel = operation.inputs
    attributes = {n: _get(operation, n) for n in _CONVOLUTIONS[operation.type]}
    convolution = getattr(tf.raw_ops, operation.type)
    return convolution(input=inputs, filter=kernel * scale, **attributes)


def _scaled_padding_conv(operation, scale):
    """The like for a convolution with gradients of its own."""
    inputs, kernel = operation.inputs
    return padding_conv(
        inputs,
        kernel * scale,
        _get(operation, "explicit_paddings")[2:-2:2],
        strides=_get(operation, "strides"),
        dilations=_get(operation, "dilations"),
    )


def _is_named(operation, name):
    """Whether it was made here under that name, which may have a number."""
    return name in operation.name.rpartition("/")[2]


def _get(operation, attribute):
    value = operation.get_attr(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _keeps_channels(operation):
    """Whether it is a reshaping of all axes but the last."""
    if operation.type != "Reshape":
        return False
    channels = operation.inputs[0].shape[-1]
    return bool(channels) and channels == operation.outputs[0].shape[-1]
