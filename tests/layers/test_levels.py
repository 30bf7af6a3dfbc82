"""Proves that levels are resolved by the paper's rule and mistakes named."""

from fractions import Fraction

import numpy as np
import pytest

from keras_pyconv.layers import PyConv, PyConv1D, PyConv3D
from keras_pyconv.layers.levels import auto_groups

# What was passed instead of the defaults -> what the message must say.
MISTAKES = {
    "empty kernel_size": ({"kernel_size": ()}, ["kernel_size=()", "(3, 5,"]),
    "even kernel": ({"kernel_size": (3, 4)}, ["level 2", "4;", "3 or 5"]),
    "kernel of zero": (
        {"kernel_size": (0, 3)},
        ["level 1", "0;", "nearest: 1"],
    ),
    "negative kernel": ({"kernel_size": (3, -5)}, ["level 2", "-5", ": 1"]),
    "kernel as text": ({"kernel_size": "3"}, ["level 1", "'3'"]),
    "kernel as text in a list": ({"kernel_size": (3, "5")}, ["level 2", "'5'"]),
    "kernel as float": ({"kernel_size": (3, 5.0)}, ["level 2", "5.0;", ": 5."]),
    "kernel as bool": ({"kernel_size": (True, 3)}, ["level 1", "True"]),
    "kernel as None": ({"kernel_size": None}, ["level 1", "None"]),
    "kernel with three axes": (
        {"kernel_size": (3, (3, 5, 7))},
        ["level 2", "(3, 5, 7)", "(3, 5)"],
    ),
    "kernel with an even axis": (
        {"kernel_size": (3, (3, 6))},
        ["level 2", "(3, 6)", "5 or 7"],
    ),
    "filters that do not split": ({"filters": 65}, ["65", "64 or 68"]),
    "fewer filters than levels": ({"filters": 2}, ["2;", "nearest: 4"]),
    "filters of zero": ({"filters": 0}, ["=0;", "nearest: 4"]),
    "negative filters": ({"filters": -8}, ["-8", "nearest: 4"]),
    "filters as float": ({"filters": 64.0}, ["64.0", "nearest: 64"]),
    "filters as text": ({"filters": "64"}, ["'64'", "4 levels"]),
    "filters as bool": ({"filters": True}, ["True"]),
    "filters of another length": (
        {"filters": (32, 32)},
        ["Received 2", "4 levels", "(32, 32)"],
    ),
    "no filters": ({"filters": ()}, ["Received 0", "4 levels"]),
    "filters with a zero": (
        {"filters": (16, 0, 16, 16)},
        ["level 2", "0;", "nearest: 1"],
    ),
    "filters with a float": (
        {"filters": (16, 16, 7.6, 16)},
        ["level 3", "7.6", "nearest: 8"],
    ),
    "filters in a table": (
        {"kernel_size": (3, 5), "filters": ((4, 0), (4, 4))},
        ["level 1", "(4, 0);", "Of filters=((4, 0), (4, 4))"],
    ),
    "groups of another length": (
        {"groups": (1, 4, 8)},
        ["Received 3", "4 levels", "(1, 4, 8)"],
    ),
    "groups that divide nothing": (
        {"groups": (1, 4, 8, 12)},
        ["level 4", "12;", "16 filters", "8 or 16"],
    ),
    "groups beyond the filters": (
        {"groups": (1, 4, 8, 32)},
        ["level 4", "32;", "nearest: 16"],
    ),
    "groups of zero": ({"groups": 0}, ["level 1", "0;", "nearest: 1"]),
    "groups as text": ({"groups": "paper"}, ["'paper'", '"auto"']),
    "groups as float": ({"groups": (1, 4.0, 8, 16)}, ["level 2", "4.0"]),
    "groups as bool": ({"groups": True}, ["level 1", "True"]),
    "groups as None": ({"groups": None}, ["level 1", "None"]),
    "strides of zero": ({"strides": 0}, ["strides=0", "nearest: (1, 1)"]),
    "strides for three axes": ({"strides": (1, 2, 2)}, ["(1, 2, 2)", "2 of"]),
    "strides as float": ({"strides": 2.0}, ["strides=2.0", "(2, 2)"]),
    "negative dilation": ({"dilation_rate": -1}, ["dilation_rate=-1"]),
    "dilation as text": ({"dilation_rate": "2"}, ["dilation_rate='2'"]),
    "unknown padding": ({"padding": "full"}, ["'full'", "'same', 'valid'"]),
    "causal padding": ({"padding": "causal"}, ["'causal'", "'same'"]),
    "unknown data format": (
        {"data_format": "NHWC"},
        ["'NHWC'", "'channels_last'"],
    ),
    "unknown way": ({"way": "fastest"}, ["'fastest'", "'native'"]),
    "unknown way as list": ({"way": ["native"]}, ["['native']", "'native'"]),
}


