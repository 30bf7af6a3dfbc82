"""The comparison's figures are those of the built layers, and are current."""

import math
import pathlib

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.writing import renewed
from recipes import compare_convolutions as compare

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "comparison.md"
NAMES = list(compare.DESIGNS)


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
    design = compare.DESIGNS[name]
    maps = keras.Input((compare.SIDE, compare.SIDE, compare.CHANNELS))
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


def impulse_answers(model):
    """(64 input channels, 56, 56, 64 outputs): what an impulse in the middle
    of each channel changes, one picture a channel."""
    middle = compare.SIDE // 2
    impulses = np.zeros((64, compare.SIDE, compare.SIDE, 64), "float32")
    impulses[range(64), middle, middle, range(64)] = 1
    weights = [np.ones_like(weight) for weight in model.get_weights()]
    model.set_weights(weights)
    return model.predict(impulses, verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_multiply_adds_are_those_of_the_layers(name):
    model = built(name)
    assert model.output_shape == (None, 56, 56, 64)
    cost = compare.cost_of(*compare.DESIGNS[name])
    assert model.count_params() == cost.parameters
    assert multiply_adds(model) == cost.multiply_adds


def test_multiply_adds_are_counted_where_each_layer_stands():
    images = keras.Input((8, 8, 2))
    halved = keras.layers.Conv2D(3, 1, strides=2, use_bias=False)(images)
    maps = keras.layers.Conv2D(5, 3, use_bias=False)(halved)
    model = keras.Model(images, maps)
    products = 2 * 3 * 4 * 4 + 3 * 5 * 9 * 2 * 2
    assert multiply_adds(model) == products


@pytest.mark.parametrize("name", NAMES)
def test_an_impulse_reaches_what_the_table_says(name):
    answers = impulse_answers(built(name)) > 0
    start = 0
    for branch in compare.DESIGNS[name]:
        expected = compare.connections(branch)
        part = answers[..., start : start + len(expected)]
        np.testing.assert_array_equal(part.any(axis=(1, 2)).T, expected)
        for axis in (1, 2):
            others = tuple({0, 1, 2, 3} - {axis})
            assert part.any(axis=others).sum() == compare.window(branch)
        start += len(expected)
    assert start == 64


def test_every_level_of_pyconv_sees_all_channels_and_mixconv_only_its_own():
    for name, seen in (("PyConv", 64), ("MixConv", 16)):
        for branch in compare.DESIGNS[name]:
            assert compare.connections(branch).any(axis=0).sum() == seen


def test_the_page_holds_the_present_table():
    current = renewed(PAGE, compare.MARKERS, compare.table("markdown"))
    assert current == PAGE.read_text(), "run `make tables`"


def test_the_command_prints_the_table(capsys):
    compare.main([])
    assert capsys.readouterr().out.strip() == compare.table()
