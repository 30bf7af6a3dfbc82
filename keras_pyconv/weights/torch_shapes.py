"""The authors' parameters of a record, by name and shape, and the way back.

By counting, without building a network: what a checkpoint must hold, and which
network one is of.

The fact a reader would get wrong: names and shapes do not tell networks apart
that differ in strides and pooling alone. Published networks come first then.
"""

from collections.abc import Iterable, Mapping

from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS
from keras_pyconv.complexity import LayerCost, complexity
from keras_pyconv.networks.authors_names import (
    module_names,
    parameter_name,
    torch_shape,
)
from keras_pyconv.weights.catalog import PUBLISHED

SIDE = 32
_COUNTER = ".num_batches_tracked"
_CLASSIFIER = "fc."
# What stands for the stem and the heads of a segmentation network.
_SEGMENTER_STEM = {"layer0.0.": "conv1.", "layer0.1.": "bn1."}
_SEGMENTER_HEADS = ("pyconvhead.", "ppm.", "aux.", "cls.")
# How the names of networks begin that have such a head.
_HEAD_FAMILIES = {"pyconvhead.": "PyConvSegNet", "ppm.": "PSPNet"}

Shapes = dict[str, tuple[int, ...]]


def named_shapes(layers: Iterable[LayerCost]) -> Shapes:
    """The authors' name and the shape of each variable of counted layers."""
    layers = list(layers)
    modules = module_names(layer.name for layer in layers)
    return {
        parameter_name(modules[layer.name], layer.name, variable): (
            torch_shape(shape)
        )
        for layer in layers
        for variable, shape in layer.variables
    }


def torch_shapes(
    architecture, classes: int = 1000, channels: int = 3
) -> Shapes:
    """Names and shapes of the parameters that the authors' network has.

    Args:
        architecture: An `Architecture`, or the name of a row of
            `ARCHITECTURES`.
        classes: Number of classes.
        channels: Of the images.

    Returns:
        `{name: shape}` in PyTorch's order of axes, without
        `num_batches_tracked`.

    Example:

    >>> torch_shapes("PyConvResNet50")["layer1.0.conv2.conv2_4.weight"]
    (16, 4, 9, 9)
    """
    # The parameters are the same at any size.
    count = complexity(architecture, (SIDE, SIDE, channels), classes)
    return named_shapes(count.layers)


def _is_segmenter(shapes):
    return any(name.startswith(tuple(_SEGMENTER_STEM)) for name in shapes)


def _candidates(shapes):
    """(name, backbone) of networks of the same kind, published ones first."""
    rows = list(ARCHITECTURES.items())
    if _is_segmenter(shapes):
        heads = {f"{name.split('.')[0]}." for name in shapes}
        family = [_HEAD_FAMILIES[h] for h in heads if h in _HEAD_FAMILIES]
        prefix = family[0] if family else "Baseline"
        rows = [
            (row.name, row.backbone)
            for row in SEGMENTERS.values()
            if row.name.startswith(prefix)
        ]
    published = {variant for variant, _ in PUBLISHED}
    return sorted(rows, key=lambda row: row[0] not in published)


def _as_classifier(shapes):
    """The part of a segmentation network that classifiers have too."""
    renamed = {}
    for name, shape in shapes.items():
        if name.startswith(_SEGMENTER_HEADS):
            continue
        for prefix, other in _SEGMENTER_STEM.items():
            if name.startswith(prefix):
                name = other + name.removeprefix(prefix)
        renamed[name] = shape
    return renamed


def _fault(name, shape, expected, variant):
    """One line on the first parameter that does not fit."""
    if shape is None:
        return f"{name!r} of {variant} is missing"
    if expected is None:
        return f"{name!r} is none of {variant}, the nearest network"
    return f"{name!r} has shape {shape}, in {variant} {expected}"


def _compare(shapes, variant, backbone):
    """The faults of a checkpoint as one of a network, in the order of names.

    The classifier may have any number of classes, the stem any of channels.
    """
    classes = shapes.get("fc.bias", (1000,))[:1] or (0,)
    stem = shapes.get("conv1.weight", ())
    channels = stem[1] if len(stem) == 4 else 3
    expected = torch_shapes(backbone, *classes, channels)
    if not any(name.startswith(_CLASSIFIER) for name in shapes):
        expected.pop("fc.weight"), expected.pop("fc.bias")
    names = {**expected, **shapes}
    return [
        _fault(name, shapes.get(name), expected.get(name), variant)
        for name in names
        if shapes.get(name) != expected.get(name)
    ]


def find_variant(arrays: Mapping, variant: str | None = None) -> str:
    """The name of the network that a checkpoint is of.

    Args:
        arrays: From the authors' names to arrays.
        variant: The name that it must have; None finds it out.

    Returns:
        A name in `ARCHITECTURES`, or in `SEGMENTERS` where the checkpoint
        has a segmentation network's stem.

    Raises:
        ValueError: if it is of none; one line says what does not fit the
            nearest, or the `variant`.
    """
    shapes = {
        name: tuple(array.shape)
        for name, array in arrays.items()
        if not name.endswith(_COUNTER)
    }
    candidates = _candidates(shapes)
    if _is_segmenter(shapes):
        shapes = _as_classifier(shapes)
    if variant is not None:
        candidates = [row for row in candidates if row[0] == variant]
    if not candidates:
        raise ValueError(f"it is no checkpoint of {variant}")
    found = {name: _compare(shapes, name, b) for name, b in candidates}
    nearest = min(found, key=lambda name: len(found[name]))
    faults = found[nearest]
    if faults:
        rest = f"; {len(faults) - 1} more do not fit" if faults[1:] else ""
        raise ValueError(f"{faults[0]}{rest}")
    return nearest
