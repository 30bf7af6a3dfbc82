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


def _fits(array, variable):
    shape, name = tuple(array.shape), array.dtype.name
    if name == variable.dtype:
        return shape == tuple(variable.shape)
    # bfloat16 is kept as its two bytes.
    return name == "uint8" and shape == (*variable.shape, 2)
