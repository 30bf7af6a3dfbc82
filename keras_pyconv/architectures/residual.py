"""Every residual network of the paper for classification, as data.

The records check themselves when they are made, so that a wrong digit fails at
import and names its row. PyConvResNet has no max pooling in its stem but on
the projection shortcut of every stage (paper, Table 1).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

from keras_pyconv.architectures.levels import (
    ABLATION_PYRAMIDS,
    HG_PYRAMIDS,
    MINI_PYRAMIDS,
    PYRAMIDS,
    TOP_PYRAMIDS,
    Level,
    check,
    check_choice,
    check_fields,
    check_pyramid,
    split,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.arguments import shown

BLOCKS = {
    "bottleneck": "1x1, PyConv, 1x1 (paper, Figure 4)",
    "basic1": "PyConv, PyConv (authors' BasicBlock1)",
    "basic2": "PyConv, 1x1 (authors' BasicBlock2)",
    "squeezed": "a bottleneck with a gate for each channel (SE-ResNet)",
    "squeezed_biased": "the same, with biases in the gate, as in timm",
    "preactivated": "a bottleneck, normalized and activated before each "
    "convolution (pre-activation ResNet)",
}
BASIC_BLOCKS = ("basic1", "basic2")
SHORTCUTS = {
    "conv": "1x1 convolution with the block's stride, as in ResNet",
    "pool": "3x3 max pooling with the block's stride, then a 1x1 convolution",
}


@dataclass(frozen=True)
class Stage:
    """Residual blocks at one resolution; the first one applies the stride.

    `width` is the number of filters of the spatial convolution.
    """

    width: int
    blocks: int
    levels: tuple[Level, ...]
    stride: int = 2
    shortcut: str = "pool"

    def __post_init__(self):
        row = f"Stage of width {shown(self.width)}"
        check_fields(self, row)
        check_choice(row, (1, 2), stride=self.stride)
        check_choice(row, SHORTCUTS, shortcut=self.shortcut)
        check_pyramid(row, self.levels, self.width, self.width)

    @property
    def filters(self) -> tuple[int, ...]:
        """Filters of each level."""
        return split(self.width, self.levels)

    @property
    def kernels(self) -> tuple[int, ...]:
        """Kernel size of each level."""
        return tuple(level.kernel for level in self.levels)

    @property
    def groups(self) -> tuple[int, ...]:
        """Channel groups of each level."""
        return tuple(level.groups for level in self.levels)


class StageLayout(NamedTuple):
    """A stage in its network; sizes are one for all axes, or one an axis."""

    block: str | Callable
    blocks: int
    width: int
    channels: int
    filters: tuple[int, ...]
    kernels: tuple
    groups: tuple[int, ...]
    strides: int | tuple[int, ...]
    dilation: int
    shortcut: str
    window: int | tuple[int, ...] = 3
    non_local: bool = False


@dataclass(frozen=True)
class Architecture:
    """A residual network: a stem, four stages, and a linear classifier.

    `source` is where the row was read. `block` is one of `BLOCKS`, or a
    function as in `networks.residual`. `stem_pool` is the 3x3 max pooling after
    the stem; `non_local` an embedded non-local block after every stage.
    """

    name: str
    stages: tuple[Stage, ...]
    source: str
    expansion: int = 4
    block: str | Callable = "bottleneck"
    stem_width: int = 64
    stem_pool: bool = False
    total_stride: int = 32
    non_local: bool = False

    # Not fields: every network of images has the same.
    stem_kernel = 7
    stem_strides = 2
    stem_window = 3

    def __post_init__(self):
        check_fields(self, shown(self.name).strip("'"))
        if not callable(self.block) or isinstance(self.block, type):
            check_choice(self.name, BLOCKS, block=self.block)
        good = self.block not in BASIC_BLOCKS or self.expansion == 1
        message = f"basic blocks do not expand; got expansion={self.expansion}"
        check(good, self.name, message)
        check(self.stages, self.name, "`stages` is empty; got ()")
        stem = 4 if self.stem_pool else 2
        stride = stem * prod(stage.stride for stage in self.stages)
        message = (
            f"the strides multiply to {stride}, not to the claimed "
            f"total_stride={self.total_stride}"
        )
        check(stride == self.total_stride, self.name, message)
        for stage, channels in zip(self.stages, self._spatial_inputs()):
            self._check_groups(stage, channels)

    def _spatial_inputs(self):
        """Channels that enter each stage's first spatial convolution."""
        if self.block not in BASIC_BLOCKS:
            return [stage.width for stage in self.stages]
        return [self.stem_width] + [stage.width for stage in self.stages[:-1]]

    def _check_groups(self, stage, channels):
        row = f"{self.name}, stage of width {stage.width}"
        for number, level in enumerate(stage.levels, 1):
            message = (
                f"groups={level.groups} does not divide the {channels} "
                "channels that enter its first block"
            )
            good = channels % level.groups == 0
            check(good, f"{row}, level {number}", message)

    @property
    def channels(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return tuple(stage.width * self.expansion for stage in self.stages)

    def strides(
        self, output_stride: int | None = None
    ) -> tuple[tuple[int, int], ...]:
        """Stride and dilation of each stage for a given `output_stride`.

        By the authors' rule for segmentation, the last stages trade their
        stride for dilation, from their first block on. None is the record's
        own `total_stride`.
        """
        if output_stride is None:
            output_stride = self.total_stride
        tradable = prod(stage.stride for stage in self.stages)
        known = [
            self.total_stride // factor
            for factor in (1, 2, 4)
            if tradable % factor == 0
        ]
        check_choice(self.name, known, output_stride=output_stride)
        pairs, excess = [], self.total_stride // int(output_stride)
        for stage in reversed(self.stages):
            kept = excess == 1 or stage.stride == 1
            pairs.append((stage.stride if kept else 1, excess))
            excess //= 1 if kept else stage.stride
        return tuple(reversed(pairs))

    def layout(
        self, output_stride: int | None = None
    ) -> tuple[StageLayout, ...]:
        """The stages at an `output_stride`, as `strides` has it."""
        rows = zip(self.stages, self.channels, self.strides(output_stride))
        return tuple(
            StageLayout(
                self.block,
                stage.blocks,
                stage.width,
                channels,
                stage.filters,
                stage.kernels,
                stage.groups,
                *traded,
                stage.shortcut,
                non_local=self.non_local,
            )
            for stage, channels, traded in rows
        )


# Blocks per stage by depth, as in ResNet.
DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    269: (3, 30, 48, 8),  # the backbone of PSPNet-269
}
WIDTHS = (64, 128, 256, 512)


