"""Segmentation networks of the paper (section 5), as data.

A network is a backbone that dilates, a head on its last stage, and an
auxiliary head on the stage before, which works in training alone; the paper's
parameters and GFLOPs include it (Table 4; supplement, Table 6).
"""

from dataclasses import dataclass, replace
from typing import Any

from keras_pyconv.architectures.levels import (
    PYRAMIDS,
    Level,
    check_choice,
    check_fields,
    check_pyramid,
    check_rate,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.architectures.residual import ARCHITECTURES, Architecture
from keras_pyconv.arguments import integer, one_of, rate, shown
from keras_pyconv.reading import short


class Head:
    """A record of a head; `networks.segmentation.HEADS` has its function."""


@dataclass(frozen=True)
class ParsingHead(Head):
    """PyConvPH (paper, Figure 5): a local and a global branch, merged.

    Both are 1x1, PyConv, 1x1 of `width` filters; the global one works on
    `bins` x `bins` averages of the whole map. One 3x3 convolution merges
    them to `merged_width` channels.
    """

    width: int = 512
    levels: tuple[Level, ...] = PYRAMIDS[4]
    bins: int = 9
    merged_width: int = 256

    def __post_init__(self):
        check_fields(self)
        row = f"ParsingHead, width {self.width}"
        check_pyramid(row, self.levels, self.width, self.width)


@dataclass(frozen=True)
class PoolingHead(Head):
    """A 3x3 convolution of `width` filters over pooled context (PSPNet).

    Each of `bins` averages the map to that many bins along each axis, and
    adds a 1x1 convolution of `width` filters, enlarged again, to the 3x3's
    input. Without bins this is the baseline of supplement, Table 6.
    """

    width: int = 512
    bins: tuple[int, ...] = ()

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class AtrousHead(Head):
    """ASPP of DeepLabv3: a 1x1, dilated 3x3s and an image average, merged.

    The paper does not print the `rates`; these are DeepLabv3's own at an
    output stride of 16, which double at 8.
    """

    width: int = 256
    rates: tuple[int, ...] = (6, 12, 18)

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True)
class Segmenter:
    """Backbone, head, and an auxiliary head on the stage before the last.

    `auxiliary_width` is of the auxiliary head's 3x3 convolution and
    `dropout`, of whole channels, stands before both classifiers.
    """

    name: str
    backbone: Architecture
    head: Head
    source: str
    output_stride: int = 8
    auxiliary_width: int = 256
    dropout: float = 0.1

    def __post_init__(self):
        check_fields(self, shown(self.name))
        check_rate(self.name, self.dropout)
        self.backbone.strides(self.output_stride)


# The heads of supplement, Table 6, by what users call them.
HEADS = {
    "conv": PoolingHead(),
    "aspp": AtrousHead(),
    "ppm": PoolingHead(bins=(1, 2, 3, 6)),
    "pyconv": ParsingHead(),
}
OUTPUT_STRIDES = (8, 16)
# Beginnings of the rows' names.
PREFIXES = {
    "conv": "Baseline",
    "aspp": "DeepLabv3",
    "ppm": "PSPNet",
    "pyconv": "PyConvSegNet",
}


def get_head(head: Head | str, output_stride: int) -> Head:
    """The record itself, or the head of that name at an output stride."""
    one_of("output_stride", output_stride, OUTPUT_STRIDES)
    if isinstance(head, Head):
        return head
    if not isinstance(head, str) or head not in HEADS:
        raise ValueError(
            f"Unknown head {short(head)}. Known: {', '.join(HEADS)}; or pass "
            "a `ParsingHead`, `PoolingHead` or `AtrousHead` record as `head`."
        )
    record = HEADS[head]
    if isinstance(record, AtrousHead) and output_stride == 8:
        return AtrousHead(rates=tuple(2 * rate for rate in record.rates))
    return record


def make_segmenter(
    backbone: Architecture | str,
    head: Head | str = "pyconv",
    output_stride: int = 8,
    dropout: float = 0.1,
    source: str = "the arguments of PyConvSegNet",
    head_width: int | None = None,
) -> Segmenter:
    """The record of a backbone with a head at an output stride.

    With `head_width` the heads are narrower, for small backbones: the main
    one has that width, its merging convolution and the auxiliary head half.
    """
    backbone = find("backbone", backbone, Architecture, ARCHITECTURES)
    check_choice(backbone.name, OUTPUT_STRIDES, output_stride=output_stride)
    rate("dropout", dropout)
    if head_width is not None:
        integer("head_width", head_width, at_least=2)
    label = PREFIXES.get(head) if isinstance(head, str) else None
    record: Any = get_head(head, output_stride)
    name = f"{label or type(record).__name__}{backbone.name}"
    name += "Stride16" if output_stride == 16 else ""
    widths = {}
    if head_width is not None:
        changes = {"width": head_width}
        if isinstance(record, ParsingHead):
            changes["merged_width"] = head_width // 2
        record = replace(record, **changes)
        widths["auxiliary_width"] = head_width // 2
        name += f"Width{head_width}"
    stride = int(output_stride)
    return Segmenter(
        name, backbone, record, source, stride, dropout=dropout, **widths
    )


def _rows():
    for depth in (50, 101, 152):
        for family in ("ResNet", "PyConvResNet"):
            yield make_segmenter(f"{family}{depth}", source="Table 4")
    for head in HEADS:
        source = "supplement, Table 6"
        if head != "pyconv":
            yield make_segmenter("ResNet50", head, source=source)
        yield make_segmenter("ResNet50", head, 16, source=source)
    for depth in (152, 269):
        yield make_segmenter(f"ResNet{depth}", "ppm", source="Table 5")


SEGMENTERS = {row.name: row for row in _rows()}


def get_segmenter(segmenter: Segmenter | str) -> Segmenter:
    """The record itself, or the row of that name; else a ValueError."""
    return find("segmenter", segmenter, Segmenter, SEGMENTERS)
