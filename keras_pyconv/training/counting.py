"""Counting over a whole set while a model trains, on all its devices.

The fact a reader would get wrong: every device and machine counts its own part
of the examples, and figures are taken of the summed counts; the mean of the
devices' figures would be another number.
"""

import abc

from keras_pyconv.lazy import tf
from keras_pyconv.training import data
from keras_pyconv.training.strategies import shard


class Counting(abc.ABC):
    """Called with a model, gives the figures of what it counted.

    The graph is kept from one call to the next.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            with as many batches for every shard.
        batch_size: examples in a batch of all machines together.
    """

    def __init__(self, batches, batch_size):
        self._batches, self._batch_size = batches, batch_size
        self._model, self._counts = None, None

    @abc.abstractmethod
    def count(self, model, batch):
        """A tensor of counts of a batch, to be summed."""

    @abc.abstractmethod
    def figures(self, totals) -> dict:
        """The figures by name, of the summed counts as an array."""

    def __call__(self, model):
        strategy = model.distribute_strategy
        if model is not self._model:
            self._model, self._counts = model, self._graph(model, strategy)
        index, machines = shard(strategy)
        parts = data.local_replicas(strategy, machines)
        # Rounded up to what every device can have an equal part of.
        own = -(-self._batch_size // (machines * parts)) * parts
        dataset = self._batches(batch_size=own, shard=(index, machines))
        number = int(dataset.cardinality())
        batches = iter(data.distributed(dataset, strategy, machines))
        counts = (self._counts(next(batches)).numpy() for _ in range(number))
        return self.figures(sum(counts))

    def _graph(self, model, strategy):
        def one(batch):
            return self.count(model, batch)

        @tf.function(autograph=False)
        def counts(batch):
            values = strategy.run(one, args=(batch,))
            return strategy.reduce("SUM", values, axis=None)

        return counts
