"""Exponential moving average of the weights, for evaluation.

Unlike with Keras's `SwapEMAWeights` the statistics of batch normalization are
averaged too, the factor is at most (1 + t) / (10 + t) after t steps, and an
evaluation leaves the weights as they were, where Keras's swap rounds.
"""

import keras

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.runs import per_device


def _move(average, weight, factor):
    kept = tf.cast(factor, average.dtype)
    average.assign(kept * average + (1 - kept) * weight)


def _exchange(average, weight):
    kept = tf.identity(weight)
    weight.assign(average)
    average.assign(kept)


class WeightAverage(keras.callbacks.Callback):
    """Exponential moving average of all floating-point weights of a model.

    The model has the average from the validation of an epoch (or the end of
    the epoch) to the start of the next one, and at the end of training; so
    `ModelCheckpoint` and `EarlyStopping` keep the weights that were evaluated.

    Args:
        decay: float between 0 and 1, such as 0.9999.
    """

    place = 0  # before the callbacks that read weights
    reads_logs = False

    def __init__(self, decay: float):
        super().__init__()
        if not arguments.is_number(decay, 0, 1) or decay in (0, 1):
            arguments.refuse("decay", decay, "between 0 and 1")
        self.decay, self.steps, self.in_place = float(decay), 0, False

    def set_model(self, model):
        super().set_model(model)
        self._weights = [w for w in model.weights if "float" in w.dtype]
        with model.distribute_strategy.scope():
            self._averages = [
                keras.Variable(w.numpy(), False, w.dtype) for w in self._weights
            ]
        self._on_each = tf.function(self._on_each, autograph=False)

    def _on_each(self, function, *args):
        """Calls it with an average and its weight, on every device."""
        extended = self.model.distribute_strategy.extended
        for average, weight in zip(self._averages, self._weights):
            args_ = (weight.value, *args)
            extended.update(average.value, function, args_, group=False)

    def on_train_batch_end(self, batch, logs=None):
        factor = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self._on_each(_move, tf.constant(factor, "float32"))
        self.steps += 1

    def _put(self, in_place):
        """Exchanges weights and averages, unless they are so already."""
        if self.in_place != in_place:
            self._on_each(_exchange)
            self.in_place = in_place

    def on_epoch_begin(self, epoch, logs=None):
        self._put(False)

    def on_test_begin(self, logs=None):
        self._put(True)

    def on_epoch_end(self, epoch, logs=None):
        self._put(True)

    def get_state(self):
        strategy = self.model.distribute_strategy
        averages = per_device.read(self._averages, strategy)
        return averages, self.steps, self.in_place

    def set_state(self, state):
        averages, self.steps, self.in_place = state
        strategy = self.model.distribute_strategy
        per_device.assign(self._averages, averages, strategy)
