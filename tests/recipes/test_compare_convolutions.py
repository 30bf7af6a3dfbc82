"""The comparison's figures are those of the built layers, and are current."""

import pathlib
import re

import keras
import numpy as np
import pytest

from keras_pyconv.writing import renewed
from recipes import branches
from recipes import compare_convolutions as compare

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "comparison.md"
NAMES = list(branches.DESIGNS)


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
    model = compare.built(name)
    assert model.output_shape == (None, 56, 56, 64)
    costs = [branches.branch_cost(b) for b in branches.DESIGNS[name]]
    parameters = sum(cost.parameters for cost in costs)
    assert model.count_params() == parameters
    products = sum(cost.multiply_adds for cost in costs)
    assert compare.multiply_adds(model) == products


def test_multiply_adds_are_counted_where_each_layer_stands():
    images = keras.Input((8, 8, 2))
    halved = keras.layers.Conv2D(3, 1, strides=2, use_bias=False)(images)
    maps = keras.layers.Conv2D(5, 3, use_bias=False)(halved)
    model = keras.Model(images, maps)
    products = 2 * 3 * 4 * 4 + 3 * 5 * 9 * 2 * 2
    assert compare.multiply_adds(model) == products


@pytest.mark.parametrize("name", NAMES)
def test_an_impulse_reaches_what_the_table_says(name):
    answers = impulse_answers(compare.built(name)) > 0
    start = 0
    for branch in branches.DESIGNS[name]:
        expected = branches.connections(branch)
        part = answers[..., start : start + len(expected)]
        np.testing.assert_array_equal(part.any(axis=(1, 2)).T, expected)
        for axis in (1, 2):
            others = tuple({0, 1, 2, 3} - {axis})
            assert part.any(axis=others).sum() == branches.window(branch)
        start += len(expected)
    assert start == 64


def test_every_level_of_pyconv_sees_all_channels_and_mixconv_only_its_own():
    for name, seen in (("PyConv", 64), ("MixConv", 16)):
        for branch in branches.DESIGNS[name]:
            assert branches.connections(branch).any(axis=0).sum() == seen


def test_the_page_holds_the_present_table():
    current = renewed(PAGE, compare.MARKERS, branches.table("markdown"))
    assert current == PAGE.read_text(), "run `make tables`"


def test_the_command_prints_the_table(capsys):
    compare.main([])
    assert capsys.readouterr().out.strip() == branches.table()


@pytest.mark.slow
def test_the_pages_example_runs_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    exec(compile(example, str(PAGE), "exec"), {})
    window, share = capsys.readouterr().out.split()
    assert window == "35" and 0 < float(share) < 1
    assert (tmp_path / "pyramid.png").exists()
