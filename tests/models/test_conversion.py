"""A converted model has PyConvs, the same shapes and names, no more cost."""

import keras
import numpy as np
import pytest

from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.models.conversion import (
    replace_convolutions,
    replacement_report,
)
from keras_pyconv.models.replacement_levels import fit_pyramid, levels_at

layers = keras.layers
generator = np.random.default_rng(8)


def conv(name, filters=32, kernel=3, **options):
    options = {"padding": "same", **options}
    return layers.Conv2D(filters, kernel, name=name, **options)


def residual():
    """A stem, a strided and a "valid" convolution, and one used twice."""
    inputs = keras.Input((32, 32, 3), name="images")
    x = conv("stem", 16)(inputs)
    x = conv("strided", strides=2, activation="relu")(x)
    x = layers.BatchNormalization(name="bn")(conv("valid", padding="valid")(x))
    shared = conv("shared", use_bias=False)
    x = shared(shared(x)) + 1.0
    side = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(conv("point", 8, 1)(x))
    return keras.Model(
        inputs, {"scores": layers.Dense(5, name="scores")(x), "side": side}
    )


def two_inputs():
    image = keras.Input((16, 16, 8), name="image")
    extra = keras.Input((4,), name="extra")
    x = layers.Flatten(name="flat")(conv("conv", 16)(image))
    x = layers.Concatenate(name="both")([x, extra])
    return keras.Model([image, extra], layers.Dense(2, name="out")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((17, 16, 8)),
            conv("strided", strides=2),
            layers.Dropout(0.1, name="dropout"),
            conv("plain", padding="valid"),
        ],
        name="stack",
    )


def nested():
    inputs = keras.Input((20, 20, 3), name="images")
    x = conv("stem", 8, 5, strides=2)(inputs)
    inner = keras.Input((10, 10, 8), name="inner_images")
    y = conv("conv", 16)(inner)
    backbone = keras.Model(inner, y, name="backbone")
    head = keras.Sequential(
        [keras.Input((10, 10, 16)), conv("conv", 16, strides=2)], name="head"
    )
    return keras.Model(inputs, head(backbone(x, training=False)), name="outer")


MODELS = {
    "residual": residual,
    "two inputs": two_inputs,
    "sequential": sequential,
    "nested": nested,
}
# Pixels, and how many convolutions are replaced on maps of at least 5 of them.
APPLICATIONS = {
    "ResNet50": (64, 3 + 4),
    "VGG16": (32, 1 + 2 + 3),
    "DenseNet121": (64, 6 + 12),
    "EfficientNetB0": (32, 0),
    "MobileNet": (32, 0),
}


def paths(model, prefix=""):
    """Every layer by its path, through nested models."""
    for layer in model.layers:
        yield prefix + layer.name, layer
        if isinstance(layer, keras.Model):
            yield from paths(layer, f"{prefix}{layer.name}/")


def random_inputs(model):
    shapes = [(2, *tensor.shape[1:]) for tensor in model.inputs]
    arrays = [generator.normal(size=s).astype("float32") for s in shapes]
    return arrays if len(arrays) > 1 else arrays[0]


def shapes(outputs):
    return [tuple(t.shape) for t in keras.tree.flatten(outputs)]


def check_converted(model, converted, report):
    """Same names, shapes and other weights; costs as reported, none more."""
    assert converted.name == model.name
    assert shapes(converted.outputs) == shapes(model.outputs)
    before, after = dict(paths(model)), dict(paths(converted))
    assert {n for n in set(after) ^ set(before)} == {
        n for n in after if n.endswith("_pad") and n not in before
    }
    replaced = {row.layer: row for row in report.replaced}
    for name, layer in before.items():
        if name in replaced:
            row = replaced[name]
            assert type(after[name]) is PyConv
            assert after[name].count_params() == row.after.parameters
            assert row.after.parameters <= row.before.parameters
            assert row.after.multiply_adds <= row.before.multiply_adds
            assert row.before.parameters == layer.count_params()
        elif not isinstance(layer, keras.Model):
            assert type(after[name]) is type(layer)
            for old, new in zip(layer.get_weights(), after[name].get_weights()):
                np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", MODELS)
def test_the_shapes_names_and_other_weights_are_kept(name):
    model = MODELS[name]()
    old = [weight.copy() for weight in model.get_weights()]
    report = replacement_report(model)
    converted = replace_convolutions(model)
    assert report.replaced
    check_converted(model, converted, report)
    assert type(converted) is type(model)
    inputs = random_inputs(model)
    assert shapes(converted(inputs)) == shapes(model(inputs))
    for was, weight in zip(old, model.get_weights()):
        np.testing.assert_array_equal(was, weight)


def test_what_stays_is_named_with_the_reason():
    reasons = {r.layer: r.reason for r in replacement_report(residual()).left}
    assert reasons == {
        "stem": "the stem, which reads 3 channels",
        "depthwise": "depthwise",
        "point": "1x1",
    }


@pytest.mark.parametrize(
    "options, size",
    [
        pytest.param({}, 12, id="same"),
        pytest.param({"strides": 2}, 12, id="strided-even"),
        pytest.param({"strides": 2}, 13, id="strided-odd"),
        pytest.param({"strides": (3, 2)}, 14, id="uneven-strides"),
        pytest.param({"padding": "valid"}, 12, id="valid"),
        pytest.param({"padding": "valid", "strides": 2}, 13, id="valid-2"),
        pytest.param({"dilation_rate": 2}, 13, id="dilated"),
        pytest.param({"kernel": 5, "strides": 2}, 16, id="kernel-5"),
    ],
)
def test_the_dense_level_gives_what_the_old_filters_gave(options, size):
    inputs = keras.Input((size, size, 16))
    model = keras.Model(
        inputs, conv("conv", bias_initializer="normal", **options)(inputs)
    )
    converted = replace_convolutions(model, levels=3)
    x = random_inputs(model)
    wanted, got = model.predict(x, verbose=0), converted.predict(x, verbose=0)
    assert wanted.shape == got.shape
    count = converted.get_layer("conv").levels[0].filters
    assert len(converted.get_layer("conv").levels) == 3
    np.testing.assert_allclose(got[..., :count], wanted[..., :count], atol=2e-5)
    assert np.abs(got[..., count:] - wanted[..., count:]).max() > 0.1


