"""The ways to convolve with channel groups, and the rules that choose one.

All compute the same, channels last, by a `Convolver` for what they are made of.
"""

import dataclasses
import math

from keras_pyconv.ops.conv.blocks import blocked, folded
from keras_pyconv.ops.conv.frames import of_images, paired
from keras_pyconv.ops.conv.groups import merged, native, split
from keras_pyconv.ops.conv.points import points
from keras_pyconv.ops.conv.taps import taps
from keras_pyconv.ops.graph import with_gradients_of
from keras_pyconv.ops.target import HERE, Target

# The ways by name; all have the same signature.
WAYS = {
    "blocked": blocked,
    "folded": folded,
    "merged": merged,
    "native": native,
    "paired": paired,
    "points": points,
    "split": split,
    "taps": taps,
}


def is_possible(way, window) -> bool:
    """Whether `way` computes such a convolution at all."""
    if way == "native":
        return len(window.strides) < 3
    if way == "points":
        return len(window.strides) == 2
    if way == "paired":
        in_time = window.strides[0], window.dilations[0]
        return len(window.strides) == 3 and in_time == (1, 1)
    if way in ("blocked", "folded"):
        strides = window.strides in ((1, 1), (2, 2))
        return strides and window.dilations == (1, 1)
    return True


@dataclasses.dataclass(frozen=True)
class Rule:
    """A way, and where it is taken; a field left out fits everything."""

    way: str
    gradients: str | None = None  # the way of the gradients, if another one
    ranks: tuple[int, ...] = (1, 2, 3)
    dense: bool | None = None  # whether there is one group
    gpu: bool | None = None
    # With arithmetic for the dtype: native groups have gradients.
    onednn: bool | None = None
    bits: tuple[int, ...] = (16, 32, 64)
    strided: bool | None = None
    dilated: bool | None = None
    # Whether taps of the leading axis are to be added, at stride 1.
    across_time: bool | None = None
    width: float = math.inf  # most filters a group
    depth: float = math.inf  # most channels a group that enter
    channels: float = math.inf  # most channels a group, in or out
    growth: float = math.inf  # most numbers that taps make of one

    def fits(self, inputs, kernel, window, groups, target) -> bool:
        depth, width = kernel.shape[-2], kernel.shape[-1] // groups
        facts = {
            "dense": groups == 1,
            "gpu": target.on_gpu(inputs),
            "onednn": target.differentiates_groups(inputs),
            "strided": max(window.strides) > 1,
            "dilated": max(window.dilations) > 1,
            "across_time": kernel.shape[0] > 1 and window.strides[0] == 1,
        }
        return (
            is_possible(self.way, window)
            and len(window.strides) in self.ranks
            and target.bits(inputs) in self.bits
            and width <= self.width
            and depth <= self.depth
            and max(depth, width) <= self.channels
            and kernel.shape[0] * width <= self.growth * depth
            and all(getattr(self, k) in (None, v) for k, v in facts.items())
        )


