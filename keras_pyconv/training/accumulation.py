"""One update from the gradients of several small batches.

Keras's own accumulation fails on several devices.
"""

import functools

import keras

from keras_pyconv.lazy import tf
from keras_pyconv.training.data import refuse_uneven


def _cut(batch, parts):
    """Every tensor (b, ...) as (parts, b / parts, ...)."""

    def cut(tensor):
        if tensor.shape[0] is None:
            raise ValueError(
                "Accumulation needs batches of the same known size: batch the "
                f"data with drop_remainder=True. Received: {tensor}"
            )
        refuse_uneven(tensor.shape[0], parts, f"parts={parts}")
        return tf.reshape(tensor, (parts, -1, *tensor.shape[1:]))

    return tf.nest.map_structure(cut, batch)


def _gradients(model, data, parts):
    """The gradients of one part, and the logs so far."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, weight, training=True)
        scaled = model.optimizer.scale_loss(loss) / parts
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    tracker = next(m for m in model.metrics if m.name == "loss")
    size = tf.shape(tf.nest.flatten(x)[0])[0]
    tracker.update_state(loss * replicas, sample_weight=size)
    logs = model.compute_metrics(x, y, y_pred, weight)
    return tape.gradient(scaled, model.trainable_variables), logs


def _train_step(model, parts, data):
    cut, total = _cut(data, parts), None
    for number in range(parts):
        part = tf.nest.map_structure(lambda t: t[number], cut)
        if total is None:
            total, logs = _gradients(model, part, parts)
            continue
        # A graph would run the parts side by side and so hold the activations
        # of all of them.
        with tf.control_dependencies([g for g in total if g is not None]):
            part = tf.nest.map_structure(tf.identity, part)
        more, logs = _gradients(model, part, parts)
        total = [None if g is None else g + s for g, s in zip(more, total)]
    model.optimizer.apply_gradients(zip(total, model.trainable_variables))
    return logs


def accumulate_gradients(model, parts):
    """Gives a compiled model a `train_step` that takes a batch in parts.

    It needs the memory of one part; the graph of a step grows with `parts`.
    Batch normalization sees one part.

    Args:
        model: compiled; its class has Keras's own `train_step`.
        parts: int, into how many small batches each device's part of a batch
            is cut, whose gradients make one update. 1 changes nothing.

    Raises:
        ValueError: the model's class or optimizer has its own way.
    """
    if parts == 1:
        return
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"{type(model).__name__} has a train_step of its own, which "
            "accumulation of gradients would pass over. Give parts=1."
        )
    own = model.optimizer.gradient_accumulation_steps
    if own:
        raise ValueError(
            "The optimizer accumulates gradients itself. Received: "
            f"gradient_accumulation_steps={own} and parts={parts}"
        )
    model.train_step = functools.partial(_train_step, model, parts)
