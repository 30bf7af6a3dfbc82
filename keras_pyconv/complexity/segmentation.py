"""The cost of the segmentation networks (Table 4; supplement, Table 6).

The facts a reader would get wrong: both classifiers work on the small map,
before the enlargement to the image's size, whatever section 5 says; and the
bias of their 1x1 convolutions counts as much as the weights by the paper's
convention.
"""

from keras_pyconv.architectures import (
    SEGMENTERS,
    AtrousHead,
    ParsingHead,
    PoolingHead,
    Segmenter,
)
from keras_pyconv.architectures.levels import split
from keras_pyconv.architectures.lookup import find
from keras_pyconv.complexity.network import Complexity, complexity
from keras_pyconv.complexity.walk import PartCost, Shape, Walk


def segmentation_complexity(
    row: Segmenter | str,
    input_shape: Shape = (473, 473, 3),
    classes: int = 150,
    auxiliary: bool = True,
) -> Complexity:
    """Parameters and operations of a segmentation network.

    Args:
        row: a record, or the name of a row of `SEGMENTERS`.
        input_shape: (height, width, channels), all known.
        classes: outputs at each pixel.
        auxiliary: whether to count the auxiliary head, which works in
            training alone and which the paper counts.

    Raises:
        ValueError: if the name or the shape is none that can be counted.

    Example:

    >>> segmentation_complexity("PyConvSegNetPyConvResNet50").parameters
    33688236
    """
    row = find(row, Segmenter, SEGMENTERS)
    backbone = complexity(
        row.backbone,
        input_shape,
        include_top=False,
        output_stride=row.output_stride,
    )
    parts = [*backbone.parts]
    walk = Walk(parts[-1].output_shape)
    HEAD_WALKS[type(row.head)](walk, row.head)
    walk.conv("classifier_conv", classes, use_bias=True)
    parts.append(PartCost("head", tuple(walk.layers)))
    if auxiliary:
        walk = Walk(parts[-3].output_shape)
        _unit(walk, "auxiliary_1", row.auxiliary_width, kernel=3)
        walk.conv("auxiliary_2_conv", classes, use_bias=True)
        parts.append(PartCost("auxiliary head", tuple(walk.layers)))
    return Complexity(row, tuple(input_shape), tuple(parts))


def _unit(walk, name, filters, kernel=1):
    """Convolution, normalization, ReLU."""
    walk.conv(f"{name}_conv", filters, kernel)
    walk.batch_norm(f"{name}_bn")
    walk.relu(f"{name}_relu")


def _context(walk, name, head):
    """1x1, PyConv, 1x1."""
    _unit(walk, f"{name}_1", head.width)
    kernels = [level.kernel for level in head.levels]
    groups = [level.groups for level in head.levels]
    filters = split(head.width, head.levels)
    walk.pyconv(f"{name}_2_pyconv", list(zip(kernels, filters, groups)))
    walk.batch_norm(f"{name}_2_bn")
    walk.relu(f"{name}_2_relu")
    _unit(walk, f"{name}_3", head.width)


def _parsing(walk, head):
    """Local and global context, merged by a 3x3 convolution."""
    sizes = walk.sizes
    pooled = Walk(walk.shape)
    _context(walk, "local", head)
    pooled.adaptive_pool("global_pool", (head.bins, head.bins))
    _context(pooled, "global", head)
    walk.layers += pooled.layers
    walk.shape = (*sizes, 2 * head.width)
    _unit(walk, "merge", head.merged_width, kernel=3)


def _pooling(walk, head):
    """Averages over bins beside the map itself, then a 3x3 convolution."""
    *sizes, channels = shape = walk.shape
    for bins in head.bins:
        branch = Walk(shape)
        branch.adaptive_pool(f"bins{bins}_pool", (bins, bins))
        _unit(branch, f"bins{bins}", head.width)
        walk.layers += branch.layers
        channels += head.width
    walk.shape = (*sizes, channels)
    _unit(walk, "merge", head.width, kernel=3)


def _atrous(walk, head):
    """A 1x1, dilated 3x3s and an image average side by side, then a 1x1."""
    *sizes, _ = shape = walk.shape
    kernels = [1, *[3 for _ in head.rates]]
    for number, kernel in enumerate(kernels, 1):
        branch = Walk(shape)
        _unit(branch, f"branch{number}", head.width, kernel)
        walk.layers += branch.layers
    image = Walk(shape)
    image.adaptive_pool("image_pool", (1, 1))
    _unit(image, "image", head.width)
    walk.layers += image.layers
    walk.shape = (*sizes, head.width * (len(kernels) + 1))
    _unit(walk, "merge", head.width)


HEAD_WALKS = {
    ParsingHead: _parsing,
    PoolingHead: _pooling,
    AtrousHead: _atrous,
}
