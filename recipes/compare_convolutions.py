"""PyConv beside MixConv, Inception and large-kernel depthwise convolution.

What: builds each at 64 to 64 channels on 56 x 56 maps, counts its parameters
and multiply-adds in closed form and in the built layers, and lists for every
branch its window and the input channels that it and its outputs see (paper,
supplement, section 4).

Paper's number: none; the text says what MixConv's kernels do not see. Ours:
the table in docs/comparison.md, which --write renews.
Device: two CPU cores, seconds.
Command: python -m recipes.compare_convolutions
Deviations: Inception has the proportions of GoogLeNet's module 3a at a
quarter; normalization, activation and biases are left out everywhere.
"""

import argparse
import math
import pathlib
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

import keras_pyconv
from keras_pyconv.complexity import Cost, conv_cost
from keras_pyconv.complexity.grid import grid
from keras_pyconv.writing import renewed, write_atomically

CHANNELS = 64
SIDE = 56
POSITIONS = SIDE * SIDE
MARKERS = (
    "<!-- begin: written by `python -m recipes.compare_convolutions --write` "
    "-->",
    "<!-- end -->",
)

# The alternatives as Keras layers -------------------------------------------


def _conv(x, filters, kernel):
    return layers.Conv2D(filters, kernel, padding="same", use_bias=False)(x)


def _depthwise(x, kernel):
    return layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)(x)


def dense(x):
    """One 3x3 kernel over all channels."""
    return _conv(x, 64, 3)


def pyconv(x):
    """The first pyramid of PyConvResNet-50: every level reads all of x."""
    return keras_pyconv.PyConv(
        64, (3, 5, 7, 9), groups=(1, 4, 8, 16), use_bias=False
    )(x)


def mixconv(x):
    """Depthwise kernels of four sizes, each on its own quarter of x."""
    parts = [x[..., start : start + 16] for start in range(0, 64, 16)]
    sizes = (3, 5, 7, 9)
    return layers.concatenate(
        [_depthwise(part, size) for part, size in zip(parts, sizes)]
    )


def inception(x):
    """Four dense branches, reduced by 1x1 convolutions."""
    pooled = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    return layers.concatenate(
        [
            _conv(x, 16, 1),
            _conv(_conv(x, 24, 1), 32, 3),
            _conv(_conv(x, 4, 1), 8, 5),
            _conv(pooled, 8, 1),
        ]
    )


def depthwise_7(x):
    """One 7x7 filter a channel, as in ConvNeXt."""
    return _depthwise(x, 7)


def depthwise_31(x):
    """One 31x31 filter a channel, as in RepLKNet."""
    return _depthwise(x, 31)


def pointwise(x):
    """What usually follows a depthwise convolution, to mix the channels."""
    return _conv(x, 64, 1)


# The same as data ------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A convolution with groups, or with `groups=None` a pooling."""

    kernel: int
    channels: int
    filters: int
    groups: int | None = 1


@dataclass(frozen=True)
class Branch:
    """Steps in a row, the first one reading channels from `start` on."""

    name: str
    steps: tuple[Step, ...]
    start: int = 0


def _one(kernel, channels, filters, groups=1, start=0):
    name = f"{kernel}x{kernel}"
    return Branch(name, (Step(kernel, channels, filters, groups),), start)


_LEVELS = tuple(zip((3, 5, 7, 9), (1, 4, 8, 16)))
DESIGNS = {
    "Dense 3x3": (dense, (_one(3, 64, 64),)),
    "PyConv": (pyconv, tuple(_one(k, 64, 16, g) for k, g in _LEVELS)),
    "MixConv": (
        mixconv,
        tuple(
            _one(k, 16, 16, 16, 16 * part)
            for part, (k, _) in enumerate(_LEVELS)
        ),
    ),
    "Inception": (
        inception,
        (
            _one(1, 64, 16),
            Branch("1x1, 3x3", (Step(1, 64, 24), Step(3, 24, 32))),
            Branch("1x1, 5x5", (Step(1, 64, 4), Step(5, 4, 8))),
            Branch("pool 3x3, 1x1", (Step(3, 64, 64, None), Step(1, 64, 8))),
        ),
    ),
    "Depthwise 7x7": (depthwise_7, (_one(7, 64, 64, 64),)),
    "Depthwise 31x31": (depthwise_31, (_one(31, 64, 64, 64),)),
    "Pointwise 1x1": (pointwise, (_one(1, 64, 64),)),
}


