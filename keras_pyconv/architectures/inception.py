"""Inception-ResNet-v2, and PyConv in its place (supplement, section 5).

The paper says that PyConv blocks replace the Inception blocks, prints 43.48 M
parameters and 11.92 G operations, and no widths. The rows of PyConvInception
here are our reconstructions, whose widths were searched for.
"""

import math
from dataclasses import dataclass

from keras_pyconv.architectures.levels import (
    PADDINGS,
    PYRAMIDS,
    Level,
    check,
    check_choice,
    check_fields,
    check_pyramid,
    split,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.arguments import instance, integer, layer_name, shown, text


@dataclass(frozen=True)
class Conv:
    """Convolution without bias, normalization, ReLU.

    `kernel` is (height, width). `padding` is "same" (half the kernel on both
    sides) or "valid" (none).
    """

    filters: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "same"

    def __post_init__(self):
        row = f"Conv of {shown(self.filters)} filters"
        check_fields(self, row)
        check_choice(row, PADDINGS, padding=self.padding)
        # Frameworks place "same" differently where it would be strided.
        good = self.stride == 1 or self.padding == "valid"
        check(good, row, "only a 'valid' convolution may stride")

    @property
    def levels(self) -> tuple[tuple, ...]:
        """(kernel, filters, groups) of the one level."""
        return ((self.kernel, self.filters, 1),)


@dataclass(frozen=True)
class Pyramid:
    """PyConv without bias, normalization, ReLU."""

    filters: int
    pyramid: tuple[Level, ...]
    stride = 1
    padding = "same"

    def __post_init__(self):
        check_fields(self)
        row = f"Pyramid of filters={self.filters}"
        channels = math.lcm(*(level.groups for level in self.pyramid))
        check_pyramid(row, self.pyramid, channels, self.filters)

    @property
    def levels(self) -> tuple[tuple, ...]:
        """(kernel, filters, groups) of each level."""
        kernels = [(level.kernel, level.kernel) for level in self.pyramid]
        groups = [level.groups for level in self.pyramid]
        return tuple(zip(kernels, split(self.filters, self.pyramid), groups))


@dataclass(frozen=True)
class Pool:
    """3x3 pooling: valid maxima at stride 2, or averages inside the map."""

    kind: str

    def __post_init__(self):
        check_choice("Pool", ("max", "average"), kind=self.kind)


Branch = tuple[Conv | Pyramid | Pool, ...]


@dataclass(frozen=True)
class Mixed:
    """Branches over one input, concatenated; a lone branch is a chain."""

    name: str
    branches: tuple[Branch, ...]

    def __post_init__(self):
        check_fields(self)
        check(self.branches, self.name, "`branches` is empty; got ()")


@dataclass(frozen=True)
class Residuals:
    """`blocks` times: branches, a 1x1 back to the input's width, addition.

    The 1x1 has a bias and its output is multiplied by `scale`, as in
    Inception-ResNet; or, where `normalized`, a normalization and no scale, as
    in ResNet. `final_relu` is the ReLU behind the addition.
    """

    name: str
    blocks: int
    branches: tuple[Branch, ...]
    scale: float = 1.0
    normalized: bool = False
    final_relu: bool = True

    def __post_init__(self):
        check_fields(self, shown(self.name).strip("'"))
        layer_name("name", self.name)
        check(self.branches, self.name, "`branches` is empty; got ()")
        message = f"`scale` must lie in (0, 1]; got {self.scale}"
        check(0 < self.scale <= 1, self.name, message)


def branch_name(part: Mixed | Residuals, block: str, number: int) -> str:
    """Prefix of a branch's layers; a lone branch has no number."""
    instance("part", part, (Mixed, Residuals))
    text("block", block)
    integer("number", number)
    return f"{block}_branch{number}" if len(part.branches) > 1 else block


@dataclass(frozen=True)
class Inception:
    """A chain of `parts`, then global pooling and a linear classifier."""

    name: str
    parts: tuple[Mixed | Residuals, ...]
    source: str
    input_size: int = 299

    def __post_init__(self):
        check_fields(self, shown(self.name))
        message = f"`parts` must be one at least; got {self.parts}"
        check(self.parts, self.name, message)
        channels = 3
        for part in self.parts:
            widths = [self._width(part, b, channels) for b in part.branches]
            if isinstance(part, Mixed):
                channels = sum(widths)

    def _width(self, part, branch, channels):
        """Channels behind a branch, its pyramids checked on the way."""
        for step in branch:
            if isinstance(step, Pyramid):
                row = f"{self.name}, {part.name}"
                check_pyramid(row, step.pyramid, channels, step.filters)
            if not isinstance(step, Pool):
                channels = step.filters
        return channels


def _square(filters, side=3, stride=1, padding="same"):
    return Conv(filters, (side, side), stride, padding)


def _halving(filters):
    return _square(filters, 3, 2, "valid")


STEM = Mixed(
    "stem",
    (
        (
            *(_halving(32), _square(32, padding="valid"), _square(64)),
            *(Pool("max"), Conv(80), _square(192, padding="valid")),
            Pool("max"),
        ),
    ),
)
MIXED_5B = Mixed(
    "mixed5b",
    (
        (Conv(96),),
        (Conv(48), _square(64, 5)),
        (Conv(64), _square(96), _square(96)),
        (Pool("average"), Conv(64)),
    ),
)
MIXED_6A = Mixed(
    "mixed6a",
    (
        (_halving(384),),
        (Conv(256), _square(256), _halving(384)),
        (Pool("max"),),
    ),
)
MIXED_7A = Mixed(
    "mixed7a",
    (
        (Conv(256), _halving(384)),
        (Conv(256), _halving(288)),
        (Conv(256), _square(288), _halving(320)),
        (Pool("max"),),
    ),
)
CONV_7B = Mixed("conv7b", ((Conv(1536),),))

BRANCHES_35 = (
    (Conv(32),),
    (Conv(32), _square(32)),
    (Conv(32), _square(48), _square(64)),
)
BRANCHES_17 = (
    (Conv(192),),
    (Conv(128), Conv(160, (1, 7)), Conv(192, (7, 1))),
)
BRANCHES_8 = (
    (Conv(192),),
    (Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1))),
)


