"""The ways to convolve with channel groups, and the rules that choose one.

All compute the same, channels last, by a `Convolver` for what they are made of.
"""

import dataclasses
import math

from keras_pyconv.ops.conv.blocks import blocked, folded
from keras_pyconv.ops.conv.dense import Window
from keras_pyconv.ops.conv.frames import of_images, paired
from keras_pyconv.ops.conv.groups import merged, native, split
from keras_pyconv.ops.conv.points import points
from keras_pyconv.ops.conv.taps import taps
from keras_pyconv.ops.graph import traced_once, with_gradients_of
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
            and inputs.dtype.size * 8 in self.bits
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
# AMD EPYC with AVX-512, 2026-11-30.
RULES = (
    # Not timed: a GPU has dense convolutions.
    Rule("split", dense=True, gpu=True),
    # Taps do not add up: nothing to choose.
    Rule("split", dense=True, across_time=False),
    # One group of steps: nothing to choose.
    Rule("split", dense=True, ranks=(1,)),
    # oneDNN: one image, 512 deep: 167 + 381, points 180 + 525
    Rule("split", dense=True, ranks=(2,), depth=512),
    # oneDNN: one image, dilated by 24: 191 + 839, split 228 + 2.41e+03
    Rule("points", dense=True, ranks=(2,), dilated=True),
    # By hand, SSD's 16 filters, 4 images: 41, points 39; AVX2: 18, points 41.
    Rule("split", dense=True, ranks=(2,), width=64),
    # oneDNN, bf16: one image, 1024 deep: 77.4 + 225, points 96.3 + 655
    Rule("split", dense=True, ranks=(2,), bits=(16,)),
    # oneDNN: one image, 1024 deep: 169 + 394, split 201 + 395
    Rule("points", "split", dense=True, ranks=(2,)),
    # Colours: taps would be more numbers than they save.
    Rule("split", dense=True, depth=15),
    # Not timed: no network of ours dilates clips.
    Rule("split", dense=True, dilated=True),
    # oneDNN: video in space, 32: 27.9 + 71.9, split 33.4 + 86.8
    Rule("taps", dense=True, onednn=True, strided=True, width=32),
    # oneDNN: video in space, 128: 14.5 + 38.6, taps 13.9 + 38.8
    Rule("split", "taps", dense=True, onednn=True, strided=True),
    # oneDNN: video stage 1, 3x3x3: 26.6 + 60.6, taps 29.5 + 53.9
    Rule("split", "taps", dense=True, onednn=True, width=16),
    # no oneDNN: video stage 1, 3x3x3: 33.3 + 81.9, split 59 + 500
    Rule("taps", dense=True, onednn=False, width=128),
    # oneDNN: video stage 4, 3x3x3: 24.9 + 50.3, taps 34.8 + 189
    Rule("split", dense=True),
    # oneDNN: video stage 1, 7x9x9: 60.4 + 148, taps 79.6 + 220
    Rule("paired", ranks=(3,), width=2),
    # no oneDNN: video stage 1, 3x5x5: 43.9 + 84.1, taps 69.9 + 96.5
    Rule("paired", ranks=(3,), onednn=False, width=4),
    # oneDNN: video stage 1, 3x5x5: 27.4 + 43.4, paired 30.4 + 60.3
    Rule("taps", ranks=(3,), channels=32),
    # oneDNN: video stage 3, 3x5x5: 15 + 29.8, merged 15 + 30.1
    Rule("split", ranks=(3,), gpu=False, onednn=True),
    # no oneDNN: video stage 3, 3x5x5: 20.8 + 60.6, paired 37.7 + 90.1
    Rule("taps", ranks=(3,)),
    # Not timed: a GPU has groups of images.
    Rule("native", gpu=True),
    # oneDNN: depthwise, 3x3: 0.79 + 1.83, blocked 2.49 + 1.64
    Rule("native", onednn=True, channels=1),
    # oneDNN: stage 1, 9x9: 7.2 + 13.9, taps 8.65 + 11.7
    Rule(
        "blocked",
        onednn=True,
        bits=(16, 32),
        strided=False,
        width=2,
        channels=8,
    ),
    # no oneDNN: HG stage 2, 7x7: 9.71 + 24.8, taps 8.48 + 15.3
    Rule("folded", bits=(16, 32), strided=False, width=2, channels=8),
    # no oneDNN: steps, 9: 6.26 + 13.9, split 7.45 + 14.4
    Rule("merged", ranks=(1,), onednn=False),
    # no oneDNN: stage 1, 9x9, strided: 21.6 + 44.7, blocked 21.9 + 44.1
    Rule("folded", onednn=False, strided=True, channels=16),
    # By hand, no oneDNN, 4 to 4, 3x3: 6.11 + 10.1, taps 8.83 + 10.1; AVX2:
    # 32.6 + 44.6, taps 56 + 56.5.
    Rule(
        "blocked",
        "taps",
        onednn=False,
        bits=(16, 32),
        strided=False,
        width=4,
        channels=16,
        growth=4,
    ),
    # no oneDNN: stage 2, 7x7: 8.31 + 12, blocked 8.09 + 11.8
    Rule("taps", onednn=False, strided=False, width=16, growth=4),
    # no oneDNN: stage 3, 5x5: 4.09 + 11.8, taps 4.77 + 11.5
    Rule("merged", onednn=False),
    # oneDNN: stage 1, 9x9, strided: 10.9 + 24.4, folded 14.3 + 24.6
    Rule("blocked", "folded", bits=(16, 32), strided=True, width=1, channels=8),
    # oneDNN, bf16: stage 1, 7x7, strided: 4.88 + 13.6, merged 9.14 + 14.5
    Rule(
        "blocked", "merged", bits=(16, 32), strided=True, width=4, channels=16
    ),
    # By hand, 12 to 1, 3x3: 2.67 + 4.21, taps 3.79 + 4.19; AVX2: 13.1 + 23,
    # taps 18.2 + 20.
    Rule("blocked", "taps", bits=(16, 32), strided=False, width=1),
    # By hand, the same of 4 images, dilated by 2, AVX2, forward: 4.2, native
    # 5.8.
    Rule(
        "taps",
        ranks=(2,),
        bits=(16, 32),
        strided=False,
        dilated=True,
        width=1,
    ),
    # By hand, 4 to 4, 3x3: 3.73 + 6.28, merged 4.77 + 8.48; AVX2: 17.4 + 35.4,
    # merged 23.5 + 48.5.
    Rule("blocked", "native", bits=(32,), strided=False, width=4, channels=8),
    # oneDNN, bf16: 4 to 4, 3x3: 1.81 + 3.93, blocked 2.37 + 4.5
    Rule("merged", width=4, channels=8),
    # oneDNN: stage 1, 5x5: 5.47 + 9.93, taps 7.74 + 8.53
    Rule("blocked", bits=(16, 32), strided=False, width=4, channels=16),
    # oneDNN, bf16: stage 2, 7x7: 2.71 + 6.15, merged 3.04 + 5.29
    Rule("blocked", bits=(16,), width=8, channels=32),
    # oneDNN: stage 3, 5x5: 4.02 + 7.29, merged 3.99 + 7.18
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
    """Convolves for a target, by the ways that the rules choose.

    Attributes:
        target: who runs the graph.
        shares: whether equal convolutions of this machine are one function.
    """

    target: Target = HERE
    shares: bool = True

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
        forward = _Forward(self, way, window, groups)

        def other(inputs, kernel):
            return Convolver().by("split", inputs, kernel, window, groups)

        if not self.target.is_here:
            return with_gradients_of(other, forward, inputs, kernel)
        if groups == 1 or not self.shares:
            return forward(inputs, kernel)
        return traced_once(forward, inputs, kernel)


@dataclasses.dataclass(frozen=True)
class _Forward:
    """A convolution but for its numbers, by a way if it can."""

    convolver: Convolver
    way: str | None
    window: Window
    groups: int

    def __call__(self, inputs, kernel):
        problem = inputs, kernel, self.window, self.groups
        can = self.groups > 1 and not self.convolver.target.of_images
        if self.way and can and is_possible(self.way, self.window):
            return self.convolver.by(self.way, *problem)
        return self.convolver(*problem)
