"""Which convolutions a pyramid replaces, of which levels, and at what cost."""

import collections
import math

import keras
import numpy as np
import pytest

from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.models.conversion import (
    replace_convolutions,
    replacement_report,
)
from keras_pyconv.models.replacement import fit_pyramid, levels_at
from tests.models.convertible import (
    Block,
    channels_first,
    conv,
    nested,
    paths,
    random_inputs,
    residual,
    sequential,
    strided,
)

layers = keras.layers


# Which levels ----------------------------------------------------------------


def test_levels_follow_the_resolution_as_in_the_paper():
    sizes = (224, 112, 56, 28, 14, 7)
    assert [levels_at(224 / size) for size in sizes] == [4, 4, 4, 3, 2, 1]


@pytest.mark.parametrize("size", [64, None])
def test_a_network_of_any_size_gets_levels_by_stride(size):
    x = inputs = keras.Input((size, size, 3))
    for stage in range(6):
        x = layers.MaxPooling2D(2)(conv(f"conv{stage}", 64)(x))
    report = replacement_report(keras.Model(inputs, x))
    counts = [len(row.levels) for row in report.rows]
    # At 64 pixels the maps are 64, 32, 16, 8, 4 and 2; no kernel is larger.
    assert counts == ([0, 4, 4, 3, 0, 0] if size else [0, 4, 4, 3, 2, 0])


def test_unknown_sizes_leave_what_is_padded_by_size():
    inputs = keras.Input((None, None, 16))
    x = conv("strided", strides=2)(conv("plain")(inputs))
    model = keras.Model(inputs, x)
    report = replacement_report(model)
    assert [row.layer for row in report.replaced] == ["plain"]
    assert "unknown size" in report.left[0].reason
    converted = replace_convolutions(model)
    assert converted.compute_output_shape((1, 9, 11, 16)) == (1, 5, 6, 32)


@pytest.mark.parametrize(
    "channels, filters, levels",
    [
        pytest.param(64, 64, "3:1:16 5:4:16 7:8:16 9:16:16", id="the paper's"),
        pytest.param(128, 32, "3:1:8 5:4:8 7:8:8 9:8:8", id="narrow"),
        pytest.param(35, 70, "3:1:27 5:5:15 7:7:14 9:7:14", id="odd"),
        pytest.param(37, 64, "", id="prime"),
        pytest.param(64, 1, "", id="one-filter"),
    ],
)
def test_groups_are_the_papers_or_the_closest_that_divide(
    channels, filters, levels
):
    found = fit_pyramid(channels, filters, 3, 4)
    shown = " ".join(f"{k[0]}:{g}:{f}" for k, f, g in found)
    assert shown == levels


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_no_pyramid_costs_more_than_the_convolution(kernel, count):
    for channels in range(1, 70, 3):
        for filters in range(1, 70, 5):
            found = fit_pyramid(channels, filters, kernel, count)
            assert not found or sum(lv.filters for lv in found) == filters
            assert all(channels % lv.groups == 0 for lv in found)
            assert all(lv.filters % lv.groups == 0 for lv in found)
            cost = sum(
                lv.kernel_size[0] ** 2 * lv.filters / lv.groups for lv in found
            )
            assert cost <= kernel**2 * filters


def test_resnet50_gets_the_levels_of_the_papers_network():
    model = keras.applications.ResNet50(weights=None, include_top=False)
    levels = {
        row.layer: row.levels for row in replacement_report(model).replaced
    }
    counts = [len(found) for found in levels.values()]
    assert counts == [4] * 3 + [3] * 4 + [2] * 6
    shown = [tuple(level) for level in levels["conv3_block1_2_conv"]]
    assert shown == [((3, 3), 32, 1), ((5, 5), 32, 4), ((7, 7), 64, 8)]


def test_levels_can_be_given_for_one_layer():
    model = nested()
    report = replacement_report(model, levels={"backbone/conv": 2})
    counts = {row.layer: len(row.levels) for row in report.rows}
    assert counts["backbone/conv"] == 2
    report = replacement_report(model, levels={"backbone/conv": 1})
    assert (
        "asked for"
        in [row.reason for row in report.left if row.layer == "backbone/conv"][
            0
        ]
    )


def test_the_stem_is_replaced_where_it_is_named():
    model = residual()
    converted = replace_convolutions(model, levels={"stem": 2})
    stem = converted.get_layer("stem")
    assert [level.kernel_size for level in stem.levels] == [(3, 3), (5, 5)]
    assert replacement_report(model, levels=2).left[0].layer == "stem"


def test_what_cuts_the_levels_is_named():
    inputs = keras.Input((64, 64, 16))
    x = conv("small")(layers.AveragePooling2D(16)(inputs))
    x = conv("smaller")(layers.AveragePooling2D(2)(x))
    report = replacement_report(keras.Model(inputs, x))
    assert [row.reason for row in report.left] == [
        "5x5 exceeds the map of 4",
        "one level for a map of 2 at 1/32",
    ]


# At what cost ---------------------------------------------------------------


