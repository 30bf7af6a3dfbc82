"""The authors' parameter names for our variables, and strict loading by them.

Names follow from the layers' names alone (`networks.authors_names`).
"""

from functools import partial

import keras
import numpy as np

from keras_pyconv.networks.authors_names import (
    fits,
    has_no_names,
    is_segmenter,
    module_names,
    parameter_name,
    torch_shape,
)
from keras_pyconv.reading import plain, short
from keras_pyconv.weights.sources import REAL, is_finite
from keras_pyconv.weights.torch_files import read_arrays

# What a model may lack and a checkpoint have.
_OPTIONAL = {"classifier": "fc.", "segmenter": "aux."}
_IGNORED = ".num_batches_tracked"
_LISTED = 20


def _named_variables(model):
    """(authors' name, variable) for every variable that they have too."""
    layer_names = {layer.name for layer in model.layers}
    # Others share the name of the classifier, and no more.
    if "conv1_conv" not in layer_names:
        raise ValueError(
            f"Model {model.name!r} has no layer 'conv1_conv', as every network "
            "of the authors' has: it must be a residual network made by a "
            "builder of keras_pyconv. For InceptionResNetV2 see "
            "`keras_pyconv.weights.from_keras_applications`."
        )
    if has_no_names(layer_names):
        raise ValueError(
            f"Model {model.name!r} has the head of DeepLabv3, of which the "
            "authors' code has no network, so that its weights have no names."
        )
    modules = module_names(layer_names)
    return [
        (parameter_name(modules[layer.name], layer.name, v.name), v)
        for layer in model.layers
        if layer.name in modules
        for v in layer.variables
    ]


def torch_names(model: keras.Model) -> dict[str, str]:
    """The authors' parameter name for every variable's path.

    Example:

    >>> names = torch_names(keras_pyconv.PyConvResNet50())
    >>> names["conv2_block1_2_pyconv/kernel_3"]
    'layer1.0.conv2.conv2_3.weight'
    """
    return {variable.path: name for name, variable in _named_variables(model)}


def _keras_axes(array):
    """PyTorch's axes in Keras's order; the only place that moves them.

    Kernels: (out, in / groups, *spatial) -> (*spatial, in / groups, out).
    Matrices: (out, in) -> (in, out).
    """
    if array.ndim < 2:
        return array
    return np.moveaxis(array, (0, 1), (-1, -2))


def _fault(array, variable, free):
    """What is wrong with an array's shape or dtype for a variable, or None."""
    expected = torch_shape(variable.shape)
    free = free and len(array.shape) == len(expected)
    if not free and not fits(array.shape, expected):
        return f"shape {short(array.shape)}, expected {expected}"
    if array.dtype.kind not in REAL:
        return f"dtype {array.dtype}, expected real numbers"
    return None


def _listing(title, entries):
    if not entries:
        return ""
    shown_entries = [f"\n  {plain(one, 200)}" for one in entries[:_LISTED]]
    rest = len(entries) - len(shown_entries)
    lines = [f"\n{title} ({len(entries)}):", *shown_entries]
    return "".join(lines) + (f"\n  and {rest} more" if rest else "")


def _refuse(model, missing=(), left_over=(), unusable=()):
    if missing or left_over or unusable:
        raise ValueError(
            f"The weights do not fit model {model.name!r}; nothing was loaded."
            + _listing("Missing in the source", missing)
            + _listing("Left over in the source", left_over)
            + _listing("Unusable", unusable)
        )


def check_fit(model: keras.Model, arrays, free=()):
    """Refuses arrays that do not fit the model name by name.

    Args:
        model: made by a builder of `keras_pyconv`.
        arrays: from the authors' names to what has a `shape` and a `dtype`.
        free: How names begin whose arrays may have other sizes.

    Raises:
        ValueError: with lists of what is missing, left over and unusable.
    """
    pairs = _named_variables(model)
    segments = is_segmenter([layer.name for layer in model.layers])
    optional = _OPTIONAL["segmenter" if segments else "classifier"]
    has_optional = any(name.startswith(optional) for name, _ in pairs)
    known = {name for name, _ in pairs}
    left_over = [
        name
        for name in arrays
        if name not in known
        and not name.endswith(_IGNORED)
        and (has_optional or not name.startswith(optional))
    ]
    faults = [
        f"{name}: {fault}"
        for name, variable in pairs
        if name in arrays
        and (fault := _fault(arrays[name], variable, name.startswith(free)))
    ]
    missing = [name for name, _ in pairs if name not in arrays]
    _refuse(model, missing, left_over, faults)


def _check_finite(model, pairs, arrays):
    faults = [
        f"{name}: holds NaN or infinity"
        for name, _ in pairs
        if not is_finite(arrays[name])
    ]
    _refuse(model, unusable=faults)


def from_torch(model: keras.Model, source) -> keras.Model:
    """Loads the weights of the authors' PyTorch networks.

    Strict in both directions: every variable must find its array and every
    array its variable, of the right shape, without NaN or infinity; else
    nothing is loaded. Two things may be left over: `num_batches_tracked`,
    which carries nothing, and what the model was built without: the
    classifier, `fc.*`, or a segmentation network's auxiliary head, `aux.*`.
    Layers of the model that the authors' networks do not have, such as a
    normalization before the stem, keep their weights.

    Args:
        model: A residual network made by a builder of `keras_pyconv`, such
            as `PyConvResNet50` or `PyConvSegNet`.
        source: Mapping from the authors' parameter names to arrays or
            tensors, or the path of a `.npz`, `.safetensors`, `.pth` or `.pt`
            file. No code found in a file is run, and PyTorch is not needed.

    Returns:
        The model.

    Raises:
        FileNotFoundError: if there is no such file.
        OSError: if it is a folder, a pipe or the like.
        ImportError: if the file needs a package that is not installed.
        ValueError: if the model is no residual network, or the source is no
            checkpoint, does not fit, or is not what the `.sha256` beside it
            says; the message lists what is missing, left over and unusable.
    """
    pairs = _named_variables(model)
    arrays = read_arrays(source, partial(check_fit, model))
    _check_finite(model, pairs, arrays)
    for name, variable in pairs:
        array = np.reshape(arrays[name], torch_shape(variable.shape))
        variable.assign(_keras_axes(array))
    return model
