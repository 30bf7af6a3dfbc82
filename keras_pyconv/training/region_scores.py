"""Mean IoU of a segmentation network while it trains, on all its devices.

The fact a reader would get wrong: every device counts its own part of the
pixels, and IoU is taken of the summed counts; the mean of the devices' IoUs
would be another number.
"""

import keras
import numpy as np

from keras_pyconv.tasks.segmentation import (
    confusion_counts,
    mean_iou,
    pixel_accuracy,
)
from keras_pyconv.training import steps
from keras_pyconv.training.strategies import shard

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class RegionScores:
    """Called with a model, gives its pixel accuracy and mean IoU.

    The graph is kept from one call to the next.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            of (pictures, labels) with as many batches for every shard, as
            `datasets.central_crops` makes it.
        batch_size: pictures in a batch of all machines together.
        classes: how many there are.

    Example:

    ```python
    masks = keras_pyconv.datasets.mask_set("ade20k", "validation")
    evaluate = RegionScores(functools.partial(central_crops, masks), 16, 150)
    keras_pyconv.training.fit(model, ..., evaluate=evaluate)
    ```
    """

    def __init__(self, batches, batch_size, classes):
        self._batches, self._batch_size = batches, batch_size
        self._classes = classes
        self._model, self._counts = None, None

    def __call__(self, model):
        if model is not self._model:
            self._model = model
            self._counts = _counter(model, self._classes)
        strategy = model.distribute_strategy
        index, machines = shard(strategy)
        parts = steps.local_replicas(strategy, machines)
        # Rounded up to what every device can have an equal part of.
        own = -(-self._batch_size // (machines * parts)) * parts
        dataset = self._batches(batch_size=own, shard=(index, machines))
        number = int(dataset.cardinality())
        batches = iter(steps.distributed(dataset, strategy, machines))
        matrix = np.zeros((self._classes, self._classes), "int64")
        for _ in range(number):
            matrix += self._counts(next(batches)).numpy()
        return {
            "pixel_accuracy": pixel_accuracy(matrix),
            "mean_iou": mean_iou(matrix),
        }


def _counter(model, classes):
    """A graph from a batch to the confusion matrix of all devices."""
    strategy = model.distribute_strategy

    def one(batch):
        pictures, labels = batch
        return confusion_counts(
            labels, model(pictures, training=False), classes
        )

    @tf.function(autograph=False)
    def counts(batch):
        values = strategy.run(one, args=(batch,))
        return strategy.reduce("SUM", values, axis=None)

    return counts
