"""The authors' parameters of a record, by counting, and the way back.

Names and shapes do not tell networks apart that differ in strides and pooling
alone. Published networks come first then.
"""

from collections.abc import Iterable, Mapping

from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS, Architecture
from keras_pyconv.arguments import instance, integer, refuse, text
from keras_pyconv.complexity import LayerCost, complexity
from keras_pyconv.networks.authors_names import (
    fits,
    module_names,
    parameter_name,
    torch_shape,
)
from keras_pyconv.reading import short
from keras_pyconv.weights.catalog import PUBLISHED

SIDE = 64  # the smallest at which every stage can be pooled
COUNTER = ".num_batches_tracked"
STEMS = ("conv1.weight", "layer0.0.weight")
_SEGMENTER = "layer0."  # the stem of a segmentation network
# `cls.1` is a normalization where there is a `cls.4`.
_CLASSIFIERS = ("fc.bias", "cls.4.bias", "cls.1.bias")
# How the names of networks begin that have such a head.
_FAMILIES = {"pyconvhead.": "PyConvSegNet", "ppm.": "PSPNet"}

Shapes = dict[str, tuple[int, ...]]


def named_shapes(layers: Iterable[LayerCost]) -> Shapes:
    """The authors' name and the shape of each variable of counted layers."""
    layers = list(layers)
    modules = module_names(layer.name for layer in layers)
    found = {}
    for layer in layers:
        for variable, shape in layer.variables:
            name = parameter_name(modules[layer.name], layer.name, variable)
            found[name] = torch_shape(shape)
    return found


def torch_shapes(
    architecture: Architecture | str, classes: int = 1000, channels: int = 3
) -> Shapes:
    """Names and shapes of the parameters that the authors' network has.

    Args:
        architecture: An `Architecture`, or the name of one.
        classes: Number of classes.
        channels: Of the images.

    Returns:
        `{name: shape}` in PyTorch's order of axes, without
        `num_batches_tracked`.

    Example:

    >>> torch_shapes("PyConvResNet50")["layer1.0.conv2.conv2_4.weight"]
    (16, 4, 9, 9)
    """
    integer("classes", classes)
    integer("channels", channels)
    # The parameters are the same at any size.
    count = complexity(architecture, (SIDE, SIDE, channels), classes)
    return named_shapes(count.layers)


def parameters_of(variant: str) -> Shapes:
    """`torch_shapes` of any network that has names in the authors' code."""
    return named_shapes(complexity(variant, SIDE).layers)


def _starts(shapes, *beginnings):
    return any(name.startswith(beginnings) for name in shapes)


def _candidates(shapes):
    """Names of networks of the same kind, published ones first."""
    names = list(ARCHITECTURES)
    if _starts(shapes, _SEGMENTER):
        families = [_FAMILIES[h] for h in _FAMILIES if _starts(shapes, h)]
        prefix = families[0] if families else "Baseline"
        names = [name for name in SEGMENTERS if name.startswith(prefix)]
    published = {variant for variant, _ in PUBLISHED}
    return sorted(names, key=lambda name: name not in published)


def _expected(shapes, variant):
    """What a network has, with the classes and channels of a checkpoint."""
    biases = [shapes[name] for name in _CLASSIFIERS if shapes.get(name)]
    stems = [shapes[name] for name in STEMS if len(shapes.get(name, ())) == 4]
    classes = biases[0][0] if biases else 1000
    size = (SIDE, SIDE, (stems[0][1] if stems else 0) or 3)
    if variant in SEGMENTERS:
        options = {"auxiliary": _starts(shapes, "aux.")}
    else:
        options = {"include_top": _starts(shapes, "fc.")}
    return named_shapes(complexity(variant, size, classes, **options).layers)


def _fault(name, shape, expected, variant):
    """One line on the first parameter that does not fit."""
    if shape is None:
        return f"{name!r} of {variant} is missing"
    if expected is None:
        return f"{short(name)} is none of {variant}, the nearest network"
    return f"{short(name)} has shape {short(shape)}, in {variant} {expected}"


def _compare(shapes, variant):
    """The faults of a checkpoint as one of a network, in the order of names.

    The classifier may have any number of classes, the stem any of channels.
    """
    expected = _expected(shapes, variant)
    found = []
    for name in {**expected, **shapes}:
        shape, wanted = shapes.get(name), expected.get(name)
        if shape is None or wanted is None or not fits(shape, wanted):
            found.append(_fault(name, shape, wanted, variant))
    return found


def find_variant(arrays: Mapping, variant: str | None = None) -> str:
    """The name of the network that a checkpoint is of.

    Args:
        arrays: From the authors' names to arrays.
        variant: The name that it must have; None finds it out.

    Returns:
        A name in `ARCHITECTURES` or `SEGMENTERS`.

    Raises:
        ValueError: if it is of none; one line says what does not fit the
            nearest, or the `variant`.
    """
    instance("arrays", arrays, Mapping)
    text("variant", variant, optional=True)
    named = all(isinstance(name, str) for name in arrays)
    if not named or not all(hasattr(x, "shape") for x in arrays.values()):
        refuse("arrays", arrays, "arrays by their names", TypeError)
    shapes = {
        name: tuple(array.shape)
        for name, array in arrays.items()
        if not name.endswith(COUNTER)
    }
    candidates = _candidates(shapes)
    if variant is not None:
        candidates = [name for name in candidates if name == variant]
    if not candidates:
        raise ValueError(f"it is no checkpoint of {variant}")
    found = {name: _compare(shapes, name) for name in candidates}
    nearest = min(found, key=lambda name: len(found[name]))
    faults = found[nearest]
    if faults:
        rest = f"; {len(faults) - 1} more do not fit" if faults[1:] else ""
        raise ValueError(f"{faults[0]}{rest}")
    return nearest
