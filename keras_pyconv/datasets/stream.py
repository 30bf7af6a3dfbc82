"""Batches whose every element follows from a seed and a number.

So a run that is resumed, or split over more workers, sees the same images.
Examples are skipped before they are decoded: keep what is expensive in
`prepare`, not in `examples`.
"""

import os
from collections.abc import Callable
from typing import Any, cast

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.typing import Batches, Shard, Tensor

# tf.data.AUTOTUNE, of a TensorFlow that is not loaded yet.
_PARALLEL = {"num_parallel_calls": -1, "deterministic": True}
_MOST = 2**63 - 1
# What the seed of an epoch is for; no two uses draw alike.
_ORDER, _EXAMPLE, _BATCH = range(3)


def training_stream(
    examples: Callable[[Tensor], "tf.data.Dataset"],
    count: int,
    prepare: Callable[..., Any],
    *,
    batch_size: int,
    seed: int,
    shuffle_buffer: int | None = 16384,
    shard: Shard = (0, 1),
    batch_map: Callable[..., Any] | None = None,
    substitute: Callable[..., Any] | None = None,
    digest: str | None = None,
    recorded: dict[str, Any] | None = None,
) -> Batches:
    """Shuffled, prepared, endless batches that can begin at any step.

    Each epoch is `count // batch_size` batches of the shuffled examples; the
    few that are left over in one epoch are dropped, in every epoch others.

    Args:
        examples: function of the epoch, an int64 scalar tensor (it is traced
            once), to a `tf.data.Dataset` of undecoded examples, whose order
            must follow from the epoch alone.
        count: how many examples an epoch has. Fewer is an error when the
            stream gets there.
        prepare: function (example, seed) to (inputs, targets), of fixed
            shapes; `seed` is an int64 tensor of shape (2,) for
            `tf.random.stateless_*`. Called for this worker's examples only, on
            many threads.
        batch_size: examples in a batch of all workers together.
        seed: an integer; with the epoch it decides the order, with the place
            in the epoch the seed of an example.
        shuffle_buffer: how many undecoded examples to shuffle among; None
            leaves the order of `examples`.
        shard: `(index, workers)`. Worker `index` gets the part of every batch
            that begins at `index * batch_size / workers`.
        batch_map: function (inputs, targets, seed) to the same, on this
            worker's part of a batch, with one seed for the whole batch. So
            that workers do not matter it must mix neighbours only.
        substitute: function (example, seed) to (inputs, targets), called
            where `prepare` fails, so that the example keeps its place; all
            others of its batch are prepared again. None lets the failure end
            the stream.
        digest: text that is another for other examples, or None.
        recorded: dictionary of what else makes other examples of the files.

    Returns:
        A function `batches(first_step=0)` to an endless `tf.data.Dataset`
        whose element n is the batch of step `first_step + n`. Its attributes
        are `steps_per_epoch`, `batch_size`, and `fingerprint`, a dictionary
        that a run keeps, to tell that examples are others.

    Raises:
        ValueError: no batch can be made with an argument, also of `batches`.
    """
    arguments.integer("shuffle_buffer", shuffle_buffer, 1, _MOST, True)
    arguments.function("examples", examples)
    arguments.function("prepare", prepare)
    arguments.function("batch_map", batch_map, optional=True)
    arguments.function("substitute", substitute, optional=True)
    arguments.text("digest", digest, optional=True)
    if recorded is not None:
        arguments.instance("recorded", recorded, dict)
    worker, workers = _checked_shard(count, batch_size, seed, shard)
    steps_per_epoch = count // batch_size
    part = batch_size // workers

    def epoch_of(epoch, first_step):
        order = _drawn(seed, epoch, _ORDER)
        dataset = _shuffled(examples, epoch, order, shuffle_buffer, count)
        used = steps_per_epoch * batch_size
        dataset = dataset.take(used).enumerate()
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(used))
        begun = epoch == first_step // steps_per_epoch
        skipped = tf.where(begun, first_step % steps_per_epoch, 0)
        return (
            dataset.skip(skipped * batch_size)
            .filter(lambda index, _: index % batch_size // part == worker)
            .map(lambda *element: (epoch, *element))
        )

    def prepared(function):
        def of_element(epoch, index, example):
            drawn = _drawn(seed, epoch, _EXAMPLE)
            return epoch, index, function(example, tf.stack([drawn, index]))

        return of_element

    def mapped(epoch, index, batch):
        if batch_map is None:
            return batch
        drawn = _drawn(seed, epoch[0], _BATCH)
        return batch_map(*batch, tf.stack([drawn, index[0] // batch_size]))

    def batches(first_step=0):
        first_step = arguments.integer("first_step", first_step, 0, _MOST)
        first = tf.constant(first_step, tf.int64)
        epochs = tf.data.Dataset.range(
            first_step // steps_per_epoch, tf.int64.max
        )
        dataset = epochs.flat_map(lambda epoch: epoch_of(epoch, first))
        functions = [prepared(f) for f in (prepare, substitute) if f]
        dataset = _batched(dataset, part, *functions)
        dataset = dataset.map(mapped, **_PARALLEL)
        return _sharded_already(dataset).prefetch(tf.data.AUTOTUNE)

    named = {} if digest is None else {"digest_of_names": digest}
    vars(batches).update(
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        fingerprint={"examples": int(count), **(recorded or {}), **named},
    )
    return cast(Batches, batches)


def _checked_shard(count, batch_size, seed, shard):
    arguments.integer("count", count, at_most=_MOST)
    arguments.integer("batch_size", batch_size, at_most=_MOST)
    arguments.integer("seed", seed, 0, _MOST)
    if batch_size > count:
        raise ValueError(
            f"An epoch of {count} examples has no full batch of {batch_size}; "
            f"the largest possible `batch_size` is {count}."
        )
    worker, workers = arguments.shard(shard)
    rule = f"a multiple of the {workers} workers; the nearest below is "
    rule += str(batch_size // workers * workers)
    arguments.check("batch_size", batch_size, batch_size % workers == 0, rule)
    return worker, workers


def _shuffled(examples, epoch, order, buffer, count):
    # Datasets mix their seed with that of the graph in which they are made;
    # without one they would take `tf.random.set_seed`'s.
    tf.compat.v1.set_random_seed(1)
    dataset = examples(epoch)
    if buffer is None:
        return dataset
    return dataset.shuffle(min(buffer, count), order, False)


def _drawn(seed, epoch, use):
    """An int64 scalar that is another for every epoch and use."""
    pair = tf.stack([tf.constant(seed, tf.int64), epoch])
    draws = tf.random.stateless_uniform(
        [3], pair, minval=None, maxval=None, dtype=tf.int64
    )
    return draws[use]


def apart(seed, use):
    """The seed of an example for one of its uses, numbered from 0."""
    return tf.random.experimental.stateless_fold_in(seed, use)


def evaluation_batches(dataset, count, batch_size, shard, filling=None):
    """Batches of one size of this worker's examples, as many for every worker.

    The last one is filled up, with zeros by default; `count` is of all workers.
    """
    batches = -(-count // (shard[1] * batch_size))
    if filling is None:
        zeros = (tf.zeros(s.shape, s.dtype) for s in dataset.element_spec)
        filling = tuple(zeros)
    endless = tf.data.Dataset.from_tensors(filling).repeat()
    dataset = dataset.concatenate(endless).take(batches * batch_size)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    return _sharded_already(dataset)


def _sharded_already(dataset):
    """A strategy must not shard again what is a worker's part."""
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options)


# Examples that fail ----------------------------------------------------------


def map_or_substitute(dataset, function, substitute=None):
    """`dataset.map(function)`; where that fails on an element, `substitute`."""
    if substitute is None:
        return dataset.map(function, **_PARALLEL)

    def first(*element):
        single = tf.data.Dataset.from_tensors(element)
        good = single.map(function).ignore_errors()
        return good.concatenate(single.map(substitute)).take(1)

    # Each gives one element, so the order is that of `dataset` whatever the
    # length of the cycle, which only bounds the number of threads.
    cycle = max(16, os.cpu_count() or 1)
    return dataset.interleave(
        first, cycle_length=cycle, block_length=1, **_PARALLEL
    )


def _batched(dataset, part, function, substitute=None):
    """Batches of `map_or_substitute` of an endless data set.

    To try an element and to catch its failure costs as much as a third of an
    image. So a batch is tried at once, and each element alone if that fails.
    """
    if substitute is None:
        dataset = map_or_substitute(dataset, function)
        return dataset.batch(part, drop_remainder=True)
    cores = os.cpu_count() or 1
    parallel = {**_PARALLEL, "num_parallel_calls": cores}

    def tried(*window):
        elements = tf.data.Dataset.zip(window)
        good = elements.map(function, **parallel)
        good = good.batch(part, drop_remainder=True).ignore_errors()
        each = map_or_substitute(elements, function, substitute)
        return good.concatenate(each.batch(part, drop_remainder=True)).take(1)

    windows = dataset.window(part, drop_remainder=True)
    # One more than the processors need, to go on while one ends.
    return windows.interleave(
        tried, cycle_length=1 - -cores // part, block_length=1, **_PARALLEL
    )
