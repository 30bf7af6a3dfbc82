"""The cost of a classification network, in closed form from its record.

Every layer is counted under the name it has in the Keras model, and every
level of every pyramid on its own (paper, section 4, Table 1).

The fact a reader would get wrong: max pooling on the shortcuts costs no
multiply-adds, yet the paper's GFLOPs contain it, three operations an output.
"""

from dataclasses import dataclass
from typing import Any

from keras_pyconv.architectures import Architecture, get_architecture
from keras_pyconv.complexity.cost import Cost
from keras_pyconv.complexity.grid import grid
from keras_pyconv.complexity.walk import (
    Counted,
    LayerCost,
    PartCost,
    Shape,
    Walk,
)


@dataclass(frozen=True)
class Complexity(Counted):
    """What a network costs: in all, by part, by layer and by level.

    Attributes:
        architecture: the record that was counted, whatever its kind.
        input_shape: without the batch, channels last.
        parts: the stem, the stages and, with `include_top`, the classifier.
    """

    architecture: Any
    input_shape: Shape
    parts: tuple[PartCost, ...]

    @property
    def cost(self) -> Cost:
        """The parts' costs together."""
        return sum((part.cost for part in self.parts), Cost())

    @property
    def stages(self) -> tuple[PartCost, ...]:
        """The stages of residual blocks alone."""
        return tuple(p for p in self.parts if p.name.startswith("stage "))

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """Every layer, in the order of the network."""
        return tuple(layer for part in self.parts for layer in part.layers)

    def table(
        self, rows: str = "parts", style: str = "text", levels: bool = False
    ) -> str:
        """The figures as a table, one part or layer a row, and their sum.

        Args:
            rows: `"parts"` or `"layers"`.
            style: `"text"` or `"markdown"`.
            levels: whether to list the pyramid levels below their row.

        Raises:
            ValueError: if `rows` or `style` is unknown.
        """
        if rows not in ("parts", "layers"):
            raise ValueError(
                f"`rows` must be 'parts' or 'layers'; got {rows!r}"
            )
        size = "x".join(map(str, self.input_shape))
        header = [
            f"{self.architecture.name} at {size}",
            "Output",
            "Parameters",
            "Non-trainable",
            "Multiply-adds (conv + dense)",
            "Operations (paper's convention)",
        ]
        lines = []
        for row in getattr(self, rows):
            shape = "x".join(map(str, row.output_shape))
            lines.append([row.name, shape, *_figures(row)])
            for level in row.levels if levels else ():
                lines.append([_describe(level), "", *_figures(level)])
        lines.append(["in all", "", *_figures(self)])
        return grid(header, lines, style, words=header[:1])

    def __str__(self):
        return self.table()


def complexity(
    architecture: Architecture | str,
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    include_top: bool = True,
    output_stride: int | None = None,
) -> Complexity:
    """Parameters and operations of a residual network for classification.

    In closed form, without making it. Networks of other kinds have functions
    of their own, such as `inception_complexity`, and `python -m
    keras_pyconv.tables` prints them all.

    Args:
        architecture: a record, or the name of a row of `ARCHITECTURES`.
        input_shape: (height, width, channels), all known.
        classes: outputs of the classifier.
        include_top: whether to count the pooling and the classifier.
        output_stride: as for the builders; by default the record's own.

    Returns:
        A `Complexity`: `.parameters`, `.non_trainable`, `.multiply_adds` and
        `.paper_ops` in all, and again in each of `.stages` and `.layers`, and
        in each of a layer's `.levels`.

    Raises:
        ValueError: if the name, the shape or the output stride is none that
            can be counted.

    Example:

    >>> count = complexity("PyConvResNet50")
    >>> count.parameters, count.multiply_adds
    (24847720, 3820441600)
    >>> [stage.parameters for stage in count.stages]
    [186432, 1080320, 6557696, 14964736]
    """
    record = get_architecture(architecture)
    check_shape(input_shape)
    strides = record.strides(output_stride)
    parts = [_stem(record, input_shape)]
    rows = zip(record.stages, strides)
    for number, (stage, (stride, _)) in enumerate(rows, 1):
        shape = parts[-1].output_shape
        parts.append(_stage(record, number, stage, stride, shape))
    if include_top:
        parts.append(classifier(parts[-1].output_shape, classes))
    return Complexity(record, tuple(input_shape), tuple(parts))


