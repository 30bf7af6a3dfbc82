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

from recipes import command_line
from recipes.settings import option

CHANNELS = 64
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


def _conv(x, filters, kernel):
    from keras import layers

    return layers.Conv2D(filters, kernel, padding="same", use_bias=False)(x)


def _depthwise(x, kernel):
    from keras import layers

    return layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)(x)


def dense(x):
    """One 3x3 kernel over all channels."""
    return _conv(x, 64, 3)


def pyconv(x):
    """The first pyramid of PyConvResNet-50: every level reads all of x."""
    import keras_pyconv

    return keras_pyconv.PyConv(
        64, (3, 5, 7, 9), groups=(1, 4, 8, 16), use_bias=False
    )(x)


def mixconv(x):
    """Depthwise kernels of four sizes, each on its own quarter of x."""
    from keras import layers

    parts = [x[..., start : start + 16] for start in range(0, 64, 16)]
    sizes = (3, 5, 7, 9)
    return layers.concatenate(
        [_depthwise(part, size) for part, size in zip(parts, sizes)]
    )


def inception(x):
    """Four dense branches, reduced by 1x1 convolutions."""
    from keras import layers

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


DESIGNS = {
    "Dense 3x3": dense,
    "PyConv": pyconv,
    "MixConv": mixconv,
    "Inception": inception,
    "Depthwise 7x7": depthwise_7,
    "Depthwise 31x31": depthwise_31,
    "Pointwise 1x1": pointwise,
}


def built(name):
    """The design as a Keras model on maps of 64 channels."""
    import keras

    maps = keras.Input((SIDE, SIDE, CHANNELS))
    return keras.Model(maps, DESIGNS[name](maps))


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
    from keras_pyconv.writing import renewed, write_atomically
    from recipes import branches

    for name in DESIGNS:
        model, cost = built(name), branches.cost_of(name)
        counts = (model.count_params(), multiply_adds(model))
        if (cost.parameters, cost.multiply_adds) != counts:
            raise AssertionError(f"{name}: {cost} is not {counts}")
    if settings.write:
        with command_line.before_the_work():
            table = branches.table("markdown")
            page = renewed(settings.write, MARKERS, table)
        write_atomically(settings.write, page)
    else:
        print(branches.table())


if __name__ == "__main__":
    command_line.from_shell(main)