# The first that fits is taken. Above each rule the timings that made it, of a
# setting and a level of benchmarks/grouped_conv.py: milliseconds of the forward
# pass and of the gradients, as the rule has them and by the best other way.
# `python -m benchmarks.grouped_conv --write` renews them:
# AMD EPYC with AVX-512, 2026-11-29.
RULES = (
    # Not timed: a GPU has dense convolutions.
    Rule("split", dense=True, gpu=True),
    # Taps do not add up: nothing to choose.
    Rule("split", dense=True, across_time=False),
    # One group of steps: nothing to choose.
    Rule("split", dense=True, ranks=(1,)),
    # oneDNN: one image, 512 deep: 161 + 378, points 176 + 527
    Rule("split", dense=True, ranks=(2,), depth=512),
    # oneDNN: one image, dilated by 24: 180 + 836, split 211 + 1.96e+03
    Rule("points", dense=True, ranks=(2,), dilated=True),
    # By hand, SSD's 16 filters, 4 images: 41, points 39; AVX2: 18, points 41.
    Rule("split", dense=True, ranks=(2,), width=64),
    # oneDNN, bf16: one image, 1024 deep: 75.9 + 200, points 86.3 + 567
    Rule("split", dense=True, ranks=(2,), bits=(16,)),
    # oneDNN: one image, 1024 deep: 168 + 386, split 186 + 376
    Rule("points", "split", dense=True, ranks=(2,)),
    # Colours: taps would be more numbers than they save.
    Rule("split", dense=True, depth=15),
    # Not timed: no network of ours dilates clips.
    Rule("split", dense=True, dilated=True),
    # oneDNN: video in space, 32: 14.3 + 48.4, split 16.6 + 53
    Rule("taps", dense=True, onednn=True, strided=True, width=32),
    # oneDNN: video in space, 128: 8.8 + 22.5, taps 7.8 + 23.6
    Rule("split", "taps", dense=True, onednn=True, strided=True),
    # oneDNN: video stage 1, 3x3x3: 13.2 + 29.6, taps 15.7 + 29.8
    Rule("split", "taps", dense=True, onednn=True, width=16),
    # no oneDNN: video stage 1, 3x3x3: 17.4 + 52.8, split 27.4 + 312
    Rule("taps", dense=True, onednn=False, width=128),
    # oneDNN: video stage 4, 3x3x3: 26.9 + 33.4, taps 33.6 + 125
    Rule("split", dense=True),
    # oneDNN: video stage 1, 7x9x9: 39.9 + 101, taps 46.4 + 119
    Rule("paired", ranks=(3,), width=2),
    # no oneDNN: video stage 1, 3x5x5: 28.6 + 49.6, taps 66.4 + 86.4
    Rule("paired", ranks=(3,), onednn=False, width=4),
    # oneDNN: video stage 1, 3x5x5: 15.5 + 26.7, paired 15.8 + 30.7
    Rule("taps", ranks=(3,), channels=32),
    # oneDNN: video stage 3, 3x5x5: 7.6 + 16.4, merged 8 + 15.3
    Rule("split", ranks=(3,), gpu=False, onednn=True),
    # no oneDNN: video stage 3, 3x5x5: 10.7 + 36, paired 20.4 + 55.5
    Rule("taps", ranks=(3,)),
    # Not timed: a GPU has groups of images.
    Rule("native", gpu=True),
    # oneDNN: depthwise, 3x3: 0.5 + 1.8, blocked 2.6 + 1.3
    Rule("native", onednn=True, channels=1),
    # oneDNN: stage 1, 9x9: 4.4 + 6.9, folded 4.2 + 7.3
    Rule(
        "blocked", onednn=True, bits=(32,), strided=False, width=2, channels=8
    ),
    # oneDNN, bf16: stage 1, 9x9: 2.24 + 4.56, blocked 2.5 + 4.31
    Rule("folded", bits=(16, 32), strided=False, width=2, channels=8),
    # no oneDNN: steps, 9: 4.05 + 10.2, split 4.48 + 11.4
    Rule("merged", ranks=(1,), onednn=False),
    # no oneDNN: stage 1, 9x9, strided: 15.9 + 29.1, blocked 10.5 + 30.5
    Rule("folded", onednn=False, strided=True, channels=16),
    # no oneDNN: stage 2, 7x7: 4.35 + 7.64, blocked 4.01 + 7.35
    Rule("taps", onednn=False, strided=False, width=16, growth=4),
    # no oneDNN: stage 3, 5x5: 2.65 + 8, taps 2.87 + 7.57
    Rule("merged", onednn=False),
    # oneDNN: stage 1, 9x9, strided: 6.5 + 14.3, folded 9.8 + 13.9
    Rule("blocked", bits=(32,), strided=True, width=4, channels=16),
    # oneDNN, bf16: stage 1, 9x9, strided: 9.39 + 16.3, blocked 3.42 + 16
    Rule("folded", ranks=(2,), bits=(16,), strided=True, channels=8),
    # oneDNN: 12 to 1, 3x3: 1.8 + 3, blocked 1.6 + 3.1
    Rule("taps", ranks=(2,), bits=(32,), strided=False, width=1),
    # oneDNN: 4 to 4, 3x3: 2.7 + 4.5, native 1.4 + 5
    Rule("merged", width=4, channels=8),
    # oneDNN: stage 1, 5x5: 2.7 + 5.3, merged 3.5 + 5
    Rule(
        "blocked", ranks=(2,), bits=(32,), strided=False, width=4, channels=16
    ),
    # oneDNN: stage 2, 7x7: 3.4 + 5, blocked 2.4 + 4.9
    Rule("native"),
)


def rule_for(inputs, kernel, window, groups, target, without=None) -> Rule:
    """The first rule that fits and has another way than `without`."""
    problem = inputs, kernel, window, groups, target
    for rule in RULES:
        if rule.way != without and rule.fits(*problem):
            return rule
    raise AssertionError("the last rule fits everything")


@dataclasses.dataclass(frozen=True)
class Convolver:
    """Convolves for a target, by the ways that the rules choose."""

    target: Target = HERE

    def __call__(self, inputs, kernel, window, groups):
        return self.without(None, inputs, kernel, window, groups)

    def without(self, way, *problem):
        """The like, as if there was no such way."""
        if self.target.of_images:
            return of_images(*problem, self)
        rule = rule_for(*problem, self.target, way)
        if rule.gradients is None:
            return self.by(rule.way, *problem)
        inputs, kernel, *moves = problem

        def by(way):
            return lambda inputs, kernel: self.by(way, inputs, kernel, *moves)

        return with_gradients_of(
            by(rule.gradients), by(rule.way), inputs, kernel
        )

    def by(self, way, *problem):
        """By a given way of `WAYS`."""
        return WAYS[way](*problem, self)

    def convolve(self, way, inputs, kernel, window, groups):
        """By a way if it can; the gradients are those of this machine."""

        def forward(inputs, kernel):
            problem = inputs, kernel, window, groups
            forced = way and groups > 1 and is_possible(way, window)
            if forced and not self.target.of_images:
                return self.by(way, *problem)
            return self(*problem)

        def other(inputs, kernel):
            return Convolver().by("split", inputs, kernel, window, groups)

        if self.target.is_here:
            return forward(inputs, kernel)
        return with_gradients_of(other, forward, inputs, kernel)
