"""All that a run is made of at one step, as arrays and a record.

The fact a reader would get wrong: besides the weights and the optimizer's
velocities these are the seeds of dropout and the like, the sums behind the
epoch's loss and accuracy, the averaged weights, and the states of Python's and
NumPy's own generators. TensorFlow's stateful random operations have a state
that cannot be read; Keras's layers do not use them.
"""

import math
import random

import keras
import numpy as np

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


class State:
    """The variables of a model in training, by the name of their file entry.

    Args:
        model: a compiled model, its optimizer and metrics built.
        average: `WeightAverage`, or None.
    """

    def __init__(self, model, average=None):
        groups = {
            "model": _unique(model.variables),
            "optimizer": _unique(model.optimizer.variables),
            "metrics": _unique(model.metrics_variables),
            "average": average.variables if average else [],
        }
        self.name = model.name
        self._variables = {
            f"{group}/{number:04d}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }

    def size_bytes(self):
        """About what a checkpoint takes on the disk."""
        return sum(
            math.prod(variable.shape) * 4
            for variable in self._variables.values()
        )

    def read(self):
        """`(arrays, record)` of the present state."""
        arrays = {
            name: keras.ops.convert_to_numpy(variable)
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
            for g in ("model", "optimizer", "metrics", "average")
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
        for name, variable in self._variables.items():
            array = arrays[name]
            if array.dtype.name != variable.dtype:
                array = array.view(variable.dtype)[..., 0]
            variable.assign(array)
        _restore_generators(record["generators"])


def _count_not_finite(array):
    """How many values are NaN or infinite; text is neither."""
    if array.dtype.kind in "OSU":
        return 0
    return int(array.size - np.count_nonzero(np.isfinite(array)))


def _fits(array, variable):
    shape, name = tuple(array.shape), array.dtype.name
    if name == variable.dtype:
        return shape == tuple(variable.shape)
    # bfloat16 is kept as its two bytes.
    return name == "uint8" and shape == (*variable.shape, 2)
