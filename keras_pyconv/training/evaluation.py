"""Counting a classifier's errors while it trains, on all its devices.

The fact a reader would get wrong: every device and machine counts its own
part of the pictures, and the last part is filled up with pictures of weight
0; so the figures are those of one device, to the last picture.
"""

import keras
import numpy as np

from keras_pyconv.tasks import error_rates
from keras_pyconv.training import steps
from keras_pyconv.training.strategies import shard

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class ErrorRates:
    """Called with a model, gives its top-1 and top-5 error.

    The graph is kept from one call to the next.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            of (pictures, labels, weights) with as many batches for every
            shard, as `datasets.evaluation_pictures` makes it.
        batch_size: pictures in a batch of all machines together.

    Example:

    ```python
    pictures = keras_pyconv.datasets.picture_set("imagenet2012", "validation")
    evaluate = ErrorRates(
        functools.partial(evaluation_pictures, pictures), batch_size=256
    )
    keras_pyconv.training.fit(model, ..., evaluate=evaluate)
    ```
    """

    def __init__(self, batches, batch_size):
        self._batches, self._batch_size = batches, batch_size
        self._model, self._counts = None, None

    def __call__(self, model):
        if model is not self._model:
            self._model, self._counts = model, _counter(model)
        strategy = model.distribute_strategy
        index, machines = shard(strategy)
        parts = steps.local_replicas(strategy, machines)
        # Rounded up to what every device can have an equal part of.
        own = -(-self._batch_size // (machines * parts)) * parts
        dataset = self._batches(batch_size=own, shard=(index, machines))
        number = int(dataset.cardinality())
        batches = iter(steps.distributed(dataset, strategy, machines))
        totals = np.zeros(1 + len(error_rates.RANKS))
        for _ in range(number):
            totals += self._counts(next(batches)).numpy()
        count, *hits = (float(total) for total in totals)
        return {
            name: 1 - right / count
            for name, right in zip(error_rates.names(), hits)
        }


def _counter(model):
    """A graph from a batch to the numbers of pictures and of hits."""
    strategy = model.distribute_strategy

    def one(batch):
        pictures, labels, weights = batch
        scores = model(pictures, training=False)
        hits = tf.cast(error_rates.hits(scores, labels), tf.float32)
        columns = tf.concat([tf.ones_like(hits[:, :1]), hits], axis=1)
        return tf.reduce_sum(weights[:, tf.newaxis] * columns, axis=0)

    @tf.function(autograph=False)
    def counts(batch):
        values = strategy.run(one, args=(batch,))
        return strategy.reduce("SUM", values, axis=None)

    return counts