# What they cost and see ------------------------------------------------------


def branch_cost(branch):
    """Closed form; pooling has neither parameters nor multiply-adds."""
    costs = [
        conv_cost(
            step.channels,
            step.filters,
            (step.kernel,) * 2,
            POSITIONS,
            step.groups,
        )
        for step in branch.steps
        if step.groups
    ]
    return sum(costs, Cost())


def window(branch):
    """Side of the square of input positions that an output sees."""
    return 1 + sum(step.kernel - 1 for step in branch.steps)


def connections(branch):
    """(filters, 64) booleans: which input channels reach an output."""
    first = branch.steps[0].channels
    seen = np.eye(CHANNELS, dtype=bool)[branch.start : branch.start + first]
    for step in branch.steps:
        if step.groups:
            groups = seen.reshape(step.groups, -1, CHANNELS).any(axis=1)
            seen = groups.repeat(step.filters // step.groups, axis=0)
    return seen


def _row(name, branch):
    seen, cost = connections(branch), branch_cost(branch)
    spatial = max(branch.steps, key=lambda step: step.kernel)
    depth = spatial.channels // spatial.groups if spatial.groups else 1
    return [
        name,
        branch.name,
        str(len(seen)),
        f"{window(branch)}x{window(branch)}",
        str(depth),
        str(seen.sum(axis=1).max()),
        str(seen.any(axis=0).sum()),
        f"{cost.parameters:,}",
        f"{cost.multiply_adds / 1e6:.1f}",
    ]


def table(style="text"):
    """A row for every branch, and one for each design of several."""
    header = [
        "Design",
        "Branch",
        "Outputs",
        "Window",
        "Depth of the largest kernel",
        "Input channels one output sees",
        "Input channels the branch sees",
        "Parameters",
        "Multiply-adds, M",
    ]
    rows = []
    for name, (_, branches) in DESIGNS.items():
        rows += [_row(name, branch) for branch in branches]
        if len(branches) > 1:
            cost = sum(map(branch_cost, branches), Cost())
            figures = [
                f"{cost.parameters:,}",
                f"{cost.multiply_adds / 1e6:.1f}",
            ]
            rows.append([name, "in all", "64", *[""] * 4, *figures])
    return grid(header, rows, style, words=tuple(header[:2]))


def built(name):
    """The design as a Keras model on maps of 64 channels."""
    maps = keras.Input((SIDE, SIDE, CHANNELS))
    return keras.Model(maps, DESIGNS[name][0](maps))


def multiply_adds(model):
    """Of the built layers: each kernel at every position of its output."""
    return sum(
        math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        for weight in layer.weights
    )


def main(argv=None):
    """Prints the table, or renews it in a file."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--write", type=pathlib.Path, help="Markdown file to renew"
    )
    args = parser.parse_args(argv)
    for name, (_, branches) in DESIGNS.items():
        cost, model = sum(map(branch_cost, branches), Cost()), built(name)
        counts = (model.count_params(), multiply_adds(model))
        if (cost.parameters, cost.multiply_adds) != counts:
            raise AssertionError(f"{name}: {cost} is not {counts}")
    if args.write:
        page = renewed(args.write, MARKERS, table("markdown"))
        write_atomically(args.write, page)
    else:
        print(table())


if __name__ == "__main__":
    main()
