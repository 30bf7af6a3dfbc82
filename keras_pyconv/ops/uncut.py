"""What tensors of a graph were before they were cut.

Two things are cut off results. TensorFlow with oneDNN fails at empty batches
(convolutions give a wrong shape, the gradient of max pooling ends the process),
so a row of zeros stands in, and is cut off. And where a CPU has no arithmetic
for 16 bits, layers compute in 32 and cut their results to 16.

A tensor carries what it was cut from, as Keras has its tensors carry masks, and
the layer that follows goes on from there: one row is put in and cut off a
whole network, and TensorFlow still fuses what follows a convolution. Eager
tensors carry nothing, and a batch of known size adds nothing to a graph.
"""

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_pyconv.lazy import tf
from keras_pyconv.ops import fold
from keras_pyconv.ops.graph import (
    barrier,
    instead_of,
    is_compiled,
    on_tensorflow,
)
from keras_pyconv.ops.target import HERE

_ATTRIBUTE = "_keras_pyconv_origin"


class _Origin(NamedTuple):
    """What a tensor was cut from, and which rows are kept, or None for all."""

    full: Any
    kept: Any = None


def _origin(tensor):
    return getattr(tensor, _ATTRIBUTE, None) or _Origin(tensor)


def _full(tensor):
    """What `tensor` was cut from, with gradients through `tensor`."""
    whole = _origin(tensor).full
    if whole is tensor:
        return tensor
    return fold.remember(instead_of(tensor, whole), fold.convolution_of(whole))


def never_empty(compute, inputs, target=HERE, widen=False):
    """What `compute` makes of a batch of which it sees one row at least.

    `inputs` are a tensor or a structure of some. With `widen`, `compute` sees
    32 bits where the CPU of the target has no arithmetic for 16.
    """
    if not on_tensorflow():
        return compute(inputs)
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    first = tf.nest.flatten(inputs)[0]
    widen_for = target if widen else None
    if _origin(first).kept is None and _may_be_empty(first, target):
        return on_filled(compute, inputs, widen_for)
    if first is inputs:
        return uncut(compute, inputs, widen_for=widen_for)
    return compute(inputs)


def on_filled(compute, inputs, widen_for=None):
    """The like of a batch that may be empty, within `never_empty` too."""
    nest = tf.nest.map_structure
    missing = tf.maximum(1 - tf.shape(tf.nest.flatten(inputs)[0])[0], 0)
    filled = nest(lambda tensor: _filled(_full(tensor), missing), inputs)
    if tf.is_tensor(inputs):
        outputs, dtype = compute(_widened(filled, widen_for)), inputs.dtype
    else:
        outputs, dtype = compute(filled), None
    kept = missing - 1
    return nest(lambda tensor: _cut(tensor, kept, dtype), outputs)


def uncut(compute, *tensors, widen_for=None):
    """What `compute`, row by row, makes of tensors before they were cut.

    The result is cut as they are. Tensors of which other rows were cut off are
    taken as they are.
    """
    if not on_tensorflow():
        return compute(*tensors)
    kept = _origin(tensors[0]).kept
    if any(_origin(tensor).kept is not kept for tensor in tensors):
        return compute(*tensors)
    full = [_widened(_full(tensor), widen_for) for tensor in tensors]
    widest = max((tensor.dtype for tensor in full), key=lambda d: d.size)
    outputs = compute(*(tf.cast(tensor, widest) for tensor in full))
    return _cut(outputs, kept, tensors[0].dtype)


def cut_numbers(full, dtype):
    """`full` in a dtype, from which a layer that follows goes on in full."""
    return _cut(full, None, dtype) if on_tensorflow() else ops.cast(full, dtype)


def whole_numbers(tensor, target):
    """`tensor` as before it was cut to 16 bits, or in 32 if CPUs lack them."""
    if not on_tensorflow():
        return tensor
    full, kept = _origin(tensor)
    if full.dtype != tensor.dtype:
        return _cut(_full(tensor), kept)
    return _widened(tensor, target)


def _widened(tensor, target):
    if target and target.lacks_arithmetic(tensor):
        return tf.cast(tensor, "float32")
    return tensor


def _may_be_empty(tensor, target):
    """Whether it may have no rows, and that would do harm."""
    if not tensor.shape.rank or tensor.shape[0] or is_compiled():
        return False  # XLA has not the fault.
    return target.fills_batches or tensor.shape[0] == 0


def _filled(tensor, missing):
    """`tensor` and `missing` rows of zeros: one, or none."""
    paddings = np.zeros((tensor.shape.rank, 2), "int32")
    paddings[0, 1] = 1
    filled = tf.pad(tensor, paddings * missing)
    if not tf.executing_eagerly():
        filled.set_shape([None, *tensor.shape[1:]])
    return barrier(filled)


def _cut(full, kept, dtype=None):
    """`full` in `dtype`; all rows if `kept` is -1 or None, none if it is 0."""
    cut = tf.cast(full, dtype or full.dtype)
    if kept is not None:
        rank = full.shape.rank
        sizes = tf.stack([kept] + [-1] * (rank - 1))
        # Not tensor[:count], whose gradient is a copy.
        cut = tf.slice(cut, [0] * rank, sizes)
    if cut is not full and not tf.executing_eagerly():
        cut.set_shape(
            [full.shape[0] if kept is None else None, *full.shape[1:]]
        )
        setattr(cut, _ATTRIBUTE, _Origin(full, kept))
    return cut
