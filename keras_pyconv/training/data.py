"""The batches of a run, from any step on, cut for devices and machines."""

from keras_pyconv.lazy import tf
from keras_pyconv.training.strategies import shard


def check_function(batches):
    """Refuses a data set, which cannot begin at a step."""
    if not callable(batches):
        raise ValueError(
            "`batches` is a function of a step to a tf.data.Dataset that "
            "begins with the batch of that step; of a data set of examples "
            "keras_pyconv.datasets.training_stream makes one. "
            f"Received: {batches}"
        )


def from_step(batches, step, last):
    """A data set that begins with the batch of that step.

    Args:
        batches: function of a step to a `tf.data.Dataset`.
        step, last: ints; batches up to, and without, `last` will be read.

    Raises:
        ValueError: the data set is known to end before.
    """
    dataset = batches(step)
    known = int(dataset.cardinality())
    if 0 <= known < last - step:
        raise ValueError(
            f"batches({step}) ends after {known} batches, where {last - step} "
            "are needed. It must be endless and begin with the batch of the "
            "step that is asked for, counted from the beginning of the run."
        )
    return dataset.prefetch(2)


def check_batch(element_spec, strategy, machines):
    """Refuses batches that cannot be cut into equal parts for the devices."""
    parts = local_replicas(strategy, machines)
    if strategy.num_replicas_in_sync == 1:
        return
    shapes = [spec.shape for spec in tf.nest.flatten(element_spec)]
    if any(shape.rank in (None, 0) or not shape[0] for shape in shapes):
        raise ValueError(
            "Every batch must have the same known size: batch the data with "
            f"drop_remainder=True. Received: {element_spec}"
        )
    for size in sorted({shape[0] for shape in shapes}):
        refuse_uneven(size, parts, f"{parts} devices")


def refuse_uneven(size, parts, said):
    """Raises where a batch cannot be cut into equal parts."""
    if size % parts:
        below, above = size - size % parts, size - size % parts + parts
        legal = f"{below} or {above}" if below else f"{above}"
        raise ValueError(
            f"A batch of {size} cannot be cut into {parts} equal parts "
            f"({said}). The nearest sizes that can: {legal}."
        )


def local_replicas(strategy, machines):
    """How many devices of this machine the strategy uses."""
    return strategy.num_replicas_in_sync // machines


def distributed(dataset, strategy, machines):
    """This machine's batches, cut for its devices and brought to them."""
    parts = local_replicas(strategy, machines)

    def cut(*batch):
        return tf.data.Dataset.from_tensor_slices(
            tf.nest.map_structure(
                lambda t: tf.reshape(t, (parts, -1, *t.shape[1:])), batch
            )
        )

    if parts > 1:
        dataset = dataset.flat_map(cut)
    if dataset.cardinality() < 0:
        # Else the machines ask each other before every step who has data.
        endless = tf.data.experimental.assert_cardinality(
            tf.data.INFINITE_CARDINALITY
        )
        dataset = dataset.apply(endless)
    dataset = dataset.prefetch(2 * parts)
    brought = strategy.distribute_datasets_from_function(lambda _: dataset)
    # What Keras calls for `class_weight`.
    brought.map = _refuse_map
    return brought


def _refuse_map(*_, **__):
    raise ValueError(
        "`class_weight` is for one machine. On several give weights with the "
        "examples: batches of (inputs, targets, weights)."
    )


def validation_data(batches, batch_size, strategy):
    """What `fit` takes as `validation_data`, on any devices and machines.

    Examples of weight 0 that fill up the last batch are taken off again, as
    far as the devices have equal parts: Keras would count them in the mean of
    the loss. Its metrics count weights where they are `weighted_metrics`.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            of (inputs, targets) or (inputs, targets, weights), with as many
            batches for every shard, as `datasets.evaluation_pictures` and
            `datasets.central_crops` make it.
        batch_size: examples in a batch of all machines together.
        strategy: the model's.

    Example:

    ```python
    import functools
    from keras_pyconv import datasets, training

    photos = datasets.picture_set("photos", "validation")
    batches = functools.partial(datasets.evaluation_pictures, photos)
    strategy = training.make_strategy()
    validation = training.validation_data(batches, 256, strategy)
    ```
    """
    index, machines = shard(strategy)
    parts = local_replicas(strategy, machines)
    # Rounded up to what every device can have an equal part of.
    own = -(-batch_size // (machines * parts)) * parts
    dataset = batches(batch_size=own, shard=(index, machines))
    if len(dataset.element_spec) == 3:
        dataset = dataset.map(lambda *batch: _without_filling(batch, parts))
    if machines > 1:
        return distributed(dataset, strategy, machines)
    return dataset


def _without_filling(batch, parts):
    valid = tf.math.count_nonzero(batch[2], dtype=tf.int32)
    kept = tf.maximum(-(-valid // parts), 1) * parts
    return tf.nest.map_structure(lambda t: t[:kept], batch)
