"""The cost of networks, in closed form from their records.

Every layer is counted under the name it has in the Keras model, and every
level of every pyramid on its own (paper, section 4, Table 1).

The fact a reader would get wrong: max pooling on the shortcuts costs no
multiply-adds, yet the paper's GFLOPs contain it, three operations an output.
"""

import warnings
from dataclasses import dataclass
from typing import Any

from keras_pyconv import networks
from keras_pyconv.architectures import (
    DETECTORS,
    Architecture,
    Detector,
    Inception,
    Segmenter,
    VideoArchitecture,
    get_architecture,
    get_inception,
    get_segmenter,
    get_video_architecture,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.complexity.cost import Cost
from keras_pyconv.complexity.counter import (
    Counted,
    Counter,
    LayerCost,
    PartCost,
    Shape,
)
from keras_pyconv.complexity.grid import grid


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
    net = _counter(input_shape)
    x = networks.trunk(net, net.input, record, output_stride=output_stride)[-1]
    if include_top:
        networks.top(net, x, classes)
    return _counted(record, net)


def comparison_complexity(row, *args, **kwargs) -> Complexity:
    """The older name of `complexity`, for the other networks of Table 3."""
    warnings.warn(
        "`comparison_complexity` is `complexity` now, and goes in version 0.3",
        DeprecationWarning,
        stacklevel=2,
    )
    return complexity(row, *args, **kwargs)


def video_complexity(
    row: VideoArchitecture | str,
    input_shape: Shape = (16, 224, 224, 3),
    classes: int = 400,
) -> Complexity:
    """Parameters and operations of a video network, for one clip.

    The printed 44.91 M of PyConvResNet3D-50 are those of a classifier of 174
    classes; with the 400 that the table names it has 45.37 M.

    Args:
        row: a record, or the name of a row of `VIDEO_ARCHITECTURES`.
        input_shape: (frames, height, width, channels), all known.
        classes: outputs of the classifier.

    Raises:
        ValueError: if the name or the shape is none that can be counted.

    Example:

    >>> video_complexity("ResNet3D50").parameters
    46999760
    """
    row = get_video_architecture(row)
    net = _counter(input_shape, (16, 224, 224, 3))
    networks.classifier(net, net.input, row, classes)
    return _counted(row, net)


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
    net = _counter(input_shape)
    if include_top:
        networks.inception(net, net.input, row, classes)
    else:
        networks.inception_trunk(net, net.input, row)
    return _counted(row, net)


def segmentation_complexity(
    row: Segmenter | str,
    input_shape: Shape = (473, 473, 3),
    classes: int = 150,
    auxiliary: bool = True,
) -> Complexity:
    """Parameters and operations of a segmentation network.

    Both classifiers work on the small map, before the enlargement to the
    image's size, whatever section 5 says.

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
    row = get_segmenter(row)
    net = _counter(input_shape)
    networks.segmenter(net, net.input, row, classes, auxiliary)
    return _counted(row, net)


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
    net = _counter((row.input_size, row.input_size, 3))
    networks.detector(net, net.input, row, classes)
    return _counted(row, net)


def _counter(input_shape, example=(224, 224, 3)):
    """A `Counter` of an input without unknown sizes."""
    known = len(input_shape) == len(example) and all(
        isinstance(size, int) and size > 0 for size in input_shape
    )
    if not known:
        numbers = {3: "three", 4: "four"}[len(example)]
        raise ValueError(
            f"`input_shape` must be {numbers} positive integers, as "
            f"{example}; got {input_shape!r}"
        )
    return Counter(input_shape)


def _counted(row, net):
    return Complexity(row, net.input.output_shape, tuple(net.parts))


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
