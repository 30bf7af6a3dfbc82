"""All that a model in training is made of at one step, as arrays.

The fact a reader would get wrong: these are also the seeds of dropout, the sums
behind the epoch's figures, and the states of Python's and NumPy's generators.
That of TensorFlow's stateful operations, which Keras's layers do not use,
cannot be read.
"""

import itertools
import math
import random

import keras
import numpy as np

from keras_pyconv.lazy import tf
from keras_pyconv.runs import per_device

SHOWN = 3  # variables that a message names


class _Symbolically(keras.Operation):
    """Runs a function on symbols, which only makes variables."""

    def __init__(self, function):
        super().__init__()
        self.call = function


def build(model, element_spec):
    """Makes all variables, which a step could not within a strategy."""

    def compute(data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = model(x, training=True)
        # A loss of the model's own may need the other replicas.
        if type(model).compute_loss is keras.Model.compute_loss:
            model.compute_loss(x, y, y_pred, weight, training=True)
        model.compute_metrics(x, y, y_pred, weight)
        return y_pred

    symbols = tf.nest.map_structure(
        lambda spec: keras.KerasTensor(spec.shape, spec.dtype.name),
        element_spec,
    )
    _check_scope(model)
    with model.distribute_strategy.scope():
        _Symbolically(compute)(symbols)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    _check_scope(model)


def _unique(variables):
    return list({id(variable): variable for variable in variables}.values())


def _groups(model):
    """The variables by what they belong to."""
    return {
        "model": _unique(model.variables),
        "optimizer": _unique(model.optimizer.variables),
        "metrics": _unique(model.metrics_variables),
    }


def _check_scope(model):
    """Refuses variables that several devices would share without order."""
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return
    for variable in itertools.chain(*_groups(model).values()):
        if not isinstance(variable.value, tf.distribute.DistributedValues):
            raise ValueError(
                f"The variable {variable.path} was created outside of "
                "strategy.scope(). Create the layers, the optimizer and the "
                "metrics of a model within it."
            )


class State:
    """What `fit` changes of a compiled model that is built, and around it."""

    def __init__(self, model):
        self._model = model
        self._groups, self._strategy = _groups(model), model.distribute_strategy
        self._apart = _unique(
            [*model.non_trainable_variables, *model.metrics_variables]
        )

    def size_bytes(self):
        """About what a checkpoint takes on the disk."""
        every = itertools.chain(*self._groups.values())
        return sum(4 * math.prod(variable.shape) for variable in every)

    def read(self):
        """Lists of arrays by `model`, `optimizer`, `metrics`; `generators`."""
        apart = per_device.read(self._apart, self._strategy)
        apart = dict(zip(map(id, self._apart), apart))

        def array(variable):
            if id(variable) in apart:
                return apart[id(variable)]
            return keras.ops.convert_to_numpy(variable)

        state = {n: list(map(array, g)) for n, g in self._groups.items()}
        state["generators"] = random.getstate(), np.random.get_state()
        return state

    def restore(self, state):
        """Takes over what `read` gave, in this process or another."""
        pairs = {id(pair[0]): pair for pair in self._pairs(state)}
        arrays = [pairs.pop(id(variable))[1] for variable in self._apart]
        per_device.assign(self._apart, arrays, self._strategy)
        for variable, array in pairs.values():
            variable.assign(array)
        python, numpy = state["generators"]
        random.setstate(python)
        np.random.set_state(numpy)

    def _pairs(self, state, names=("model", "optimizer", "metrics")):
        """Every variable with its array."""
        return [
            pair
            for name in names
            for pair in zip(self._groups[name], state[name], strict=True)
        ]

    def check_loss(self, step):
        """Refuses to go on where the loss is no number."""
        loss = float(self._model.get_metrics_result().get("loss", 0.0))
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} at step {step}. Nothing is saved; the "
                "same command resumes from the last checkpoint. A lower "
                "learning rate, a longer warm-up or another precision may "
                "help."
            )

    def check_finite(self, state, step):
        """Refuses to keep what nobody could go on from; figures may be NaN."""
        pairs = self._pairs(state, ("model", "optimizer"))
        wrong = [
            f"{variable.path} ({count} of {array.size} values)"
            for variable, array in pairs
            if (count := _count_not_finite(array))
        ]
        if wrong:
            more = f" and {len(wrong) - SHOWN} more" * (len(wrong) > SHOWN)
            raise FloatingPointError(
                f"NaN or infinity at step {step} in {len(wrong)} of "
                f"{len(pairs)} variables: {', '.join(wrong[:SHOWN])}{more}. "
                "Nothing is saved; the same command resumes from the last "
                "checkpoint. Look for NaN in the data of the steps since "
                "then. Otherwise, a lower learning rate, a longer warm-up, "
                "clipped gradients or another precision may help."
            )

    def differences(self, state):
        """How a state that was read from a file does not fit, in words."""
        counts = [
            f"{len(state[name])} {name} variables there, {len(variables)} here"
            for name, variables in self._groups.items()
            if len(state[name]) != len(variables)
        ]
        return (
            counts
            or [
                f"{variable.path}: {array.shape} there, {variable.shape} here"
                for variable, array in self._pairs(state)
                if not _fits(variable, array)
            ][:5]
        )


def _count_not_finite(array):
    """How many values are NaN or infinite; text is neither."""
    if array.dtype.kind in "OSU":
        return 0
    return int(array.size - np.count_nonzero(np.isfinite(array)))


def _fits(variable, array):
    shape = tuple(variable.shape)
    # What differs between devices has an axis of them before its own.
    fits = shape in (array.shape, array.shape[1:])
    return fits and array.dtype.name == variable.dtype
