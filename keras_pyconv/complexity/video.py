"""The cost of the video networks (supplement, Tables 2 and 3).

The fact a reader would get wrong: the printed 44.91 M of PyConvResNet3D-50
are those of a classifier of 174 classes; with the 400 that the table names it
has 45.37 M.
"""

from keras_pyconv.architectures import (
    VIDEO_ARCHITECTURES,
    VideoArchitecture,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.complexity.cost import Cost
from keras_pyconv.complexity.network import Complexity, classifier
from keras_pyconv.complexity.walk import PartCost, Shape, Walk


def video_complexity(
    row: VideoArchitecture | str,
    input_shape: Shape = (16, 224, 224, 3),
    classes: int = 400,
) -> Complexity:
    """Parameters and operations of a video network, for one clip.

    Args:
        row: a record, or the name of a row of `VIDEO_ARCHITECTURES`.
        input_shape: (frames, height, width, channels), all known.
        classes: outputs of the classifier.

    Raises:
        ValueError: if the name is unknown.

    Example:

    >>> video_complexity("ResNet3D50").parameters
    46999760
    """
    row = find(row, VideoArchitecture, VIDEO_ARCHITECTURES)
    parts = [_stem(row, input_shape)]
    for number in range(len(row.base.stages)):
        parts.append(_stage(row, number, parts[-1].output_shape))
    parts.append(classifier(parts[-1].output_shape, classes))
    return Complexity(row, tuple(input_shape), tuple(parts))


def _stem(row, input_shape):
    walk = Walk(input_shape)
    walk.conv("conv1_conv", row.base.stem_width, row.stem_kernel, (1, 2, 2))
    walk.batch_norm("conv1_bn")
    walk.relu("conv1_relu")
    if row.base.stem_pool:
        walk.max_pool("pool1_pool", (1, 3, 3), (1, 2, 2))
    return PartCost("stem", tuple(walk.layers))


def _stage(row, number, shape):
    walk, strides = Walk(shape), row.strides(number)
    stage, channels = row.base.stages[number], row.base.channels[number]
    levels = list(zip(row.kernels(number), stage.filters, stage.groups))
    kind = "pyconv" if len(levels) > 1 else "conv"
    for block in range(1, stage.blocks + 1):
        name = f"conv{number + 2}_block{block}"
        shortcut = Walk(walk.shape)
        walk.conv(f"{name}_1_conv", stage.width)
        walk.batch_norm(f"{name}_1_bn")
        walk.relu(f"{name}_1_relu", shared=True)
        walk.pyconv(f"{name}_2_{kind}", levels, strides)
        walk.batch_norm(f"{name}_2_bn")
        walk.relu(f"{name}_2_relu", shared=True)
        walk.conv(f"{name}_3_conv", channels)
        walk.batch_norm(f"{name}_3_bn")
        if block == 1:
            _project(shortcut, row, number, f"{name}_0")
            strides = (1, 1, 1)
        walk.layers += shortcut.layers
        walk.note(f"{name}_add", walk.shape, Cost())
        walk.relu(f"{name}_out")
    return PartCost(f"stage {number + 1}", tuple(walk.layers))


def _project(walk, row, number, name):
    strides = row.strides(number)
    if row.base.stages[number].shortcut == "pool":
        walk.max_pool(f"{name}_pool", row.pool_window(number), strides)
        strides = 1
    walk.conv(f"{name}_conv", row.base.channels[number], stride=strides)
    walk.batch_norm(f"{name}_bn")