def test_new_kernels_can_be_asked_for_at_every_level():
    model = sequential()
    fresh = replace_convolutions(model, keep_weights=False)
    kernel = fresh.get_layer("plain").kernels[0]
    old = model.get_layer("plain").kernel[..., : kernel.shape[-1]]
    assert np.abs(np.asarray(kernel) - np.asarray(old)).max() > 0.01


def test_the_options_of_a_convolution_are_kept():
    options = {
        "activation": "gelu",
        "kernel_regularizer": keras.regularizers.L2(1e-3),
        "bias_constraint": keras.constraints.NonNeg(),
        "activity_regularizer": keras.regularizers.L1(1e-4),
        "dtype": "mixed_bfloat16",
        "trainable": False,
        "dilation_rate": 2,
    }
    inputs = keras.Input((12, 12, 16))
    model = keras.Model(inputs, conv("conv", **options)(inputs))
    layer = replace_convolutions(model).get_layer("conv")
    assert layer.dtype_policy.name == "mixed_bfloat16"
    assert layer.activation is keras.activations.gelu
    assert layer.kernel_regularizer.l2 == pytest.approx(1e-3)
    assert isinstance(layer.bias_constraint, keras.constraints.NonNeg)
    assert float(layer.activity_regularizer.l1) == pytest.approx(1e-4)
    assert layer.dilation_rate == (2, 2)
    assert not layer.trainable_variables


def test_a_frozen_model_with_one_open_layer_stays_so():
    model = nested()
    model.get_layer("backbone").trainable = False
    model.get_layer("backbone").get_layer("conv").trainable = True
    converted = replace_convolutions(model)
    for (_, old), (_, new) in zip(paths(model), paths(converted)):
        assert old.trainable == new.trainable


def test_functions_and_adapted_statistics_come_along():
    inputs = keras.Input((12, 12, 16))
    adapted = layers.Normalization()
    adapted.adapt(generator.normal(2, 3, (4, 12, 12, 16)))
    x = layers.Lambda(lambda t: 2 * t, name="twice")(adapted(inputs))
    model = keras.Model(inputs, [x, conv("conv")(x)])
    converted = replace_convolutions(model)
    x = random_inputs(model)
    np.testing.assert_allclose(converted(x)[0], model(x)[0])


def test_channels_first_keeps_its_shapes():
    inputs = keras.Input((16, 12, 14))
    x = conv("conv", strides=2, data_format="channels_first")(inputs)
    model = keras.Model(inputs, x)
    converted = replace_convolutions(model)
    assert converted.output_shape == model.output_shape == (None, 32, 6, 7)
    assert converted.get_layer("conv").data_format == "channels_first"


@pytest.mark.parametrize("name", ["residual", "nested", "sequential"])
def test_a_converted_model_is_saved_and_loaded(name, tmp_path):
    model = replace_convolutions(MODELS[name]())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = random_inputs(model)
    for wanted, got in zip(
        keras.tree.flatten(model(x)), keras.tree.flatten(loaded(x))
    ):
        np.testing.assert_allclose(wanted, got, atol=1e-5)


def test_a_compiled_model_is_compiled_and_trains():
    model = sequential()
    model.compile("sgd", "mse")
    converted = replace_convolutions(model)
    before = np.array(converted.get_layer("plain").kernels[1])
    x = random_inputs(model)
    converted.fit(x, np.zeros((2, *model.output_shape[1:])), verbose=0)
    after = np.array(converted.get_layer("plain").kernels[1])
    assert np.abs(after - before).max() > 0


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


class Block(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = [layers.ReLU(), conv("conv")]

    def call(self, x):
        return self.steps[1](self.steps[0](x))


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
        (residual, {"min_kernel": 1}, "Received: 1; nearest: 3"),
    ],
)
def test_mistakes_are_refused_by_name(model, options, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        replace_convolutions(model(), **options)


def test_the_report_is_a_table_of_every_convolution(capsys):
    replace_convolutions(residual(), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert "3 of 6 convolutions become PyConvs" in lines[0]
    (strided,) = [line for line in lines if line.startswith("strided")]
    assert "3:1:8 5:4:8 7:8:8 9:8:8" in strided and "4,640" in strided
    assert lines[-1].startswith("all convolutions")


# keras.applications ----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "MobileNet",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in APPLICATIONS
            if name != "MobileNet"
        ),
    ],
)
def test_an_application_is_converted(name, tmp_path):
    size, replaced = APPLICATIONS[name]
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(size, size, 3)
    )
    report = replacement_report(model)
    assert len(report.replaced) == replaced
    if not replaced:
        with pytest.warns(UserWarning, match="depthwise"):
            replace_convolutions(model)
        return
    converted = replace_convolutions(model)
    check_converted(model, converted, report)
    inputs = random_inputs(model)
    assert shapes(converted(inputs)) == shapes(model(inputs))
    converted.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.count_params() == converted.count_params()
    converted.compile("sgd", "mse", run_eagerly=True)
    wanted = np.zeros((2, *model.output_shape[1:]))
    assert np.isfinite(converted.train_on_batch(inputs, wanted))
