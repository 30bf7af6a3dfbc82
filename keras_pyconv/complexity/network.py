"""The cost of networks, by layer and by level (paper, section 4, Table 1)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_pyconv import arguments, networks
from keras_pyconv.architectures import (
    ARCHITECTURES,
    RECORDS,
    Architecture,
    Detector,
    Inception,
    Segmenter,
    VideoArchitecture,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.architectures.published import COSTS
from keras_pyconv.complexity.cost import Cost
from keras_pyconv.complexity.counter import (
    Counted,
    Counter,
    LayerCost,
    PartCost,
    Shape,
)
from keras_pyconv.complexity.grid import grid

COUNTING_RULE = (
    "Parameters: trainable parameters, without the moving statistics of batch "
    "normalization. Multiply-adds: of convolutions and dense layers. Paper's "
    "convention: operations as thop counted them in mid-2019, including "
    "normalization, activation and pooling. Printed: the figures of the "
    "source, in the paper's convention."
)
FIGURES = {
    "Parameters": "parameters",
    "Non-trainable": "non_trainable",
    "Multiply-adds (conv + dense)": "multiply_adds",
    "Operations (paper's convention)": "paper_ops",
}


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
        """
        arguments.one_of("rows", rows, ("parts", "layers"))
        arguments.flag("levels", levels)
        title = f"{self.architecture.name} at {_sides(self.input_shape)}"
        lines = []
        for row in getattr(self, rows):
            shape = _sides(row.output_shape)
            lines.append([row.name, shape, *_figures(row)])
            for level in row.levels if levels else ():
                size, count = _sides(level.kernel), level.filters
                words = f"  {size}, G={level.groups}, {count} filters"
                lines.append([words, "", *_figures(level)])
        lines.append(["in all", "", *_figures(self)])
        return grid([title, "Output", *FIGURES], lines, style, words=(title,))

    def __str__(self):
        return self.table()


def _sides(shape):
    return "x".join(map(str, shape))


def _figures(counted):
    return [f"{getattr(counted, name):,}" for name in FIGURES.values()]


AnyRecord = Architecture | Inception | Segmenter | Detector | VideoArchitecture
# By the kind of a record: its description, the shape of an input, the classes.
_KINDS: dict[type, tuple[Callable[..., Any], tuple[int, ...], int]] = {
    Architecture: (networks.classifier, (224, 224, 3), 1000),
    Inception: (networks.inception, (299, 299, 3), 1000),
    Segmenter: (networks.segmenter, (473, 473, 3), 150),
    Detector: (networks.detector, (300, 300, 3), 81),
    VideoArchitecture: (networks.classifier, (16, 224, 224, 3), 400),
}


def complexity(
    architecture: AnyRecord | str,
    input_shape: Sequence[int] | int | None = None,
    classes: int | None = None,
    **options: Any,
) -> Complexity:
    """Parameters and operations of a network of any kind, for one input.

    Args:
        architecture: a record of `keras_pyconv.architectures`, or its name.
        input_shape: (height, width, channels), of video networks (frames,
            height, width, channels), all known; or one number for height and
            width. By default the size that the paper counts at.
        classes: outputs of the classifier; by default those of the paper's
            data set. Of detectors the background is one.
        **options: of classifiers `include_top=False`, which leaves pooling
            and classifier out; of residual networks of images
            `output_stride`, as for the builders; of segmentation networks
            `auxiliary=False`, which leaves out the auxiliary head, which the
            paper counts.

    Returns:
        A `Complexity`: `.parameters`, `.non_trainable`, `.multiply_adds` and
        `.paper_ops` in all, and again in each of `.stages` and `.layers`, and
        in each of a layer's `.levels`.

    Example:

    >>> count = complexity("PyConvResNet50")
    >>> count.parameters, count.multiply_adds
    (24847720, 3820441600)
    >>> [stage.parameters for stage in count.stages]
    [186432, 1080320, 6557696, 14964736]
    >>> complexity("PyConvSegNetPyConvResNet50", 473, classes=150).parameters
    33688236
    """
    row = find("architecture", architecture, tuple(_KINDS), RECORDS)
    kind = next(kind for kind in _KINDS if isinstance(row, kind))
    describe, shape, usual_classes = _KINDS[kind]
    classes = (
        arguments.integer("classes", classes, optional=True) or usual_classes
    )
    for name, value in options.items():
        if name != "output_stride":
            arguments.flag(name, value)
    side = getattr(row, "input_size", shape[-2])
    if arguments.is_integer(input_shape):
        side, input_shape = input_shape, None
    if input_shape is None:
        input_shape = (*shape[:-3], side, side, shape[-1])
    net = Counter(arguments.integers("input_shape", input_shape, len(shape)))
    describe(net, net.input, row, classes, **options)
    return Complexity(row, net.input.output_shape, tuple(net.parts))


def networks_table(
    names: Iterable[str] | None = None,
    input_size: int | None = None,
    style: str = "markdown",
) -> str:
    """One network a row: counts by closed form beside the printed figures.

    Print `COUNTING_RULE`, which says how they are counted, beside them.

    Args:
        names: of records of any kind; by default those of `ARCHITECTURES`.
        input_size: height and width of the input, in pixels; by default the
            size at which the paper counts.
        style: `"text"` or `"markdown"`.
    """
    header = [
        *("Network", "Parameters, M", "Multiply-adds (conv + dense), G"),
        *("Operations (paper's convention), G", "Printed, M / G", "Source"),
    ]
    names = arguments.iterable(
        "names", list(ARCHITECTURES) if names is None else names
    )
    arguments.integer("input_size", input_size, optional=True)
    rows = [
        _row(find(f"names[{place}]", name, tuple(_KINDS), RECORDS), input_size)
        for place, name in enumerate(names)
    ]
    return grid(header, rows, style, words=("Network", "Source"))


def _row(record, size):
    count = complexity(record, size)
    printed = COSTS.get((record.name, count.input_shape[-2]))
    source = record.source
    if printed and count.input_shape[-2] == 320:
        source = "supplement, Table 4"
    return [
        record.name,
        f"{count.parameters / 1e6:.2f}",
        f"{count.multiply_adds / 1e9:.2f}",
        f"{count.paper_ops / 1e9:.2f}",
        f"{printed[0]:.2f} / {printed[1]:.2f}" if printed else "",
        source,
    ]
