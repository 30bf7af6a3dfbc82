"""The designs that `compare_convolutions` compares as data, and their table."""

from dataclasses import dataclass

import numpy as np

from keras_pyconv.complexity import Cost, conv_cost
from keras_pyconv.complexity.grid import grid

CHANNELS = 64
POSITIONS = 56 * 56


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
    "Dense 3x3": (_one(3, 64, 64),),
    "PyConv": tuple(_one(k, 64, 16, g) for k, g in _LEVELS),
    "MixConv": tuple(
        _one(k, 16, 16, 16, 16 * part) for part, (k, _) in enumerate(_LEVELS)
    ),
    "Inception": (
        _one(1, 64, 16),
        Branch("1x1, 3x3", (Step(1, 64, 24), Step(3, 24, 32))),
        Branch("1x1, 5x5", (Step(1, 64, 4), Step(5, 4, 8))),
        Branch("pool 3x3, 1x1", (Step(3, 64, 64, None), Step(1, 64, 8))),
    ),
    "Depthwise 7x7": (_one(7, 64, 64, 64),),
    "Depthwise 31x31": (_one(31, 64, 64, 64),),
    "Pointwise 1x1": (_one(1, 64, 64),),
}


# What they cost and see ---------------------------------------------------


def branch_cost(branch):
    """Closed form; pooling has neither parameters nor multiply-adds."""
    costs = (
        conv_cost(s.channels, s.filters, (s.kernel,) * 2, POSITIONS, s.groups)
        for s in branch.steps
        if s.groups
    )
    return sum(costs, Cost())


def cost_of(name):
    """Of a whole design."""
    return sum(map(branch_cost, DESIGNS[name]), Cost())


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


def _figures(cost):
    return [f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:.1f}"]


def _row(name, branch):
    seen = connections(branch)
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
        *_figures(branch_cost(branch)),
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
    for name, branches in DESIGNS.items():
        rows += [_row(name, branch) for branch in branches]
        if len(branches) > 1:
            figures = _figures(cost_of(name))
            rows.append([name, "in all", "64", *[""] * 4, *figures])
    return grid(header, rows, style, words=tuple(header[:2]))
