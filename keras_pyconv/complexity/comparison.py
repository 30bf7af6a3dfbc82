"""The cost of the networks that the paper compares with (Table 3).

The fact a reader would get wrong: all convolutions of a non-local block have
a bias, and the paper's convention counts the bias of a 1x1 convolution as
much as its weights. By plain multiply-adds those networks are far cheaper.
"""

from dataclasses import replace

from keras_pyconv.architectures import COMPARISONS, Comparison
from keras_pyconv.architectures.lookup import find
from keras_pyconv.complexity.cost import (
    Cost,
    adaptive_pool_cost,
    dense_cost,
    relu_cost,
)
from keras_pyconv.complexity.counter import Counter, PartCost, Shape
from keras_pyconv.complexity.network import Complexity, complexity

REDUCTION = 16


def comparison_complexity(
    row: Comparison | str,
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
) -> Complexity:
    """Parameters and operations of a network of Table 3, without making it.

    Args:
        row: a record, or the name of a row of `COMPARISONS`.
        input_shape: (height, width, channels), all known.
        classes: outputs of the classifier.

    Raises:
        ValueError: if the name or the shape is none that can be counted.

    Example:

    >>> comparison_complexity("SEResNet50").parameters
    28071976
    """
    row = find(row, Comparison, COMPARISONS)
    plain = complexity(row.base, input_shape, classes)
    parts = PARTS[row.addition](plain)
    return replace(plain, architecture=row, parts=tuple(parts))


def _squeezed(plain):
    """Behind every block's last normalization, a gate for each channel."""
    for part in plain.parts:
        layers = []
        for layer in part.layers:
            layers.append(layer)
            if layer.name.endswith("_3_bn"):
                layers += _gate(layer)
        yield replace(part, layers=tuple(layers))


def _gate(layer):
    *sizes, channels = layer.output_shape
    width = channels // REDUCTION
    name = layer.name.removesuffix("_3_bn")
    cost = (
        adaptive_pool_cost(channels, tuple(sizes), (1, 1))
        + dense_cost(channels, width, use_bias=False)
        + relu_cost(width)
        + dense_cost(width, channels, use_bias=False)
    )
    return [replace(layer, name=f"{name}_gate", cost=cost)]


def _non_local(plain):
    """A block of half the channels after every stage."""
    for part in plain.parts:
        if part not in plain.stages:
            yield part
            continue
        layers = _attention(part.output_shape, part.name.replace(" ", ""))
        yield replace(part, layers=part.layers + tuple(layers))


def _attention(shape, name):
    """phi and g see the map behind a 2x2 max pooling."""
    net, width = Counter(shape), shape[-1] // 2
    for branch in ("phi", "g"):
        x = net.max_pool(
            net.input, 2, 2, name=f"{name}_{branch}_pool", padding="valid"
        )
        net.conv(x, width, name=f"{name}_{branch}_conv", use_bias=True)
    x = net.conv(net.input, width, name=f"{name}_theta_conv", use_bias=True)
    x = net.conv(x, shape[-1], name=f"{name}_output_conv", use_bias=True)
    net.norm(x, name=f"{name}_output_bn")
    return net.layers


def _preactivated(plain):
    """Normalization and ReLU move before the convolutions they followed."""
    stem, *stages, top = plain.parts
    yield stem
    shape = stem.output_shape
    for part in stages:
        layers, entry = [], shape
        for layer in part.layers:
            layers += _moved(layer, entry)
            if layer.name.endswith("_out"):
                entry = layer.output_shape
        yield replace(part, layers=tuple(layers))
        shape = entry
    net = Counter(shape)
    net.relu(net.norm(net.input, name="last_bn"), name="last_relu")
    yield PartCost("last normalization", tuple(net.layers))
    yield top


def _moved(layer, entry):
    """What stands at a layer's place; `entry` is the block's input."""
    if layer.name.endswith("_3_bn"):
        net, name = Counter(entry), layer.name.replace("_3_bn", "_0")
        moved = net.norm(net.input, name=f"{name}_preactivation_bn")
        # Out of order, but the shape behind the layer must stay.
        return [replace(moved, output_shape=layer.output_shape)]
    if layer.name.endswith(("_0_bn", "_out")):
        return [replace(layer, cost=Cost())]
    if layer.name.endswith("_2_relu"):
        # Now the last call of the block's one ReLU object, which counts.
        net = Counter(layer.output_shape)
        return [net.relu(net.input, name=layer.name)]
    return [layer]


PARTS = {
    "nothing": lambda plain: plain.parts,
    "preactivation": _preactivated,
    "squeeze_excitation": _squeezed,
    "non_local": _non_local,
}
