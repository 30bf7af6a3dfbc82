"""Exponential moving average of the weights, for evaluation.

The fact a reader would get wrong: the moving statistics of batch
normalization are averaged too, so that they fit the averaged weights, and the
average starts quickly: after t steps its factor is at most (1 + t) / (10 + t).
"""

import contextlib

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class WeightAverage:
    """Averages of all floating-point weights of a model.

    Args:
        model: a built model; make the average inside the strategy's scope.
        decay: float between 0 and 1, such as 0.9999.
    """

    def __init__(self, model, decay):
        if not 0 < decay < 1:
            raise ValueError(
                f"The average's decay is between 0 and 1. Received: ema={decay}"
            )
        self.decay = float(decay)
        self._strategy = model.distribute_strategy
        self._weights = [w for w in model.weights if "float" in w.dtype]
        self.variables = [
            keras.Variable(
                keras.ops.convert_to_numpy(weight),
                dtype=weight.dtype,
                trainable=False,
                name=f"average_{number}",
            )
            for number, weight in enumerate(self._weights)
        ]

    def update(self, step):
        """Moves the averages towards the weights after step number `step`.

        Called in the cross-replica context, as part of the step's graph.
        """
        step = tf.cast(step, "float32")
        factor = tf.minimum(self.decay, (1 + step) / (10 + step))
        extended = self._strategy.extended

        def move(average, weight, factor):
            kept = tf.cast(factor, average.dtype)
            average.assign(kept * average + (1 - kept) * weight)

        for average, weight in zip(self.variables, self._weights):
            extended.update(
                average.value, move, args=(weight.value, factor), group=False
            )

    def _swap(self):
        for average, weight in zip(self.variables, self._weights):
            kept = keras.ops.convert_to_numpy(weight)
            weight.assign(keras.ops.convert_to_numpy(average))
            average.assign(kept)

    @contextlib.contextmanager
    def in_place(self):
        """Within this the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def take_over(self):
        """Gives the model the averaged weights for good."""
        for average, weight in zip(self.variables, self._weights):
            weight.assign(keras.ops.convert_to_numpy(average))
