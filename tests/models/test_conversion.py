"""A converted model has PyConvs, the same shapes and names, no more cost."""

import keras
import numpy as np
import pytest

from keras_pyconv.models.conversion import (
    replace_convolutions,
    replacement_report,
)
from tests.models.convertible import (
    MODELS,
    Block,
    check_converted,
    conv,
    generator,
    nested,
    paths,
    random_inputs,
    sequential,
    shapes,
    strided,
)

layers = keras.layers
# Pixels, and how many convolutions are replaced on maps of at least 5 of them.
APPLICATIONS = {
    "ResNet50": (64, 3 + 4),
    "VGG16": (32, 1 + 2 + 3),
    "DenseNet121": (64, 6 + 12),
    "EfficientNetB0": (32, 0),
    "MobileNet": (32, 0),
}
QUICK = ("MobileNet", "VGG16")


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


@pytest.mark.parametrize("kind", ["frames", "own"])
def test_frozen_layers_inside_other_layers_stay_so(kind):
    inputs = keras.Input((12, 12, 16))
    x = conv("plain", trainable=False)(inputs)
    if kind == "own":
        x = Block(name="own")(x)
    else:
        base = keras.Sequential([keras.Input((12, 12, 32)), conv("a")])
        base.add(conv("b"))
        x = layers.Reshape((1, 12, 12, 32))(x)
        x = layers.TimeDistributed(base, name="frames")(x)
    model = keras.Model(inputs, x)
    holder = model.get_layer(kind)
    (holder.steps[1] if kind == "own" else base).trainable = False
    if kind == "frames":
        base.get_layer("b").trainable = True
    copy = replace_convolutions(model).get_layer(kind)
    assert copy.trainable
    inner = copy.steps[1] if kind == "own" else copy.layer
    assert inner.trainable is False
    flags = [weight.trainable for weight in holder.weights]
    assert [weight.trainable for weight in copy.weights] == flags
    assert flags == (
        [False] * 2 if kind == "own" else [False, False, True, True]
    )


def test_functions_and_adapted_statistics_come_along():
    inputs = keras.Input((12, 12, 16))
    adapted = layers.Normalization()
    adapted.adapt(generator.normal(2, 3, (4, 12, 12, 16)))
    x = layers.Lambda(lambda t: 2 * t, name="twice")(adapted(inputs))
    model = keras.Model(inputs, [x, conv("conv")(x)])
    converted = replace_convolutions(model)
    x = random_inputs(model)
    np.testing.assert_allclose(converted(x)[0], model(x)[0])


def doubled_tanh(x):
    return 2 * keras.ops.tanh(x)


def tenths(shape, dtype=None):
    return keras.ops.full(shape, 0.1, dtype)


def test_functions_of_the_owner_need_no_name_in_keras():
    inputs = keras.Input((12, 12, 16))
    options = {"activation": doubled_tanh, "kernel_initializer": tenths}
    x = conv("plain", kernel_regularizer=keras.ops.max, **options)(inputs)
    x = conv("point", 8, 1, activation=lambda x: x + 7.0)(x)
    model = keras.Model(inputs, conv("point_2", 8, 1, **options)(x))
    converted = replace_convolutions(model)
    layer = converted.get_layer("plain")
    assert layer.activation is doubled_tanh
    assert layer.kernel_regularizer is model.layers[1].kernel_regularizer
    np.testing.assert_allclose(layer.kernels[1], 0.1)
    for name in ("point", "point_2"):
        kept = model.get_layer(name).activation
        assert converted.get_layer(name).activation is kept


def test_an_activation_that_is_a_layer_is_copied_with_its_weights():
    inputs = keras.Input((12, 12, 16))
    leaky = layers.PReLU("ones", shared_axes=[1, 2])
    model = keras.Model(inputs, conv("conv", activation=leaky)(inputs))
    model(random_inputs(model))
    leaky.alpha.assign(keras.ops.full((1, 1, 32), 0.3))
    copy = replace_convolutions(model).get_layer("conv").activation
    assert copy is not leaky and copy.alpha is not leaky.alpha
    np.testing.assert_allclose(copy.alpha, 0.3)


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


def own_loss(wanted, got):
    return keras.ops.mean((wanted - got) ** 2)


class OwnStep(keras.Model):
    """A functional model that its owner trains in another way."""


def own_step():
    plain = strided()
    return OwnStep(plain.inputs, plain.outputs)


@pytest.mark.parametrize(
    "make, options",
    [
        pytest.param(strided, {"loss": own_loss}, id="functional"),
        pytest.param(own_step, {"loss": own_loss}, id="own-class"),
        pytest.param(
            nested, {"loss": lambda a, b: own_loss(a, b)}, id="lambda"
        ),
        pytest.param(
            sequential, {"loss": "mse", "metrics": [own_loss]}, id="metric"
        ),
    ],
)
def test_a_model_with_its_owners_loss_is_left_uncompiled(make, options):
    model = make()
    model.compile("sgd", **options)
    message = "left uncompiled because .*(own_loss|lambda)"
    with pytest.warns(UserWarning, match=message):
        converted = replace_convolutions(model)
    assert type(converted) is type(model)
    assert not converted.compiled and model.compiled
    check_converted(model, converted, replacement_report(model))


def test_a_loss_that_keras_knows_by_name_is_kept():
    model = own_step()
    model.compile("sgd", "mse", metrics=["mae"])
    converted = replace_convolutions(model)
    assert converted.compiled and converted.loss == "mse"
    assert type(converted) is OwnStep


# keras.applications ----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in APPLICATIONS
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
