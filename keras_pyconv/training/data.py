"""The batches of a run, from any step on, cut for devices and machines."""

from collections.abc import Callable
from typing import Any

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.training.strategies import shard


def from_step(batches, step, last):
    """Batches from that step on, which reach up to, and without, `last`."""
    dataset = batches(step)
    known = int(dataset.cardinality())
    if 0 <= known < last - step:
        raise ValueError(
            f"batches({step}) ends after {known} batches, but {last - step} "
            "are needed. It must be endless and start with the batch of that "
            "step, counted from the start of the run."
        )
    return dataset.prefetch(2)


def refuse_uneven(batch, parts, said):
    """Raises where a batch cannot be cut into equal parts."""
    shapes = [one.shape for one in tf.nest.flatten(batch)]
    if any(shape.rank in (None, 0) or not shape[0] for shape in shapes):
        raise ValueError(
            "Every batch must have the same known size: batch the data with "
            f"drop_remainder=True. Received: {batch}"
        )
    for size in sorted({shape[0] for shape in shapes if shape[0] % parts}):
        below = size - size % parts
        legal = f"{below} or {below + parts}" if below else f"{parts}"
        raise ValueError(
            f"A batch of {size} cannot be split into {parts} equal parts "
            f"({said}). The nearest sizes that can: {legal}."
        )


def cut(batch, parts):
    """Every tensor (b, ...) of a batch as (parts, b / parts, ...)."""
    return tf.nest.map_structure(
        lambda t: tf.reshape(t, (parts, -1, *t.shape[1:])), batch
    )


def distributed(dataset, strategy, machines):
    """This machine's batches, cut for its devices where Keras does not."""
    if machines == 1:
        return dataset
    parts = strategy.num_replicas_in_sync // machines
    if parts > 1:
        dataset = dataset.flat_map(
            lambda *batch: tf.data.Dataset.from_tensor_slices(cut(batch, parts))
        )
    return _brought(dataset, strategy, 2 * parts)


def _brought(dataset, strategy, ahead):
    if dataset.cardinality() < 0:
        # Else the machines ask each other before every step who has data.
        endless = tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY
        )
        dataset = dataset.apply(endless)
    brought = strategy.distribute_datasets_from_function(
        lambda _: dataset.prefetch(ahead)
    )
    # What Keras calls for `class_weight`.
    brought.map = lambda weigh: _brought(dataset.map(weigh), strategy, ahead)
    brought.prefetch = lambda _: brought
    return brought


def validation_data(
    batches: Callable[..., "tf.data.Dataset"],
    batch_size: int,
    strategy: "tf.distribute.Strategy",
) -> Any:
    """Returns `validation_data` for `fit`, on any devices and machines.

    Examples of weight 0 (fillers, and unreadable ones) are removed, because
    Keras would count them in the mean loss. Some stay, so that no device is
    without examples and all machines have equal parts. Therefore pass metrics
    as `weighted_metrics`.

    Args:
        batches: function that takes `batch_size` and `shard` and returns a
            `tf.data.Dataset` of (inputs, targets) or (inputs, targets,
            weights), with the same number of batches for every shard, such as
            `datasets.evaluation_pictures` and `datasets.central_crops`.
        batch_size: global batch size, over all machines.
        strategy: the strategy of the model.
    """
    arguments.function("batches", batches)
    arguments.integer("batch_size", batch_size)
    index, machines = shard(strategy)
    parts = strategy.num_replicas_in_sync // machines
    # Rounded up to what every device can have an equal part of.
    own = -(-batch_size // (machines * parts)) * parts
    dataset = batches(batch_size=own, shard=(index, machines))
    step = parts if machines > 1 else 1

    def weighted(*batch):
        empty = tf.cast(batch[2] == 0, "int32")
        valid = tf.size(empty) - tf.reduce_sum(empty)
        kept = tf.maximum(-(-valid // step) * step, parts)
        first = tf.argsort(empty, stable=True)[:kept]
        return tf.nest.map_structure(lambda t: tf.gather(t, first), batch)

    if len(dataset.element_spec) == 3:
        dataset = dataset.map(weighted)
    return distributed(dataset, strategy, machines)
