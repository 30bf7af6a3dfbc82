"""Compare the cost of PyConv, MixConv and Inception.

Command: python -m recipes.compare_convolutions

Computes the parameters and multiply-adds of each design, and of large-kernel
depthwise convolution, in closed form for 64 to 64 channels on 56 x 56 maps. For
every branch it lists the window, and the input channels that the branch and
each of its outputs see (paper's supplement, section 4). A test builds each
design from Keras layers and finds the same.

Paper's result: none; its text names the channels that MixConv's kernels do not
see. Our result: the table in docs/comparison.md, which `--write` renews.
Device: any, seconds.
Deviations: Inception has the proportions of GoogLeNet's module 3a at a
quarter. All designs are without normalization, activation and biases.
"""

import dataclasses
import pathlib

from . import command_line
from .lazy import keras_pyconv, np
from .settings import option

CHANNELS, SIDE = 64, 56
MARKERS = (
    "<!-- begin: written by `make tables` -->",
    "<!-- end -->",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is written."""

    write: pathlib.Path | None = option(
        None, "Markdown file whose table to update"
    )


@dataclasses.dataclass(frozen=True)
class Step:
    """A convolution with groups, or with `groups=None` a pooling."""

    kernel: int
    channels: int
    filters: int
    groups: int | None = 1


@dataclasses.dataclass(frozen=True)
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


def cost_of(*branches):
    """Closed form; pooling has neither parameters nor multiply-adds."""
    costs = (
        keras_pyconv.complexity.conv_cost(
            s.channels, s.filters, (s.kernel,) * 2, SIDE**2, s.groups
        )
        for branch in branches
        for s in branch.steps
        if s.groups
    )
    return sum(costs, keras_pyconv.complexity.Cost())


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


def _figures(*branches):
    cost = cost_of(*branches)
    return [f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:.1f}"]


def _cells(branch):
    seen = connections(branch)
    spatial = max(branch.steps, key=lambda step: step.kernel)
    depth = spatial.channels // spatial.groups if spatial.groups else 1
    sees = seen.sum(axis=1).max(), seen.any(axis=0).sum()
    sizes = len(seen), f"{window(branch)}x{window(branch)}", depth, *sees
    return [branch.name, *map(str, sizes), *_figures(branch)]


def table(style="text"):
    """A row for every branch, and one for each design of several."""
    header = [
        *("Design", "Branch", "Outputs", "Window"),
        "Depth of the largest kernel",
        "Input channels one output sees",
        "Input channels the branch sees",
        *("Parameters", "Multiply-adds, M"),
    ]
    rows = []
    for name, branches in DESIGNS.items():
        rows += [[name, *_cells(branch)] for branch in branches]
        if len(branches) > 1:
            figures = _figures(*branches)
            rows.append([name, "in all", "64", *[""] * 4, *figures])
    grid = keras_pyconv.complexity.grid.grid
    return grid(header, rows, style, words=tuple(header[:2]))


def main(argv=None):
    """Prints the table, or renews it in a file."""
    settings = command_line.parse(__doc__, Settings(), argv)
    if not settings.write:
        print(table())
        return
    writing = keras_pyconv.writing
    with command_line.before_the_work():
        page = writing.renewed(settings.write, MARKERS, table("markdown"))
    writing.write_atomically(settings.write, page)


if __name__ == "__main__":
    command_line.from_shell(main)