def _network(name, source, at_35, at_17, *at_8):
    """Blocks between the parts that all rows share."""
    parts = STEM, MIXED_5B, at_35, MIXED_6A, at_17, MIXED_7A, *at_8, CONV_7B
    return Inception(name, parts, source)


# The blocks of a stage, and how many there are.
BLOCKS = {"block35": 10, "block17": 20, "block8": 10}


def _pyconvinception(name, source, *stages):
    blocks = [
        Residuals(block, count, branches, normalized=True)
        for (block, count), branches in zip(BLOCKS.items(), stages)
    ]
    return _network(name, source, *blocks)


def _bottleneck(width, pyramid):
    """1x1 and PyConv of one width (paper, Figure 4)."""
    return ((Conv(width), Pyramid(width, pyramid)),)


def _beside(branch_width, width, filters, pyramid):
    """A 1x1 beside a 1x1 and a PyConv, as in an Inception block."""
    return ((Conv(branch_width),), (Conv(width), Pyramid(filters, pyramid)))


# Of 24 filters a level, 12 is the divisor nearest to the paper's 16 groups.
PYRAMID_OF_96 = (*PYRAMIDS[4][:3], Level(9, 12, "1/4"))
_OURS = "supplement, Table 5; our reconstruction"

_ROWS = (
    _network(
        "InceptionResNetV2",
        "supplement, Table 5",
        Residuals("block35", 10, BRANCHES_35, 0.17),
        Residuals("block17", 20, BRANCHES_17, 0.1),
        Residuals("block8", 9, BRANCHES_8, 0.2),
        Residuals("block8last", 1, BRANCHES_8, final_relu=False),
    ),
    _pyconvinception(
        "PyConvInceptionResNetV2",
        _OURS,
        _bottleneck(96, PYRAMID_OF_96),
        _bottleneck(256, PYRAMIDS[4]),
        _bottleneck(192, PYRAMIDS[3]),
    ),
    _pyconvinception(
        "PyConvInceptionResNetV2Levels432",
        f"{_OURS}, the paper's pyramids",
        _bottleneck(64, PYRAMIDS[4]),
        _bottleneck(256, PYRAMIDS[3]),
        _bottleneck(192, PYRAMIDS[2]),
    ),
    _pyconvinception(
        "PyConvInceptionResNetV2Branch",
        f"{_OURS}, both printed figures",
        _beside(96, 96, 96, PYRAMID_OF_96),
        _beside(128, 96, 256, PYRAMIDS[3]),
        _beside(64, 128, 256, PYRAMIDS[2]),
    ),
)

INCEPTIONS = {row.name: row for row in _ROWS}


def get_inception(inception: Inception | str) -> Inception:
    """The record itself, or the row of that name; else a ValueError."""
    return find("inception", inception, Inception, INCEPTIONS)
