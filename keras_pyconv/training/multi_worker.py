"""Keras's `fit` on several machines, which Keras does not support.

Two things in its trainer fail there: the mean over the devices that makes the
logs, whose functions are public, and the look at the first batch that builds a
model, for which one private method is replaced; the model is built before.
"""

import keras

from keras_pyconv.lazy import tf

PRIVATE = "_maybe_symbolic_build"
STOP = "machines that want to stop"


def _check_agreement(strategy, step):
    mine = strategy.run(lambda: tf.constant(step, "float64"))
    mean = float(strategy.reduce("MEAN", mine, axis=None))
    if mean != step:
        raise ValueError(
            f"This machine starts at step {step}, others at another step. All "
            "machines need the same shared folder."
        )


class _OneStep:
    """What `fit` calls as `train_function`, and as `test_function`."""

    def __init__(self, model, step, stopping):
        strategy = model.distribute_strategy
        self._stopping, self.wants_to_stop = stopping, False

        def everywhere(data, asked):
            def replica(data):
                return {**step(data), STOP: asked}

            return {
                name: strategy.reduce("MEAN", value, axis=None)
                for name, value in strategy.run(replica, args=(data,)).items()
            }

        self._everywhere = tf.function(everywhere, autograph=False)

    def __call__(self, batches):
        asked = tf.constant(self._stopping.signal is not None, "float32")
        logs = self._everywhere(next(batches), asked)
        # All machines stop after the same step.
        self.wants_to_stop = float(logs.pop(STOP)) > 0
        return logs


def adapt(model, stopping, step):
    """Makes `fit` and `evaluate` of a built model work on several machines."""
    if not callable(getattr(model, PRIVATE, None)):
        raise RuntimeError(
            f"Keras {keras.__version__} has no keras.Model.{PRIVATE}, which "
            "training on several machines replaces. Use Keras 3.15, or train "
            "on one machine."
        )
    _check_agreement(model.distribute_strategy, step)
    setattr(model, PRIVATE, lambda *_, **__: None)
    model.train_function = _OneStep(model, model.train_step, stopping)
    model.test_function = _OneStep(model, model.test_step, stopping)
