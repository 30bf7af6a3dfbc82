"""One update from several small batches; Keras's own needs one device."""

import functools

import keras

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.training.data import cut, refuse_uneven


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
    refuse_uneven(data, parts, f"parts={parts}")
    data, total = cut(data, parts), []
    for number in range(parts):
        # A graph would run the parts side by side and so hold the activations
        # of all of them.
        with tf.control_dependencies([g for g in total if g is not None]):
            part = tf.nest.map_structure(lambda t: t[number], data)
        more, logs = _gradients(model, part, parts)
        total = [
            g if sum_ is None else sum_ + g
            for g, sum_ in zip(more, total or [None] * len(more))
        ]
    model.optimizer.apply_gradients(zip(total, model.trainable_variables))
    return logs


def accumulate_gradients(model: keras.Model, parts: int) -> keras.Model:
    """Gives a compiled model a `train_step` that accumulates gradients.

    It needs the memory of one part; the graph of a step grows with `parts`.
    Batch normalization uses the statistics of one part.

    Args:
        model: a compiled model with Keras's own `train_step`.
        parts: int, number of parts into which each device's batch is split;
            their gradients are summed for one update. 1 changes nothing.
    """
    arguments.compiled("model", model)
    arguments.integer("parts", parts)
    if parts == 1:
        return
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"{type(model).__name__} has its own train_step, which gradient "
            "accumulation would bypass. Pass parts=1."
        )
    if own := model.optimizer.gradient_accumulation_steps:
        raise ValueError(
            "The optimizer accumulates gradients itself. Received: "
            f"gradient_accumulation_steps={own} and parts={parts}"
        )
    model.train_step = functools.partial(_train_step, model, parts)
