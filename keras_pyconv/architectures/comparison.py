"""The networks that the paper compares with on ImageNet (Table 3), as data.

They are here for the tables alone: their cost comes out of the same closed
forms, and none has a builder.

The fact a reader would get wrong: the paper prints the figures of the plain
ResNet for the pre-activation one, which has fewer parameters.
"""

from dataclasses import dataclass

from keras_pyconv.architectures.levels import Level, check, check_row
from keras_pyconv.architectures.residual import (
    ARCHITECTURES,
    DEPTHS,
    WIDTHS,
    Architecture,
    Stage,
)

ADDITIONS = {
    "nothing": "the record alone",
    "preactivation": "normalization and ReLU before each convolution",
    "squeeze_excitation": "gates of two bias-free layers, reduction 16",
    "non_local": "an embedded non-local block after every stage",
}


@dataclass(frozen=True)
class Comparison:
    """A residual network and what its authors added to it."""

    name: str
    base: Architecture
    addition: str
    source: str

    def __post_init__(self):
        check_row(self.name, self.source)
        check(
            self.addition in ADDITIONS,
            self.name,
            f"`addition` must be one of {list(ADDITIONS)}; "
            f"got {self.addition!r}",
        )


def _resnext(depth):
    """ResNeXt 32x4d: a 3x3 of 32 groups at twice ResNet's width."""
    rows = zip(WIDTHS, DEPTHS[depth], (1, 2, 2, 2))
    stages = tuple(
        Stage(2 * width, blocks, (Level(3, 32),), stride, "conv")
        for width, blocks, stride in rows
    )
    name = f"ResNeXt{depth}"
    return Architecture(name, stages, "Table 3", 2, stem_pool=True)


def _rows():
    prefixes = {
        "PreActResNet": "preactivation",
        "NLResNet": "non_local",
        "SEResNet": "squeeze_excitation",
    }
    for depth in (50, 101, 152):
        plain = ARCHITECTURES[f"ResNet{depth}"]
        for prefix, addition in prefixes.items():
            yield Comparison(f"{prefix}{depth}", plain, addition, "Table 3")
        yield Comparison(
            f"ResNeXt{depth}", _resnext(depth), "nothing", "Table 3"
        )


COMPARISONS = {row.name: row for row in _rows()}
