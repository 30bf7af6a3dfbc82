"""The cost of the Inception networks (supplement, Table 5).

The fact a reader would get wrong: the printed 16.75 G of Inception-ResNet-v2
are inflated. Its residual 1x1 convolutions have biases, which count as much
as their weights by the paper's convention; by plain multiply-adds it has
13.16 G, and PyConvInception, without biases, is only a tenth below it.
"""

from math import prod

from keras_pyconv.architectures import (
    Inception,
    Mixed,
    Pool,
    branch_name,
    get_inception,
)
from keras_pyconv.complexity.cost import Cost, average_pool_cost
from keras_pyconv.complexity.network import Complexity, check_shape
from keras_pyconv.complexity.walk import PartCost, Shape, Walk

WINDOW = 3


def inception_complexity(
    row: Inception | str,
    input_shape: Shape = (299, 299, 3),
    classes: int = 1000,
    include_top: bool = True,
) -> Complexity:
    """Parameters and operations of an Inception network, without making it.

    Args:
        row: a record, or the name of a row of `INCEPTIONS`.
        input_shape: (height, width, channels), all known.
        classes: outputs of the classifier.
        include_top: whether to count the pooling and the classifier.

    Raises:
        ValueError: if the name or the shape is none that can be counted.

    Example:

    >>> inception_complexity("InceptionResNetV2").parameters
    55843464
    """
    row = get_inception(row)
    check_shape(input_shape)
    parts, shape = [], tuple(input_shape)
    for part in row.parts:
        count = _mixed if isinstance(part, Mixed) else _residuals
        parts.append(PartCost(part.name, tuple(count(part, shape))))
        shape = parts[-1].output_shape
    if include_top:
        parts.append(_classifier(shape, classes))
    return Complexity(row, tuple(input_shape), tuple(parts))


def _branches(part, name, shape):
    """Layers of all branches, and the shape of their concatenation."""
    layers, channels = [], 0
    for number, branch in enumerate(part.branches, 1):
        walk = Walk(shape)
        prefix = branch_name(part, name, number)
        for position, step in enumerate(branch, 1):
            _step(walk, f"{prefix}_{position}", step)
        layers += walk.layers
        channels += walk.channels
    return layers, (*walk.sizes, channels)


def _step(walk, name, step):
    if isinstance(step, Pool):
        if step.kind == "max":
            walk.max_pool(f"{name}_pool", WINDOW, 2, padding="valid")
        else:
            cost = average_pool_cost(prod(walk.shape), WINDOW)
            walk.note(f"{name}_pool", walk.shape, cost)
        return
    kind = "pyconv" if len(step.levels) > 1 else "conv"
    levels = list(step.levels)
    walk.pyconv(f"{name}_{kind}", levels, step.stride, padding=step.padding)
    walk.batch_norm(f"{name}_bn")
    walk.relu(f"{name}_relu")


def _mixed(part, shape):
    layers, shape = _branches(part, part.name, shape)
    if len(part.branches) > 1:
        walk = Walk(shape)
        walk.note(part.name, shape, Cost())
        layers += walk.layers
    return layers


def _residuals(part, shape):
    layers = []
    for block in range(1, part.blocks + 1):
        name = f"{part.name}_{block}"
        inner, inner_shape = _branches(part, name, shape)
        walk = Walk(inner_shape)
        walk.conv(f"{name}_up_conv", shape[-1], use_bias=not part.normalized)
        if part.normalized:
            walk.batch_norm(f"{name}_up_bn")
        walk.note(f"{name}_add", shape, Cost())
        if part.final_relu:
            walk.relu(f"{name}_out")
        layers += inner + walk.layers
    return layers


def _classifier(shape, classes):
    walk, (*_, side, channels) = Walk(shape), shape
    # The port that the paper counts pools by a window as large as its map.
    walk.note("avg_pool", (channels,), average_pool_cost(channels, side))
    walk.dense("predictions", classes)
    return PartCost("classifier", tuple(walk.layers))
