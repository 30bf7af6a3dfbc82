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

import dataclasses
import math
import pathlib

from . import command_line
from .lazy import keras, keras_pyconv
from .settings import option

SIDE = 56
MARKERS = (
    "<!-- begin: written by `python -m recipes.compare_convolutions --write` "
    "-->",
    "<!-- end -->",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is written."""

    write: pathlib.Path | None = option(None, "Markdown file to renew")


def _pyconv(x, levels):
    """The levels of a PyConv, which all read the whole of x."""
    steps = [level.steps[0] for level in levels]
    return keras_pyconv.PyConv(
        [step.filters for step in steps],
        [step.kernel for step in steps],
        groups=[step.groups for step in steps],
        use_bias=False,
    )(x)


def _branch(x, branch):
    layers, same = keras.layers, {"padding": "same"}
    x = x[..., branch.start : branch.start + branch.steps[0].channels]
    for step in branch.steps:
        size, options = step.kernel, {"use_bias": False, **same}
        if step.groups is None:
            x = layers.MaxPooling2D(size, 1, **same)(x)
        elif step.groups == 1:
            x = layers.Conv2D(step.filters, size, **options)(x)
        else:
            x = layers.DepthwiseConv2D(size, **options)(x)
    return x


def built(name):
    """The design as a Keras model on maps of 64 channels."""
    from . import branches

    design = branches.DESIGNS[name]
    maps = keras.Input((SIDE, SIDE, branches.CHANNELS))
    if name == "PyConv":
        return keras.Model(maps, _pyconv(maps, design))
    parts = [_branch(maps, branch) for branch in design]
    joined = keras.layers.concatenate(parts) if parts[1:] else parts[0]
    return keras.Model(maps, joined)


def multiply_adds(model):
    """Of the built layers: each kernel at every position of its output."""
    return sum(
        math.prod(weight.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        for weight in layer.weights
    )


def main(argv=None):
    """Prints the table, or renews it in a file."""
    settings = command_line.parse(__doc__, Settings(), argv)
    from . import branches

    for name in branches.DESIGNS:
        model, cost = built(name), branches.cost_of(name)
        counts = (model.count_params(), multiply_adds(model))
        if (cost.parameters, cost.multiply_adds) != counts:
            raise AssertionError(f"{name}: {cost} is not {counts}")
    if settings.write:
        with command_line.before_the_work():
            table = branches.table("markdown")
            page = keras_pyconv.writing.renewed(settings.write, MARKERS, table)
        keras_pyconv.writing.write_atomically(settings.write, page)
    else:
        print(branches.table())


if __name__ == "__main__":
    command_line.from_shell(main)
