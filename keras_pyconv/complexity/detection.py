"""The cost of the detection networks (supplement, Table 1).

The fact a reader would get wrong: the 3x3 convolutions that predict boxes and
classes have biases, each of which counts as a tenth place of its kernel by
the paper's convention.
"""

from keras_pyconv.architectures import DETECTORS, Detector
from keras_pyconv.architectures.levels import split
from keras_pyconv.architectures.lookup import find
from keras_pyconv.complexity.network import Complexity, complexity
from keras_pyconv.complexity.walk import PartCost, Walk

# Coordinates of a box.
COORDINATES = 4


def detection_complexity(row: Detector | str, classes: int = 81) -> Complexity:
    """Parameters and operations of a detection network at its input size.

    Args:
        row: a record, or the name of a row of `DETECTORS`.
        classes: classes of a box, the background included.

    Raises:
        ValueError: if the name is unknown.

    Example:

    >>> detection_complexity("PyConvSSDPyConvResNet50").parameters
    21548662
    """
    row = find(row, Detector, DETECTORS)
    input_shape = (row.input_size, row.input_size, 3)
    backbone = complexity(row.backbone, input_shape, include_top=False)
    maps = [backbone.parts[-1].output_shape]
    extra = Walk(maps[0])
    for number, layer in enumerate(row.extra_layers, 1):
        _extra(extra, f"extra{number}", layer)
        maps.append(extra.shape)
    predictions = []
    for number, (shape, boxes) in enumerate(zip(maps, row.box_maps), 1):
        predictions += _predict(f"map{number}", shape, boxes.boxes, classes)
    parts = (
        *backbone.parts,
        PartCost("extra layers", tuple(extra.layers)),
        PartCost("predictions", tuple(predictions)),
    )
    return Complexity(row, input_shape, parts)


def _extra(walk, name, layer):
    """1x1, then the pyramid, each with normalization and ReLU."""
    walk.conv(f"{name}_1_conv", layer.bottleneck)
    walk.batch_norm(f"{name}_1_bn")
    walk.relu(f"{name}_1_relu")
    kind = "pyconv" if len(layer.levels) > 1 else "conv"
    kernels = [level.kernel for level in layer.levels]
    groups = [level.groups for level in layer.levels]
    filters = split(layer.filters, layer.levels)
    walk.pyconv(
        f"{name}_2_{kind}",
        list(zip(kernels, filters, groups)),
        layer.stride,
        padding=layer.padding,
    )
    walk.batch_norm(f"{name}_2_bn")
    walk.relu(f"{name}_2_relu")


def _predict(name, shape, boxes, classes):
    """Boxes and classes of one map, side by side."""
    layers = []
    for kind, count in (("boxes", COORDINATES), ("classes", classes)):
        walk = Walk(shape)
        walk.conv(f"{name}_{kind}", boxes * count, 3, use_bias=True)
        layers += walk.layers
    return layers
