"""The authors' parameter names for our variables, and strict loading by them.

Names follow from the layers' names alone: `conv2_block1_2_pyconv/kernel_3` is
`layer1.0.conv2.conv2_3.weight`.

The fact a reader would get wrong: the authors' `conv2_3` counts levels from
1, whatever convolution of the block it is; and a projection is
`downsample.0` behind nothing, but `downsample.1` behind a max pooling.
"""

import re

import keras
import numpy as np

from keras_pyconv.weights.torch_files import read_arrays

# Our variable's name -> the authors', for layers other than pyramids.
_VARIABLES = {
    "kernel": "weight",
    "kernel_1": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_STEM = {"conv1_conv": "conv1", "conv1_bn": "bn1", "predictions": "fc"}
_BLOCK = re.compile(r"conv(\d+)_block(\d+)_(\d)_(conv|pyconv|bn)")
# Segmentation networks: their stem, and the layers of their heads.
_SEGMENTER = {
    "conv1_conv": "layer0.0",
    "conv1_bn": "layer0.1",
    "auxiliary_1_conv": "aux.0",
    "auxiliary_1_bn": "aux.1",
    "auxiliary_2_conv": "aux.4",
}
_CONTEXTS = {
    # The global branch counts its pooling.
    "local": ("local_context.layers", 0),
    "global": ("global_context.features", 1),
}
_PARSING = {
    f"{context}_{position + 1}_{kind}": (
        f"pyconvhead.{module}.{first + 3 * position + int(kind == 'bn')}"
    )
    for context, (module, first) in _CONTEXTS.items()
    for position in range(3)
    for kind in ("conv", "pyconv", "bn")
} | {
    "merge_conv": "pyconvhead.merge_context.features.0",
    "merge_bn": "pyconvhead.merge_context.features.1",
    "classifier_conv": "cls.1",
}
_POOLING = {
    "merge_conv": "cls.0",
    "merge_bn": "cls.1",
    "classifier_conv": "cls.4",
}
# What a model may lack and a checkpoint have.
_OPTIONAL = {"classifier": "fc.", "segmenter": "aux."}
_IGNORED = ".num_batches_tracked"
_LISTED = 20


def _segmenter_names(model):
    """The authors' modules of a segmentation network's stem and heads.

    The pyramid pooling's modules are numbered, whatever their bins.
    """
    names = [layer.name for layer in model.layers]
    if "local_1_conv" in names:
        return {**_SEGMENTER, **_PARSING}
    if "branch1_conv" in names:
        raise ValueError(
            f"Model {model.name!r} has the head of DeepLabv3, of which the "
            "authors' code has no network, so that its weights have no names."
        )
    bins = [re.fullmatch(r"bins(\d+)_conv", name) for name in names]
    bins = sorted(int(match[1]) for match in bins if match)
    pooled = {
        f"bins{count}_{kind}": f"ppm.features.{number}.{index}"
        for number, count in enumerate(bins)
        for index, kind in enumerate(("conv", "bn"), 1)
    }
    return {**_SEGMENTER, **_POOLING, **pooled}


def _kind(model):
    names = {layer.name for layer in model.layers}
    return "segmenter" if "classifier_conv" in names else "classifier"


def _module_name(layer, layer_names, known):
    """The authors' module for a layer, or None if they have none."""
    if layer.name in known:
        return known[layer.name]
    match = _BLOCK.fullmatch(layer.name)
    if not match:
        return None
    stage, block, position, kind = match.groups()
    module = f"layer{int(stage) - 1}.{int(block) - 1}"
    if position == "0":
        pool = re.sub("_(conv|bn)$", "_pool", layer.name)
        index = int(pool in layer_names) + int(kind == "bn")
        return f"{module}.downsample.{index}"
    return f"{module}.{'bn' if kind == 'bn' else 'conv'}{position}"


def _parameter_name(module, layer, variable):
    level = re.fullmatch(r"kernel_(\d+)", variable.name)
    if level and layer.name.endswith("_pyconv"):
        return f"{module}.conv2_{level[1]}.weight"
    return f"{module}.{_VARIABLES[variable.name]}"


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
    known = _STEM
    if _kind(model) == "segmenter":
        known = _segmenter_names(model)
    pairs = []
    for layer in model.layers:
        module = _module_name(layer, layer_names, known)
        if module is not None:
            pairs += [
                (_parameter_name(module, layer, variable), variable)
                for variable in layer.variables
            ]
    return pairs


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


def _torch_shape(shape):
    if len(shape) < 2:
        return tuple(shape)
    return (shape[-1], shape[-2], *shape[:-2])


def _fault(array, variable):
    """What is wrong with an array for a variable, or None."""
    expected = _torch_shape(variable.shape)
    if array.shape != expected:
        return f"shape {array.shape}, expected {expected}"
    if array.dtype.kind in "OUSMmc":
        return f"dtype {array.dtype}, expected real numbers"
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype("float32")).all()
    return None if finite else "holds NaN or infinity"


def _listing(title, entries):
    if not entries:
        return ""
    shown = entries[:_LISTED]
    rest = len(entries) - len(shown)
    lines = [f"\n{title} ({len(entries)}):", *(f"\n  {e}" for e in shown)]
    return "".join(lines) + (f"\n  and {rest} more" if rest else "")


def _check(model, pairs, arrays):
    """Refuses a source that does not fit the model name by name."""
    optional = _OPTIONAL[_kind(model)]
    has_optional = any(name.startswith(optional) for name, _ in pairs)
    known = {name for name, _ in pairs}
    missing = [name for name, _ in pairs if name not in arrays]
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
        if name in arrays and (fault := _fault(arrays[name], variable))
    ]
    if missing or left_over or faults:
        raise ValueError(
            f"The weights do not fit model {model.name!r}; nothing was loaded."
            + _listing("Missing in the source", missing)
            + _listing("Left over in the source", left_over)
            + _listing("Unusable", faults)
        )


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
        ImportError: if the file needs a package that is not installed.
        ValueError: if the model is no residual network, or the source is no
            checkpoint or does not fit; the message lists what is missing,
            left over and unusable.
    """
    pairs = _named_variables(model)
    arrays = read_arrays(source)
    _check(model, pairs, arrays)
    for name, variable in pairs:
        variable.assign(_keras_axes(arrays[name]))
    return model
