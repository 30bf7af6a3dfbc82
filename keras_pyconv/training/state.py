"""All that a run is made of at one step, as arrays and a record.

The fact a reader would get wrong: besides the weights and the optimizer's
velocities these are the seeds of dropout and the like, the sums behind the
epoch's loss and accuracy, the averaged weights, and the states of Python's and
NumPy's own generators. TensorFlow's stateful random operations have a state
that cannot be read; Keras's layers do not use them.

And devices that train together do not agree on all of it: each sums the
metrics of its own examples, and moves the statistics of batch normalization
by its own batches. Such values are kept for every device, since their sum or
the first one's, given to all, is another state.
"""

import math
import random

import keras
import numpy as np

from keras_pyconv.training.strategies import shard

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


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
        self._strategy = model.distribute_strategy
        self._variables = {
            f"{group}/{number:04d}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }
        trained = {id(variable) for variable in model.trainable_variables}
        # The names of what every device has its own of.
        self._own = [
            name
            for name, variable in self._variables.items()
            if self._devices > 1
            and name.startswith(("metrics", "model"))
            and variable.dtype in ("float32", "float64")
            and id(variable) not in trained
        ]

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
        arrays |= self._of_every_device()
        record = {"model": self.name, "generators": _generators()}
        return arrays, record

    def _of_every_device(self):
        """The arrays of `_own`, with the devices as their first axis.

        Without what all have alike, as with synchronized normalization.
        """
        if not self._own:
            return {}
        variables = [self._variables[name] for name in self._own]
        values = self._strategy.run(
            lambda: [tf.expand_dims(v.value, 0) for v in variables]
        )
        gathered = [self._strategy.gather(value, axis=0) for value in values]
        return {
            name: array
            for name, array in zip(self._own, (g.numpy() for g in gathered))
            if self._is_sum(name) or (array != array[0]).any()
        }

    def _is_sum(self, name):
        return self._variables[name].aggregation == "sum"

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
            if array.ndim > len(variable.shape):
                self._give_devices(name, array)
            else:
                variable.assign(array)
        _restore_generators(record["generators"])

    def _give_devices(self, name, array):
        """Gives every device its own value; others divide up the sum."""
        variable = self._variables[name]
        if name not in self._own or len(array) != self._devices:
            total = array.sum(0) if self._is_sum(name) else array[0]
            variable.assign(total)
            return
        local = self._strategy.experimental_local_results(variable.value)
        first = shard(self._strategy)[0] * len(local)
        for one, value in zip(local, array[first:]):
            one.assign(value)

    @property
    def _devices(self):
        return self._strategy.num_replicas_in_sync


def _fits(array, variable):
    shape, name = tuple(array.shape), array.dtype.name
    if name == variable.dtype:
        # What every device has its own of has one axis more.
        return tuple(variable.shape) in (shape, shape[1:])
    # bfloat16 is kept as its two bytes.
    return name == "uint8" and shape == (*variable.shape, 2)
