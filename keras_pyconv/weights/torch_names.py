"""The authors' parameter names for our variables, and strict loading by them.

Only the ends may give way: the classifier then keeps its own weights, and the
stem is summed over the colours.
"""

import logging
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.networks.authors_names import (
    fits,
    has_no_names,
    module_names,
    parameter_name,
    torch_shape,
)
from keras_pyconv.reading import plain, short
from keras_pyconv.typing import Array, PathLike
from keras_pyconv.weights.sources import REAL, is_finite
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_shapes import COUNTER, STEMS

_LOG = logging.getLogger("keras_pyconv")
# What a model may be without, and a checkpoint have.
_OPTIONAL = {"classifier": "fc.", "segmenter": "aux."}
# What depends on the classes.
_HEADS = ("fc.", "cls.1.", "aux.4.")
_LISTED = 20


def backbone_layers(model):
    """The layers of a network's stem and stages."""
    names = ("conv", "post_bn")
    return [layer for layer in model.layers if layer.name.startswith(names)]


def named_variables(model, part="all"):
    """(authors' name, variable) for every variable that they have too."""
    arguments.model("model", model)
    layers = model.layers if part == "all" else backbone_layers(model)
    layer_names = {layer.name for layer in layers}
    # Others share the name of the classifier, and no more.
    if "conv1_conv" not in layer_names:
        raise ValueError(
            f"`model` {model.name!r} has no layer 'conv1_conv', as every "
            "network of the authors' has: it must be a residual network made "
            "by a builder of keras_pyconv. `keras_pyconv.weights.load` fills "
            "an InceptionResNetV2 from that of keras.applications."
        )
    if has_no_names(layer_names):
        raise ValueError(
            f"Model {model.name!r} has the head of DeepLabv3, which the "
            "authors' code does not have, so its weights have no names there."
        )
    modules = module_names(layer_names)
    return [
        (parameter_name(modules[layer.name], layer.name, v.name), v)
        for layer in layers
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
    return {variable.path: name for name, variable in named_variables(model)}


def _keras_axes(array):
    """PyTorch's axes in Keras's order; the only place that moves them.

    (out, in / groups, *spatial) becomes (*spatial, in / groups, out).
    """
    if array.ndim < 2:
        return array
    return np.moveaxis(array, (0, 1), (-1, -2))


# What fits -------------------------------------------------------------------


def _free_axis(name):
    """The axis that may differ with `adapt`, or None."""
    if name.startswith(_HEADS):
        return 0
    return 1 if name in STEMS else None


def _fault(name, array, expected, adapt):
    """What is wrong with an array's shape or dtype, or None."""
    free = _free_axis(name) if adapt else None
    is_near = len(array.shape) == len(expected) and all(
        one == other or axis == free
        for axis, (one, other) in enumerate(zip(array.shape, expected))
    )
    if not is_near and not fits(array.shape, expected):
        return f"shape {short(array.shape)}, expected {expected}"
    if array.dtype.kind not in REAL:
        return f"dtype {array.dtype}, expected real numbers"
    return None


def blocks_left_over(names, known, dot="."):
    """Names of unknown blocks in stages that are known."""
    stages = {name.split(dot)[0] for name in known}
    blocks = {tuple(name.split(dot)[:2]) for name in known}
    return [
        name
        for name in names
        if name.split(dot)[0] in stages
        and tuple(name.split(dot)[:2]) not in blocks
    ]


def _left_over(names, known, part):
    """Names that no variable has and that must not be there."""
    names = [n for n in names if n not in known and not n.endswith(COUNTER)]
    if part == "backbone":
        return blocks_left_over(names, known)
    segments = any(name.startswith("layer0.") for name in known)
    optional = _OPTIONAL["segmenter" if segments else "classifier"]
    if any(name.startswith(optional) for name in known):
        return names
    return [name for name in names if not name.startswith(optional)]


def misfits(pairs, arrays, part="all", adapt=False):
    """Lists of names that are missing, left over and unusable.

    `pairs` are the authors' names and what has a shape; `arrays` have a `shape`
    and a `dtype`; the rest is as for `from_torch`.
    """
    faults = {
        name: _fault(name, arrays[name], torch_shape(variable.shape), adapt)
        for name, variable in pairs
        if name in arrays
    }
    unusable = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    missing = [name for name, _ in pairs if name not in arrays]
    left_over = _left_over(arrays, {name for name, _ in pairs}, part)
    return missing, left_over, unusable


def _listing(title, entries):
    if not entries:
        return ""
    lines = [f"\n{title} ({len(entries)}):"]
    lines += [f"\n  {plain(one, 200)}" for one in entries[:_LISTED]]
    rest = len(entries) - _LISTED
    return "".join(lines) + (f"\n  and {rest} more" if rest > 0 else "")


def _refuse(model, missing=(), left_over=(), unusable=()):
    if missing or left_over or unusable:
        raise ValueError(
            f"The weights do not fit model {model.name!r}; nothing was loaded."
            + _listing("Missing in the source", missing)
            + _listing("Left over in the source", left_over)
            + _listing("Unusable", unusable)
        )


# Loading ---------------------------------------------------------------------


def adapt_stem(kernel: Array, channels: int) -> Array:
    """A stem's kernel for another number of channels.

    Every channel gets the sum over the old channels, divided by the number of
    new ones: images whose channels are all alike give what they gave.

    Args:
        kernel: Array `(filters, old channels, height, width)`.
        channels: Number of new channels.

    Returns:
        Array `(filters, channels, height, width)`.
    """
    kernel = arguments.array("kernel", kernel, 4)
    channels = arguments.integer("channels", channels)
    summed = kernel.sum(axis=1, keepdims=True) / channels
    return np.repeat(summed, channels, axis=1)


def _adapted(model, pairs, arrays):
    """(variable, array) of all that is loaded; the log says what gives way."""
    kept = set()
    for name, variable in pairs:
        array, expected = arrays[name], torch_shape(variable.shape)
        if fits(array.shape, expected):
            array = np.reshape(array, expected)
        elif _free_axis(name) == 0:
            kept.add((expected[0], len(array)))
            continue
        else:
            _LOG.warning(
                "%s: the stem reads %d channels instead of %d; each gets the "
                "sum of the old kernels, divided by their number.",
                *(model.name, expected[1], array.shape[1]),
            )
            array = adapt_stem(array, expected[1])
        yield variable, array
    for own, theirs in sorted(kept):
        _LOG.warning(
            "%s: the classifier of %d classes in place of that of %d starts "
            "anew; all else has the weights of the file.",
            *(model.name, own, theirs),
        )


def from_torch(
    model: keras.Model,
    source: PathLike | Mapping[str, Any],
    part: Literal["all", "backbone"] = "all",
    adapt: bool = False,
) -> keras.Model:
    """Loads the weights of the authors' PyTorch networks.

    Every variable must find its array and every array its variable, of the
    right shape, without NaN or infinity; else nothing is loaded. Left over may
    be `num_batches_tracked`, and what the model was built without: the
    classifier, `fc.*`, or a segmentation network's auxiliary head, `aux.*`.
    Layers that the authors' networks do not have, such as a normalization
    before the stem, keep their weights.

    Args:
        model: A residual network made by a builder of `keras_pyconv`, such
            as `PyConvResNet50` or `PyConvSegNet`.
        source: Mapping from the authors' parameter names to arrays or
            tensors, or the path of a `.npz`, `.safetensors`, `.pth` or `.pt`
            file. No code found in a file is run, and PyTorch is not needed.
        part: `"all"`; or `"backbone"` for the stem and the stages alone, from
            a classifier, which may have what the model has not.
        adapt: Whether a classifier of other classes keeps the weights it has,
            and a stem of other channels is adapted, see `adapt_stem`.

    Returns:
        The model.

    Raises:
        FileNotFoundError, OSError: no such file, a folder, a pipe or the like.
        ImportError: if the file needs a package that is not installed.
        ValueError: if the model is no residual network, or the source is no
            checkpoint, does not fit, or is not what the `.sha256` beside it
            says; the message lists what is missing, left over and unusable.
    """
    arguments.model("model", model)
    arguments.one_of("part", part, ("all", "backbone"))
    arguments.flag("adapt", adapt)
    pairs = named_variables(model, part)

    def check(arrays):
        _refuse(model, *misfits(pairs, arrays, part, adapt))

    arrays = read_arrays(source, check)
    wrong = [name for name, _ in pairs if not is_finite(arrays[name])]
    _refuse(model, unusable=[f"{n}: holds NaN or infinity" for n in wrong])
    for variable, array in list(_adapted(model, pairs, arrays)):
        variable.assign(_keras_axes(array))
    return model