def check_shape(input_shape: Shape):
    """Refuses what is not (height, width, channels), all known."""
    known = len(input_shape) == 3 and all(
        isinstance(size, int) and size > 0 for size in input_shape
    )
    if not known:
        raise ValueError(
            "`input_shape` must be three positive integers, as (224, 224, 3); "
            f"got {input_shape!r}"
        )


def _stem(record, input_shape):
    walk = Walk(input_shape)
    walk.conv("conv1_conv", record.stem_width, kernel=7, stride=2)
    walk.batch_norm("conv1_bn")
    walk.relu("conv1_relu")
    if record.stem_pool:
        walk.max_pool("pool1_pool", 3, stride=2)
    return PartCost("stem", tuple(walk.layers))


def _stage(record, number, stage, stride, shape):
    walk = Walk(shape)
    for block in range(1, stage.blocks + 1):
        prefix = f"conv{number + 1}_block{block}"
        shortcut = Walk(walk.shape)
        body = BODIES[record.block]
        body(walk, prefix, stage, stride, record.expansion)
        if block == 1:
            _project(shortcut, f"{prefix}_0", stage, stride, walk.channels)
            stride = 1
        walk.layers += shortcut.layers
        walk.note(f"{prefix}_add", walk.shape, Cost())
        walk.relu(f"{prefix}_out")
    return PartCost(f"stage {number}", tuple(walk.layers))


def _project(walk, name, stage, stride, channels):
    """Pooling where the record has it; a 1x1 where the shape still differs."""
    if stage.shortcut == "pool":
        walk.max_pool(f"{name}_pool", 3, stride)
        stride = 1
    if stride > 1 or walk.channels != channels:
        walk.conv(f"{name}_conv", channels, stride=stride)
        walk.batch_norm(f"{name}_bn")


def _spatial(walk, name, stage, stride=1):
    kind = "pyconv" if len(stage.levels) > 1 else "conv"
    levels = list(zip(stage.kernels, stage.filters, stage.groups))
    walk.pyconv(f"{name}_{kind}", levels, stride)


def _normalize(walk, name, relu=False):
    walk.batch_norm(f"{name}_bn")
    if relu:
        walk.relu(f"{name}_relu", shared=True)


def _bottleneck(walk, prefix, stage, stride, expansion):
    """1x1, PyConv, 1x1."""
    walk.conv(f"{prefix}_1_conv", stage.width)
    _normalize(walk, f"{prefix}_1", relu=True)
    _spatial(walk, f"{prefix}_2", stage, stride)
    _normalize(walk, f"{prefix}_2", relu=True)
    walk.conv(f"{prefix}_3_conv", stage.width * expansion)
    _normalize(walk, f"{prefix}_3")


def _basic1(walk, prefix, stage, stride, expansion):
    """PyConv, PyConv."""
    _spatial(walk, f"{prefix}_1", stage, stride)
    _normalize(walk, f"{prefix}_1", relu=True)
    _spatial(walk, f"{prefix}_2", stage)
    _normalize(walk, f"{prefix}_2")


def _basic2(walk, prefix, stage, stride, expansion):
    """PyConv, 1x1."""
    _spatial(walk, f"{prefix}_1", stage, stride)
    _normalize(walk, f"{prefix}_1", relu=True)
    walk.conv(f"{prefix}_2_conv", stage.width)
    _normalize(walk, f"{prefix}_2")


BODIES = {"bottleneck": _bottleneck, "basic1": _basic1, "basic2": _basic2}


def classifier(shape: Shape, classes: int) -> PartCost:
    """Global average pooling and a dense layer."""
    walk = Walk(shape)
    walk.global_pool("avg_pool")
    walk.dense("predictions", classes)
    return PartCost("classifier", tuple(walk.layers))


def _figures(counted):
    figures = (
        counted.parameters,
        counted.non_trainable,
        counted.multiply_adds,
        counted.paper_ops,
    )
    return [f"{figure:,}" for figure in figures]


def _describe(level):
    size = "x".join(map(str, level.kernel))
    return f"  {size}, G={level.groups}, {level.filters} filters"
