"""All that a run is made of at one step, as arrays and a record.

The fact a reader would get wrong: besides the weights and the optimizer's
velocities these are the seeds of dropout and the like, the sums behind the
epoch's loss and accuracy, the averaged weights, and the states of Python's and
NumPy's own generators. TensorFlow's stateful random operations have a state
that cannot be read; Keras's layers do not use them.
"""

import itertools
import math
import random

import keras
import numpy as np

from keras_pyconv.lazy import tf
from keras_pyconv.training.per_device import PerDevice

SHOWN = 3  # variables that a message names


def _unique(variables):
    return list({id(variable): variable for variable in variables}.values())


def _generators():
    version, numbers, gauss = random.getstate()
    name, words, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, words.tolist(), position, has_gauss, cached],
    }


def _restore_generators(record):
    version, numbers, gauss = record["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, words, *rest = record["numpy"]
    np.random.set_state((name, np.array(words, "uint32"), *rest))


class _Symbolically(keras.Operation):
    """Runs a function on symbols, which only makes variables."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, data):
        return self.function(data)


def build(model, element_spec):
    """Makes the variables of the optimizer and the metrics.

    In a strategy's scope they cannot be made while a step is traced, and a
    step that makes variables is traced twice.
    """

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


def _check_scope(model):
    """Refuses variables that several devices would share without order."""
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return
    groups = model.variables, model.optimizer.variables, model.metrics_variables
    for variable in itertools.chain(*groups):
        if not isinstance(variable.value, tf.distribute.DistributedValues):
            raise ValueError(
                f"The variable {variable.path} was made outside of "
                "strategy.scope(). Make the layers, the optimizer and the "
                "metrics of a model within it."
            )


class State:
    """The variables of a model in training, by the name of their file entry.

    Args:
        model: a compiled model, its optimizer and metrics built.
    """

    def __init__(self, model):
        groups = {
            "model": _unique(model.variables),
            "optimizer": _unique(model.optimizer.variables),
            "metrics": _unique(model.metrics_variables),
        }
        self.name = model.name
        self._variables = {
            f"{group}/{number:04d}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }
        apart = [*model.non_trainable_variables, *model.metrics_variables]
        self._per_device = PerDevice(_unique(apart), model.distribute_strategy)

    def size_bytes(self):
        """About what a checkpoint takes on the disk."""
        return sum(
            math.prod(variable.shape) * 4
            for variable in self._variables.values()
        )

    def read(self):
        """`(arrays, record)` of the present state."""
        apart = self._per_device.read()
        arrays = {
            name: (
                apart[id(variable)]
                if id(variable) in apart
                else keras.ops.convert_to_numpy(variable)
            )
            for name, variable in self._variables.items()
        }
        record = {"model": self.name, "generators": _generators()}
        return arrays, record

    def check_finite(self, arrays, step):
        """Refuses to keep a state from which nobody could go on.

        The sums of metrics are left out: they begin anew with every epoch, and
        a figure may be NaN where there was nothing to count.

        Args:
            arrays: what `read` gave.
            step: int, for the message.

        Raises:
            FloatingPointError: a variable of the model, its average or the
                optimizer holds NaN or infinity; the message names some.
        """
        wrong = [
            f"{self._variables[name].path} ({count} of {array.size} values)"
            for name, array in arrays.items()
            if name in self._variables
            and not name.startswith("metrics/")
            and (count := _count_not_finite(array))
        ]
        if wrong:
            more = f" and {len(wrong) - SHOWN} more" * (len(wrong) > SHOWN)
            raise FloatingPointError(
                f"NaN or infinity at step {step} in {len(wrong)} of "
                f"{len(self._variables)} variables: "
                f"{', '.join(wrong[:SHOWN])}{more}. Nothing is saved, so the "
                "checkpoints before it stay, and the same command goes on "
                "from the last one. Look for NaN in the data of the steps "
                "since then; else a lower rate, a longer warm-up, gradients "
                "clipped by their norm or another precision may help."
            )

    def differences(self, arrays):
        """How arrays read from a file do not fit, in words."""
        mine = self._variables
        counts = [
            f"{sum(n.startswith(g) for n in arrays)} {g} variables there, "
            f"{sum(n.startswith(g) for n in mine)} here"
            for g in ("model", "optimizer", "metrics")
            if sum(n.startswith(g) for n in arrays)
            != sum(n.startswith(g) for n in mine)
        ]
        if counts:
            return counts
        return [
            f"{variable.path}: {tuple(arrays[name].shape)} there, "
            f"{tuple(variable.shape)} here"
            for name, variable in mine.items()
            if not _fits(arrays[name], variable)
        ][:5]

    def restore(self, arrays, record):
        """Takes over what `read` gave, in this process or another."""
        apart = {}
        for name, variable in self._variables.items():
            array = _typed(arrays[name], variable)
            if self._per_device.has(variable):
                apart[id(variable)] = array
            else:
                variable.assign(array)
        self._per_device.assign(apart)
        _restore_generators(record["generators"])


def _count_not_finite(array):
    """How many values are NaN or infinite; text is neither."""
    if array.dtype.kind in "OSU":
        return 0
    return int(array.size - np.count_nonzero(np.isfinite(array)))


def _typed(array, variable):
    # bfloat16 is kept as its two bytes.
    if array.dtype.name == "uint8" != variable.dtype:
        return array.view(variable.dtype)[..., 0]
    return array


def _fits(array, variable):
    array, shape = _typed(array, variable), tuple(variable.shape)
    # What differs between devices has an axis of them before its own.
    fits = shape in (array.shape, array.shape[1:])
    return fits and array.dtype.name == variable.dtype