def _network(
    name,
    source,
    depth=50,
    levels=(4, 3, 2, 1),
    pyramids=PYRAMIDS,
    widths=WIDTHS,
    strides=(2, 2, 2, 2),
    shortcuts=("pool",) * 4,
    **changes,
):
    """By default PyConvResNet (Table 1)."""
    rows = zip(widths, DEPTHS[depth], levels, strides, shortcuts)
    stages = tuple(
        Stage(width, blocks, pyramids[count], stride, shortcut)
        for width, blocks, count, stride, shortcut in rows
    )
    return Architecture(name, stages, source, **changes)


_RESNET = {
    "strides": (1, 2, 2, 2),
    "shortcuts": ("conv",) * 4,
    "stem_pool": True,
}


def _resnet(name, source, depth=50, levels=(1, 1, 1, 1), **changes):
    """ResNet (stride on the 3x3), its 3x3 replaced by pyramids (Table 2)."""
    return _network(name, source, depth, levels, **_RESNET, **changes)


def _resnext(name, source, depth=50, width=4):
    """ResNeXt: the 3x3 in 32 groups of `width` channels in stage 1."""
    widths = tuple(width * base // 2 for base in WIDTHS)
    options = {"widths": widths, "expansion": 8 // width}
    return _resnet(name, source, depth, pyramids=HG_PYRAMIDS, **options)


def _compared(depth):
    """The networks of a depth that the paper compares with (Table 3)."""
    row = "Table 3"
    yield _resnet(f"PreActResNet{depth}", row, depth, block="preactivated")
    yield _resnet(f"NLResNet{depth}", row, depth, non_local=True)
    yield _resnet(f"SEResNet{depth}", row, depth, block="squeezed")
    yield _resnext(f"ResNeXt{depth}", row, depth)


def _pyconvhgresnet(name, source, depth=50):
    options = {"pyramids": HG_PYRAMIDS, "expansion": 2}
    widths = tuple(2 * width for width in WIDTHS)
    return _network(name, source, depth, widths=widths, **options)


def _mini(name, big, pyramids):
    """`big` with one block a stage and half the width, for small images."""
    half = [
        {"width": stage.width // 2, "levels": pyramids[len(stage.levels)]}
        for stage in big.stages
    ]
    stages = [replace(s, blocks=1, **h) for s, h in zip(big.stages, half)]
    source = f"ours: {big.name} at half width, one block a stage"
    options = {"source": source, "stem_width": big.stem_width // 2}
    return replace(big, name=name, stages=tuple(stages), **options)


_BASIC = {"block": "basic2", "expansion": 1}
_BASIC1 = {"block": "basic1", "expansion": 1}
_CODE = "authors' code (iduta/pyconv, d8b39cf), models/pyconvresnet.py"
_HALF_POOLED = ("pool", "conv", "conv", "conv")

_COMPARED = tuple(row for depth in (50, 101, 152) for row in _compared(depth))
_ROWS = (
    _resnet("ResNet50", "Table 1"),
    _resnet("ResNet101", "Table 3", 101),
    _resnet("ResNet152", "Table 3", 152),
    _network("PyConvResNet18", f"{_CODE}, BasicBlock2", 18, **_BASIC),
    _network("PyConvResNet34", f"{_CODE}, BasicBlock2", 34, **_BASIC),
    _network("PyConvResNet50", "Table 1"),
    _network("PyConvResNet101", "Table 3", 101),
    _network("PyConvResNet152", "Table 3", 152),
    _pyconvhgresnet("PyConvHGResNet50", "Table 1"),
    _pyconvhgresnet("PyConvHGResNet101", "Table 3", 101),
    _pyconvhgresnet("PyConvHGResNet152", "Table 3", 152),
    _network(
        "PyConvResNet18BasicBlock1", f"{_CODE}, BasicBlock1", 18, **_BASIC1
    ),
    _network(
        "PyConvResNet34BasicBlock1", f"{_CODE}, BasicBlock1", 34, **_BASIC1
    ),
    _resnet("Ablation1111", "Table 2, (1, 1, 1, 1)"),
    _resnet("Ablation2221", "Table 2, (2, 2, 2, 1)", levels=(2, 2, 2, 1)),
    _resnet("Ablation3321", "Table 2, (3, 3, 2, 1)", levels=(3, 3, 2, 1)),
    _resnet("Ablation4321", "Table 2, (4, 3, 2, 1)", levels=(4, 3, 2, 1)),
    _network(
        "Ablation4321Max", "Table 2, (4, 3, 2, 1) max", shortcuts=_HALF_POOLED
    ),
    _network("Ablation4321Final", "Table 2, (4, 3, 2, 1) final"),
    _resnet(
        "AblationTop4321",
        "Table 2, top(4, 3, 2, 1)",
        levels=(4, 3, 2, 1),
        pyramids=TOP_PYRAMIDS,
    ),
    _resnet(
        "Ablation5432",
        "Table 2, (5, 4, 3, 2)",
        levels=(5, 4, 3, 2),
        pyramids=ABLATION_PYRAMIDS,
    ),
    *_COMPARED,
    _resnet("SEResNet50_biased", "timm: seresnet50", block="squeezed_biased"),
    _resnet("ResNet269", "PSPNet (Zhao et al. 2017)", 269),
    _resnext("ResNeXt101_32x8d", "torchvision: resnext101_32x8d", 101, 8),
)


def _by_name(rows):
    names = [row.name for row in rows]
    for name in names:
        check(names.count(name) == 1, name, "two rows have this name")
    return dict(zip(names, rows))


_BIG = _by_name(_ROWS)
_MINIS = (
    _mini("ResNetMini", _BIG["ResNet50"], PYRAMIDS),
    _mini("PyConvResNetMini", _BIG["PyConvResNet50"], MINI_PYRAMIDS),
)

ARCHITECTURES = _by_name(_ROWS + _MINIS)
# The networks of others, besides ResNet, that Table 3 compares with.
COMPARISONS = _by_name(_COMPARED)


def get_architecture(architecture: Architecture | str) -> Architecture:
    """The record itself, or the row of that name; else a ValueError."""
    others = (
        "Inception, segmentation, detection and video networks have builders "
        "and counts of their own."
    )
    known = ARCHITECTURES
    return find("architecture", architecture, Architecture, known, others)