@pytest.mark.parametrize(
    ("arguments", "message"), MISTAKES.values(), ids=MISTAKES
)
def test_a_mistake_is_refused_at_construction(arguments, message):
    with pytest.raises(ValueError) as error:
        PyConv(**{"filters": 64, **arguments})
    for part in message:
        assert part in str(error.value)


def test_groups_must_divide_the_input_channels():
    layer = PyConv((16, 48), kernel_size=(3, 5), groups=(1, 16))
    with pytest.raises(ValueError, match="level 2.*24 input.*16;.*12 or 24"):
        layer.build((None, 8, 8, 24))
    assert not layer.built and not layer.weights


@pytest.mark.parametrize(
    "shape", [(None, 8, 16), (None, 4, 8, 8, 16)], ids=["sequence", "clip"]
)
def test_an_input_of_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match="rank 4"):
        PyConv(16).build(shape)


@pytest.mark.parametrize(
    ("data_format", "shape"),
    [
        ("channels_last", (None, 8, 8, None)),
        ("channels_first", (None, None, 8, 8)),
    ],
)
def test_channels_must_be_known(data_format, shape):
    with pytest.raises(ValueError, match="channels.*must be known"):
        PyConv(16, data_format=data_format).build(shape)


def test_lists_and_numpy_numbers_are_integers_too():
    layer = PyConv(
        np.int64(24),
        kernel_size=np.array([3, 5]),
        groups=[np.int32(1), np.uint8(4)],
        strides=np.int16(2),
        dilation_rate=[1, 1],
    )
    layer.build((None, 8, 8, 16))
    assert layer.levels == (((3, 3), 12, 1), ((5, 5), 12, 4))
    assert layer.strides == (2, 2)
    assert all(type(size) is int for size in layer.kernel_size)


@pytest.mark.parametrize(
    ("layer", "levels"),
    [
        (PyConv(64), [(3, 3), (5, 5), (7, 7), (9, 9)]),
        (PyConv(8, kernel_size=5), [(5, 5)]),
        (PyConv(8, kernel_size=(3, 5)), [(3, 3), (5, 5)]),
        (PyConv(8, kernel_size=((3, 5),)), [(3, 5)]),
        (PyConv(8, kernel_size=(3, (1, 7))), [(3, 3), (1, 7)]),
        (PyConv1D(8, kernel_size=(3, 5)), [(3,), (5,)]),
        (PyConv3D(8, kernel_size=((7, 9, 9),)), [(7, 9, 9)]),
        (PyConv3D(8, kernel_size=(3, (3, 5, 5))), [(3, 3, 3), (3, 5, 5)]),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value.kernel_size),
)
def test_every_entry_of_kernel_size_is_a_level(layer, levels):
    layer.build((None, *(16,) * layer.rank, 8))
    assert [level.kernel_size for level in layer.levels] == levels


def test_filters_are_split_evenly_or_given_for_every_level():
    for filters, expected in ((64, (32, 32)), ((16, 48), (16, 48))):
        layer = PyConv(filters, kernel_size=(3, 5))
        layer.build((None, 8, 8, 16))
        assert tuple(level.filters for level in layer.levels) == expected


def test_one_number_of_groups_applies_to_every_level():
    layer = PyConv(64, groups=8)
    layer.build((None, 8, 8, 64))
    assert [level.groups for level in layer.levels] == [8] * 4


def _closest_divisor(channels, filters, kernel, smallest):
    ratio = Fraction(int(np.prod(kernel)), int(np.prod(smallest)))
    common = [
        d
        for d in range(1, channels + 1)
        if channels % d == 0 and filters % d == 0
    ]
    return min(common, key=lambda divisor: abs(divisor - ratio))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_auto_groups_are_the_common_divisors_closest_to_the_ratio(rank):
    kernels = [(size,) * rank for size in (3, 5, 7, 9, 11)]
    for channels in (1, 3, 48, 60, 64, 97, 1024):
        for width in (1, 12, 16, 50, 64):
            widths = (width,) * len(kernels)
            assert auto_groups(channels, widths, kernels) == tuple(
                _closest_divisor(channels, width, kernel, kernels[0])
                for kernel in kernels
            )


@pytest.mark.parametrize(
    ("channels", "filters", "kernels", "groups"),
    [
        (64, (16,) * 4, [(3, 3), (5, 5), (7, 7), (9, 9)], (1, 2, 4, 8)),
        (12, (12, 12), [(1,), (5,)], (1, 4)),
        (64, (64,), [(9, 9)], (1,)),
        (64, (64, 64), [(9, 9), (3, 3)], (8, 1)),
        (64, (64, 64), [(3, 3, 3), (7, 9, 9)], (1, 16)),
    ],
    ids=["paper", "tie", "single", "largest first", "clip"],
)
def test_auto_groups_of_known_pyramids(channels, filters, kernels, groups):
    assert auto_groups(channels, filters, kernels) == groups
