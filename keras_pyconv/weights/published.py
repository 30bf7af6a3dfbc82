"""Published weights in a network of another head or other channels.

The fact a reader would get wrong: nothing but the classifier and the stem's
kernel ever gives way. All else must fit by name and shape, or nothing loads.
"""

import logging
from functools import partial

import keras
import numpy as np

from keras_pyconv.weights.catalog import get_published
from keras_pyconv.weights.files import fetch
from keras_pyconv.weights.sources import REAL
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_names import (
    check_fit,
    from_torch,
    torch_names,
)

_LOG = logging.getLogger("keras_pyconv")
# The authors' names of what depends on the classes, and of the stem.
_HEADS = ("fc.", "cls.1.", "aux.4.")
_STEMS = ("conv1.weight", "layer0.0.weight")


def adapt_stem(kernel, channels: int):
    """A stem's kernel for another number of channels.

    Every channel gets the sum over the old channels, divided by the number
    of new ones. So pictures whose channels are all alike give what they gave:
    for one channel the kernel is the sum over red, green and blue.

    Args:
        kernel: Array `(filters, old channels, height, width)`.
        channels: Number of new channels.

    Returns:
        Array `(filters, channels, height, width)`.
    """
    summed = kernel.sum(axis=1, keepdims=True) / channels
    return np.repeat(summed, channels, axis=1)


def _torch_values(model):
    """The model's variables in the authors' names, with a view in theirs."""
    names = torch_names(model)
    return {
        names[variable.path]: variable
        for variable in model.variables
        if variable.path in names
    }


def _as_torch(variable):
    array = keras.ops.convert_to_numpy(variable)
    return array if array.ndim < 2 else np.moveaxis(array, (-1, -2), (0, 1))


def fit_to(model: keras.Model, arrays, new_head: bool = False) -> dict:
    """Arrays of the authors' names whose ends fit the model.

    Where the model has another number of classes its classifier keeps the
    weights that it has, and where it has other channels than the stem of the
    arrays, `adapt_stem` makes them. Each says so in a line of the log.

    Args:
        model: Made by a builder of `keras_pyconv`.
        arrays: From the authors' names to arrays.
        new_head: Whether the classifier keeps its weights whatever its
            classes.

    Returns:
        The arrays, for `from_torch`.
    """
    arrays = dict(arrays)
    variables = _torch_values(model)
    anew = set()
    for name, variable in variables.items():
        if name not in arrays:
            continue
        array, own = arrays[name], _as_torch(variable)
        if array.ndim != own.ndim or array.dtype.kind not in REAL:
            # `from_torch` will say so.
            continue
        is_head = name.startswith(_HEADS)
        if array.shape == own.shape and not (new_head and is_head):
            continue
        if is_head:
            arrays[name] = own
            anew.add((len(own), len(array)))
        elif name in _STEMS and array.shape[:1] == own.shape[:1]:
            arrays[name] = adapt_stem(array, own.shape[1])
            _LOG.warning(
                "%s: the stem reads %d channels instead of %d; each gets the "
                "sum of the old kernels, divided by their number.",
                *(model.name, own.shape[1], array.shape[1]),
            )
    for own, theirs in sorted(anew):
        _LOG.warning(
            "%s: the classifier of %d classes in place of that of %d starts "
            "anew; all else has the weights of the file.",
            *(model.name, own, theirs),
        )
    return arrays


def load_fitting(
    model: keras.Model, path, new_head: bool = False
) -> keras.Model:
    """Loads a checkpoint of a network of other classes or channels.

    Args:
        model: Made by a builder of `keras_pyconv`.
        path: Of a file, as `read_arrays` takes it.
        new_head: As in `fit_to`.

    Returns:
        The model.

    Raises:
        as `from_torch`.
    """
    arrays = read_arrays(path, partial(check_fit, model, free=_HEADS + _STEMS))
    return from_torch(model, fit_to(model, arrays, new_head))


def load_published(
    model: keras.Model, variant: str, set_name: str
) -> keras.Model:
    """Loads published weights; downloads them where the cache has none.

    Args:
        model: Made by a builder of `keras_pyconv`, of any number of classes
            and channels.
        variant: Name of its record.
        set_name: A name of `keras_pyconv.weights.published_sets(variant)`.

    Returns:
        The model.

    Raises:
        ConnectionError, ImportError, ValueError: as `files.fetch`, and
            ValueError for a name that is not known.
    """
    return load_fitting(model, fetch(get_published(variant, set_name)))
