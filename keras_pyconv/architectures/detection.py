"""Detection networks of the paper (supplement, section 1), as data.

SSD at 300 x 300: three stages of a backbone, the third without its stride, so
that the first map is 38 x 38; extra layers that shrink the map further; and at
every map the convolutions that predict boxes and classes. That the third stage
of PyConvSSD keeps the max pooling on its shortcut, at stride 1, is inferred.
"""

from dataclasses import dataclass, replace

from keras_pyconv.architectures.levels import (
    PADDINGS,
    PYRAMIDS,
    Level,
    check,
    check_choice,
    check_fields,
    check_pyramid,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.architectures.residual import (
    ARCHITECTURES,
    Architecture,
)
from keras_pyconv.arguments import integer, shown


@dataclass(frozen=True)
class ExtraLayer:
    """1x1 convolution to `bottleneck`, then a pyramid to `filters`.

    `padding` is "same" (half the kernel on both sides) or "valid" (none).
    """

    bottleneck: int
    filters: int
    levels: tuple[Level, ...]
    stride: int = 2
    padding: str = "same"

    def __post_init__(self):
        row = f"ExtraLayer of {shown(self.filters)} filters"
        check_fields(self, row)
        check_choice(row, PADDINGS, padding=self.padding)
        check_pyramid(row, self.levels, self.bottleneck, self.filters)


@dataclass(frozen=True)
class BoxMap:
    """Default boxes at each position of one feature map, in pixels.

    `step` is between positions. Boxes are squares of `size` and of the
    geometric mean of `size` and `next_size`, and of `size` at each of
    `aspect_ratios` and its inverse. In images of other sizes than the
    detector's `input_size` they cover the same fraction at the same steps; but
    positions of a `spread` map, which layers without padding made, divide the
    image evenly.
    """

    step: int
    size: int
    next_size: int
    aspect_ratios: tuple[int, ...]
    spread: bool = False

    def __post_init__(self):
        check_fields(self)
        message = f"`next_size` must exceed {self.size}; got {self.next_size}"
        check(self.next_size > self.size, "BoxMap", message)

    @property
    def boxes(self) -> int:
        """Boxes at each position."""
        return 2 + 2 * len(self.aspect_ratios)


@dataclass(frozen=True)
class Detector:
    """SSD: backbone up to the first map, extra layers, and default boxes."""

    name: str
    backbone: Architecture
    extra_layers: tuple[ExtraLayer, ...]
    box_maps: tuple[BoxMap, ...]
    source: str
    input_size: int = 300

    def __post_init__(self):
        check_fields(self, shown(self.name))
        maps, rows = 1 + len(self.extra_layers), len(self.box_maps)
        message = f"{maps} feature maps need as many `box_maps`; got {rows}"
        check(maps == rows, self.name, message)
        self._check_steps()

    def _check_steps(self):
        """Steps agree with the strides, or spread over the image."""
        sizes = self.map_sizes(self.input_size, self.input_size)
        stride = self.backbone.total_stride
        strides = [stride]
        for layer in self.extra_layers:
            strides.append(strides[-1] * layer.stride)
        rows = zip(self.box_maps, strides, sizes)
        for number, (boxes, stride, (height, _)) in enumerate(rows, 1):
            wanted = self.input_size / height if boxes.spread else stride
            message = f"`step` must be {wanted:g}; got {boxes.step}"
            row = f"{self.name}, map {number}"
            check(boxes.step == wanted, row, message)

    def map_sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every map; a ValueError for too small images."""
        integer("height", height)
        integer("width", width)
        rows, columns = (
            self._sides(side, f"{height} x {width}") for side in (height, width)
        )
        return tuple(zip(rows, columns))

    def _sides(self, side, image):
        sides = [-(-side // self.backbone.total_stride)]
        for number, layer in enumerate(self.extra_layers, 1):
            left = sides[-1]
            if layer.padding == "valid":
                left -= max(level.kernel for level in layer.levels) - 1
            message = (
                f"an image of {image} pixels leaves nothing for extra layer "
                f"{number}; the smallest side is {self.smallest_side}"
            )
            check(left > 0, self.name, message)
            sides.append(-(-left // layer.stride))
        return sides

    @property
    def smallest_side(self) -> int:
        """The fewest pixels of a side that leave a unit in every map."""
        side = 1
        for layer in reversed(self.extra_layers):
            side = (side - 1) * layer.stride + 1
            if layer.padding == "valid":
                side += max(level.kernel for level in layer.levels) - 1
        return (side - 1) * self.backbone.total_stride + 1

    def num_boxes(self, height: int, width: int) -> int:
        """Default boxes of an image of so many pixels."""
        sizes = self.map_sizes(height, width)
        return sum(
            rows * columns * boxes.boxes
            for (rows, columns), boxes in zip(sizes, self.box_maps)
        )


# SSD's default boxes at 300 x 300; 8,732 in all.
BOX_MAPS = (
    BoxMap(8, 21, 45, (2,)),
    BoxMap(16, 45, 99, (2, 3)),
    BoxMap(32, 99, 153, (2, 3)),
    BoxMap(64, 153, 207, (2, 3)),
    BoxMap(100, 207, 261, (2,), spread=True),
    BoxMap(300, 261, 315, (2,), spread=True),
)

# Ours, for images of 128 x 128 and objects from an eighth of them up; every
# layer is padded, so that any size goes through. 1,520 boxes.
MINI_BOX_MAPS = (
    BoxMap(8, 14, 26, (2,)),
    BoxMap(16, 26, 52, (2, 3)),
    BoxMap(32, 52, 78, (2, 3)),
    BoxMap(64, 78, 110, (2,)),
)

# Levels of the pyramid in each extra layer, by the head's name.
HEADS = {"SSD": (1, 1, 1, 1, 1), "PyConvSSD": (4, 3, 2, 1, 1)}
# What the names of a head's backbones begin with.
_FAMILIES = {"SSD": "ResNet", "PyConvSSD": "PyConvResNet"}
MINIS = ("ResNetMini", "PyConvResNetMini")


def _extra_layers(levels):
    """SSD's extra layers with a pyramid of so many levels in each."""
    widths = ((256, 512), (256, 512), (128, 256), (128, 256), (128, 256))
    padded = ((2, "same"),) * 3 + ((1, "valid"),) * 2
    return tuple(
        ExtraLayer(*width, PYRAMIDS[count], *window)
        for width, count, window in zip(widths, levels, padded)
    )


def _compose(head, row, source):
    """A head on stages 1 to 3 of a network, the third without its stride."""
    stages = *row.stages[:2], replace(row.stages[2], stride=1)
    backbone = replace(row, stages=stages, total_stride=8)
    name, levels = f"{head}{row.name}", HEADS[head]
    if row.name not in MINIS:
        extra = _extra_layers(levels)
        return Detector(name, backbone, extra, BOX_MAPS, source)
    extra = tuple(ExtraLayer(64, 128, PYRAMIDS[n]) for n in levels[:3])
    return Detector(name, backbone, extra, MINI_BOX_MAPS, source, 128)


def _rows():
    for size in ("50", "101", "Mini"):
        for head, family in _FAMILIES.items():
            source = "supplement, Table 1"
            if size == "Mini":
                source = f"ours: {head} for small images"
            yield _compose(head, ARCHITECTURES[family + size], source)


DETECTORS = {row.name: row for row in _rows()}


def backbone_of(head: str, small: bool = False) -> str:
    """The backbone that stands under a head by default, or a small one."""
    check_choice("Detector", HEADS, head=head)
    return _FAMILIES[head] + ("Mini" if small else "50")


def get_detector(head: str, backbone: Architecture | str) -> Detector:
    """The head on a backbone: a row of `DETECTORS`, or one made alike.

    Args:
        head: `"PyConvSSD"` or `"SSD"`.
        backbone: a residual network of at least three stages, whose stride
            is 16 behind the third; a record, or the name of a row of
            `ARCHITECTURES`.

    Raises:
        ValueError: if the head or the backbone is unknown or does not fit.
    """
    check_choice("Detector", HEADS, head=head)
    row = find("backbone", backbone, Architecture, ARCHITECTURES)
    if ARCHITECTURES.get(row.name) == row and f"{head}{row.name}" in DETECTORS:
        return DETECTORS[f"{head}{row.name}"]
    message = f"a backbone needs three stages; got {len(row.stages)}"
    check(len(row.stages) > 2, row.name, message)
    return _compose(head, row, f"ours: {head} on {row.source}")
