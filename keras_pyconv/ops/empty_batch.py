"""Batches that may be empty, such as the answer to a request for nothing.

With oneDNN, TensorFlow's convolutions give an empty batch the shape of what
they got, not of what they make, and its gradient of max pooling ends the
process. So neither sees an empty batch here: a row of zeros stands in, and is
cut off the result.

The fact a reader would get wrong: rows that are there cost nothing. A batch
of known size adds nothing to a graph. For one of unknown size TensorFlow's Pad
by no rows and Slice of all rows hand on the tensor that they got, and the
layers that follow each other work on the rows before the cut: so there is one
pair of the two a network, and TensorFlow still moves what follows a
convolution into it.
"""

import contextlib
import contextvars

import keras
import numpy as np

from keras_pyconv.ops.graph import (
    CONNECTION,
    PURPOSE,
    barrier,
    is_compiled,
)

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# The name of the operation that cuts rows to the size of the batch.
_CUT = "cut_to_batch"
# The graph in the making whose batches have a row at least.
_FILLED = contextvars.ContextVar("filled", default=None)


def never_empty(compute, inputs, again=False):
    """What `compute` makes of a batch of which it sees one row at least.

    Args:
        compute: from what `inputs` is to a structure of tensors, of which
            none has rows where the batch has none.
        inputs: a tensor, or a structure of tensors with the same batch as
            their first axis.
        again: whether they may be empty within another call, whose batch is
            not.
    """
    if keras.backend.backend() != "tensorflow":
        return compute(inputs)
    inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
    first = tf.nest.flatten(inputs)[0]
    if _has_rows(first, again):
        return compute(inputs)
    if first is inputs and _are_cut_alike([inputs]):
        return before_cut(compute, inputs)
    missing = tf.maximum(1 - tf.shape(first)[0], 0)
    with _filling():
        filled = tf.nest.map_structure(lambda t: _filled(t, missing), inputs)
        outputs = compute(filled)
    kept = missing - 1
    return tf.nest.map_structure(lambda t: _cut(t, kept), outputs)


def before_cut(compute, *tensors):
    """What `compute` makes of tensors, computed before rows are cut off.

    Tensors that were not cut alike are taken as they are.

    Args:
        compute: from tensors to one of as many rows; each row must follow
            from its own.
        *tensors: any.
    """
    if not _are_cut_alike(tensors):
        return compute(*tensors)
    with _filling():
        outputs = compute(*map(_before, tensors))
    return _cut(outputs, _kept(tensors[0]))


@contextlib.contextmanager
def _filling():
    """Within it all batches of this graph have a row."""
    token = _FILLED.set(tf.compat.v1.get_default_graph())
    try:
        yield
    finally:
        _FILLED.reset(token)


def _are_cut_alike(tensors):
    """Whether rows were cut off all of them or none, in this graph."""
    if keras.backend.backend() != "tensorflow" or tf.executing_eagerly():
        return False
    if not all(map(_is_cut, tensors)):
        return False
    return len({_kept(tensor).ref() for tensor in tensors}) == 1


def _is_cut(tensor):
    operation = getattr(tensor, "op", None)
    return (
        operation is not None
        and operation.type == "Slice"
        and _CUT in operation.name.rpartition("/")[2]
    )


def _before(tensor):
    """The rows that `tensor` was cut from, with gradients through `tensor`.

    Else a gradient with respect to `tensor`, such as Grad-CAM asks for, would
    be none.
    """

    @tf.custom_gradient
    def connected(rows, cut):
        def gradient(upstream):
            return None, tf.slice(upstream, [0] * len(cut.shape), tf.shape(cut))

        return tf.identity(rows, name=CONNECTION), gradient

    return connected(tensor.op.inputs[0], tensor)


def _kept(tensor):
    """Which rows `tensor` was cut to, as `_cut` takes it."""
    return tensor.op.inputs[2].op.inputs[0]


def _has_rows(tensor, again):
    """Whether it has rows, or none without harm."""
    if PURPOSE.get() in ("onnx", "portable") or is_compiled():
        return True  # Neither other runtimes nor XLA have the fault.
    if not tensor.shape.rank or tensor.shape[0]:
        return True
    return not again and _FILLED.get() is tf.compat.v1.get_default_graph()


def _filled(tensor, missing):
    """`tensor` and `missing` rows of zeros: one, or none."""
    paddings = np.zeros((tensor.shape.rank, 2), "int32")
    paddings[0, 1] = 1
    filled = tf.pad(tensor, paddings * missing)
    if not tf.executing_eagerly():
        filled.set_shape([None, *tensor.shape[1:]])
    return barrier(filled)


def _cut(tensor, kept):
    """All rows of `tensor` if `kept` is -1, none if it is 0."""
    rank = tensor.shape.rank
    sizes = tf.stack([kept] + [-1] * (rank - 1))
    # Not tensor[:count], whose gradient is a copy.
    cut = tf.slice(tensor, [0] * rank, sizes, name=_CUT)
    if not tf.executing_eagerly():
        cut.set_shape([None, *tensor.shape[1:]])
    return cut
