"""The authors' parameters of a record, by name and shape, and the way back.

In closed form, without building a network: what a checkpoint must hold, and
which network one is of.

The fact a reader would get wrong: names and shapes do not tell networks apart
that differ in strides and pooling alone. Published networks come first then.
"""

from collections.abc import Iterator, Mapping

from keras_pyconv.architectures import (
    ARCHITECTURES,
    SEGMENTERS,
    get_architecture,
)
from keras_pyconv.weights.catalog import PUBLISHED

_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")
_COUNTER = ".num_batches_tracked"
_CLASSIFIER = "fc."
# What stands for the stem and the heads of a segmentation network.
_SEGMENTER_STEM = {"layer0.0.": "conv1.", "layer0.1.": "bn1."}
_SEGMENTER_HEADS = ("pyconvhead.", "ppm.", "aux.", "cls.")
# How the names of networks begin that have such a head.
_HEAD_FAMILIES = {"pyconvhead.": "PyConvSegNet", "ppm.": "PSPNet"}

Shapes = dict[str, tuple[int, ...]]


def _normalization(module, channels):
    return {f"{module}.{name}": (channels,) for name in _NORMALIZATION}


def _spatial(module, stage, inputs):
    """The levels of a pyramid; one level has no number."""
    one = len(stage.levels) == 1
    for number, level in enumerate(stage.levels, 1):
        name = module if one else f"{module}.conv2_{number}"
        shape = (inputs // level.groups, level.kernel, level.kernel)
        yield f"{name}.weight", (stage.filters[number - 1], *shape)


def _body(architecture, stage, inputs, module) -> Iterator[tuple]:
    """(module, its convolutions' shapes, outputs), in the order they run."""
    width, outputs = stage.width, stage.width * architecture.expansion

    def pyramid(position, entering):
        name = f"{module}.conv{position}"
        return position, dict(_spatial(name, stage, entering)), width

    def pointwise(position, entering, filters):
        name = f"{module}.conv{position}.weight"
        return position, {name: (filters, entering, 1, 1)}, filters

    if architecture.block == "bottleneck":
        yield pointwise(1, inputs, width)
        yield pyramid(2, width)
        yield pointwise(3, width, outputs)
        return
    yield pyramid(1, inputs)
    if architecture.block == "basic1":
        yield pyramid(2, width)
    else:
        yield pointwise(2, width, outputs)


def shortcut_index(stage, inputs: int, outputs: int) -> int | None:
    """The number of a projection in `downsample`; None without one."""
    pooled = stage.shortcut == "pool"
    if (pooled or stage.stride == 1) and inputs == outputs:
        return None
    return int(pooled)


def _block(architecture, stage, inputs, outputs, module, first) -> Shapes:
    shapes = {}
    for position, convolutions, channels in _body(
        architecture, stage, inputs, module
    ):
        shapes |= convolutions
        shapes |= _normalization(f"{module}.bn{position}", channels)
    index = shortcut_index(stage, inputs, outputs) if first else None
    if index is not None:
        name = f"{module}.downsample"
        shapes[f"{name}.{index}.weight"] = (outputs, inputs, 1, 1)
        shapes |= _normalization(f"{name}.{index + 1}", outputs)
    return shapes


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
    architecture = get_architecture(architecture)
    width = architecture.stem_width
    shapes = {"conv1.weight": (width, channels, 7, 7)}
    shapes |= _normalization("bn1", width)
    rows = zip(architecture.stages, architecture.channels)
    for number, (stage, outputs) in enumerate(rows, 1):
        for block in range(stage.blocks):
            module = f"layer{number}.{block}"
            shapes |= _block(
                architecture, stage, width, outputs, module, block == 0
            )
            width = outputs
    return shapes | {"fc.weight": (classes, width), "fc.bias": (classes,)}


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
