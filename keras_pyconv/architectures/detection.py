"""Detection networks of the paper (supplement, section 1), as data.

SSD at 300 x 300: three stages of a backbone, extra layers that shrink the map
further, and at every map the convolutions that predict boxes and classes.

The fact a reader would get wrong: the third stage neither strides nor
dilates, so that the first map is 38 x 38.

One thing is inferred: the third stage of PyConvSSD keeps the max pooling on
its shortcut, at stride 1. The paper does not say so, and its figures cannot
tell, for the pooling has no parameters and changes no printed digit.
"""

from dataclasses import dataclass, replace

from keras_pyconv.architectures.levels import (
    PYRAMIDS,
    Level,
    check,
    check_positive,
    check_pyramid,
    check_row,
)
from keras_pyconv.architectures.residual import ARCHITECTURES, Architecture


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
        row = f"ExtraLayer of {self.filters} filters"
        check_positive(row, bottleneck=self.bottleneck, stride=self.stride)
        check(
            self.padding in ("same", "valid"),
            row,
            f"`padding` is 'same' or 'valid'; got {self.padding!r}",
        )
        check_pyramid(row, self.levels, self.bottleneck, self.filters)


@dataclass(frozen=True)
class BoxMap:
    """Default boxes at each position of one feature map, in pixels.

    `step` is between positions. Boxes are squares of `size` and of the
    geometric mean of `size` and `next_size`, and of `size` at each of
    `aspect_ratios` and its inverse.
    """

    step: int
    size: int
    next_size: int
    aspect_ratios: tuple[int, ...]

    def __post_init__(self):
        check_positive("BoxMap", step=self.step, size=self.size)
        check(
            self.next_size > self.size,
            "BoxMap",
            f"`next_size` must exceed {self.size}; got {self.next_size}",
        )

    @property
    def boxes(self) -> int:
        """Boxes at each position."""
        return 2 + 2 * len(self.aspect_ratios)


@dataclass(frozen=True)
class Detector:
    """SSD: backbone, extra layers, and default boxes on every map.

    The backbone is cut behind the stage that gives the first map.
    """

    name: str
    backbone: Architecture
    extra_layers: tuple[ExtraLayer, ...]
    box_maps: tuple[BoxMap, ...]
    source: str
    input_size: int = 300

    def __post_init__(self):
        check_row(self.name, self.source)
        check_positive(self.name, input_size=self.input_size)
        maps = 1 + len(self.extra_layers)
        check(
            len(self.box_maps) == maps,
            self.name,
            f"{maps} feature maps need as many entries of `box_maps`; "
            f"got {len(self.box_maps)}",
        )


# SSD's default boxes at 300 x 300; 8,732 in all.
BOX_MAPS = tuple(
    BoxMap(*row)
    for row in (
        (8, 21, 45, (2,)),
        (16, 45, 99, (2, 3)),
        (32, 99, 153, (2, 3)),
        (64, 153, 207, (2, 3)),
        (100, 207, 261, (2,)),
        (300, 261, 315, (2,)),
    )
)


def _extra_layers(levels):
    """SSD's extra layers with a pyramid of so many levels in each."""
    widths = ((256, 512), (256, 512), (128, 256), (128, 256), (128, 256))
    padded = ((2, "same"),) * 3 + ((1, "valid"),) * 2
    return tuple(
        ExtraLayer(*width, PYRAMIDS[count], *window)
        for width, count, window in zip(widths, levels, padded)
    )


def _backbone(name):
    """Stages 1 to 3 of a network, the third without its stride alone."""
    row = ARCHITECTURES[name]
    third = replace(row.stages[2], stride=1)
    return replace(row, stages=(*row.stages[:2], third), total_stride=8)


def _rows():
    families = {
        "SSD": ("ResNet", (1, 1, 1, 1, 1)),
        "PyConvSSD": ("PyConvResNet", (4, 3, 2, 1, 1)),
    }
    for depth in (50, 101):
        for prefix, (family, levels) in families.items():
            yield Detector(
                f"{prefix}{family}{depth}",
                _backbone(f"{family}{depth}"),
                _extra_layers(levels),
                BOX_MAPS,
                "supplement, Table 1",
            )


DETECTORS = {row.name: row for row in _rows()}