def multiply_adds(model, monkeypatch):
    """Of every convolution for one input, counted as the model calls it."""
    counts = collections.Counter()
    names = {id(layer): path for path, layer in paths(model)}

    def call(self, inputs):
        outputs = keras.ops.zeros(self.compute_output_shape(inputs.shape))
        is_last = self.data_format == "channels_last"
        sides = outputs.shape[1:3] if is_last else outputs.shape[2:]
        kernels = self.kernels if type(self) is PyConv else [self.kernel]
        weights = sum(math.prod(kernel.shape) for kernel in kernels)
        counts[names[id(self)]] += weights * math.prod(sides)
        return outputs

    with monkeypatch.context() as patch:
        for kind in (layers.Conv2D, layers.DepthwiseConv2D, PyConv):
            patch.setattr(kind, "call", call)
        model(random_inputs(model))
    return counts


@pytest.mark.parametrize(
    "make", [residual, strided, channels_first, nested, sequential]
)
def test_the_report_counts_what_the_layers_compute(make, monkeypatch):
    model = make()
    report = replacement_report(model)
    converted = replace_convolutions(model)
    for which, built in (("before", model), ("after", converted)):
        counted = multiply_adds(built, monkeypatch)
        rows = {r.layer: getattr(r, which).multiply_adds for r in report.rows}
        assert rows == counted
        total = getattr(report, which).multiply_adds
        assert total == sum(counted.values()) > 0


def test_a_layer_used_twice_is_counted_twice():
    rows = {row.layer: row for row in replacement_report(residual()).rows}
    # 14 x 14 positions, twice; levels 3:1:8 5:4:8 7:8:8 9:8:8 of 32 channels.
    positions = 2 * 14 * 14
    weights = 9 * 32 * 8 + 25 * 8 * 8 + 49 * 4 * 8 + 81 * 4 * 8
    assert rows["shared"].before.multiply_adds == positions * 9 * 32 * 32
    assert rows["shared"].after.multiply_adds == positions * weights


def test_the_report_is_a_table_of_every_convolution(capsys):
    replace_convolutions(residual(), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert "3 of 6 convolutions become PyConvs" in lines[0]
    (strided,) = [line for line in lines if line.startswith("strided")]
    assert "3:1:8 5:4:8 7:8:8 9:8:8" in strided and "4,640" in strided
    assert lines[-3].startswith("all convolutions")
    assert "first of the old filters (3 x 8 of 32)" in lines[-1]
    assert "keep_weights=False" in lines[-1]


def test_a_report_without_replacements_says_nothing_of_weights():
    report = replacement_report(residual(), levels=1)
    assert "keep_weights" not in str(report)
    assert str(report).splitlines()[-1].startswith("all convolutions")


# What is refused -------------------------------------------------------------


class OwnConv(layers.Conv2D):
    pass


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    "make, reason",
    [
        (lambda: OwnConv(32, 3), "a subclass of Conv2D"),
        (lambda: layers.Conv2D(32, 3, groups=2), "grouped"),
        (lambda: layers.Conv2D(32, (3, 5)), "not square"),
        (lambda: layers.Conv2D(32, 4), "not square and odd"),
        (lambda: layers.Conv2DTranspose(32, 3), "transposed"),
        (lambda: layers.SeparableConv2D(32, 3), "separable"),
        (lambda: PyConv(32, 3), "a PyConv already"),
    ],
)
def test_a_model_of_one_other_convolution_is_copied_with_a_warning(
    make, reason
):
    inputs = keras.Input((12, 12, 16))
    model = keras.Model(inputs, make()(inputs))
    with pytest.warns(UserWarning, match=f"No convolution .*{reason}"):
        copy = replace_convolutions(model)
    x = random_inputs(model)
    np.testing.assert_array_equal(copy(x), model(x))
    assert copy.layers[1] is not model.layers[1]


class InModel(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block()

    def call(self, x):
        return self.block(x)


@pytest.mark.parametrize("kind", [Block, InModel])
def test_convolutions_inside_other_layers_are_named(kind):
    inputs = keras.Input((12, 12, 16))
    x = kind(name="own")(inputs)
    (row,) = replacement_report(keras.Model(inputs, x)).rows
    assert row.layer == "own" and row.reason == f"inside a {kind.__name__}"
    assert row.before == row.after and row.before.parameters == 4640


def test_a_convolution_of_every_frame_is_named():
    inputs = keras.Input((2, 12, 12, 16))
    x = layers.TimeDistributed(conv("conv"), name="frames")(inputs)
    (row,) = replacement_report(keras.Model(inputs, x)).rows
    assert row.layer == "frames" and row.reason == "inside a TimeDistributed"


@pytest.mark.parametrize(
    "model, options, message",
    [
        (Subclassed, {}, "functional model.*Subclassed"),
        (keras.Sequential, {}, "that is built"),
        (residual, {"levels": 5}, "Received: 5; known: None, 1, 2, 3, 4"),
        (residual, {"levels": {"shred": 2}}, "'shred'; nearest: shared"),
        (
            residual,
            {"levels": {"depthwise": 4}},
            "Received: {'depthwise': 4}; reason: depthwise; nearest: 1",
        ),
        (residual, {"levels": {"point": 2}}, "reason: 1x1"),
        (residual, {"levels": {"stem": 4}, "min_kernel": 5}, "3x3 is below"),
        (residual, {"min_kernel": 1}, "at least 3. Received: min_kernel=1"),
    ],
)
def test_mistakes_are_refused_by_name(model, options, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        replace_convolutions(model(), **options)


def test_what_stays_is_named_with_the_reason():
    reasons = {r.layer: r.reason for r in replacement_report(residual()).left}
    assert reasons == {
        "stem": "the stem, which reads 3 channels",
        "depthwise": "depthwise",
        "point": "1x1",
    }
