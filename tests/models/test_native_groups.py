"""Any Keras model, its grouped convolutions computed by ours."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_pyconv
from benchmarks.keras_networks import stock_network
from benchmarks.native_groups import REGNETS, regnet
from keras_pyconv.architectures import Architecture, Level, Stage
from keras_pyconv.layers.native_groups import NATIVE

CONVS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}


def values(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def natives(model):
    kinds = tuple(NATIVE.values())
    return [x for x in model._flatten_layers() if isinstance(x, kinds)]


def by_group(conv, inputs):
    """What Keras computes, one convolution a group."""
    axis = -1 if conv.data_format == "channels_last" else 1
    options = {
        "strides": conv.strides,
        "padding": conv.padding,
        "data_format": conv.data_format,
        "dilation_rate": conv.dilation_rate,
    }
    if conv.padding == "causal":
        margin = conv.dilation_rate[0] * (conv.kernel_size[0] - 1)
        inputs = np.pad(inputs, [(0, 0), (margin, 0), (0, 0)])
        options["padding"] = "valid"
    parts = zip(
        np.split(inputs, conv.groups, axis),
        np.split(np.asarray(conv.kernel), conv.groups, -1),
    )
    first = options["data_format"] == "channels_first"
    options["data_format"] = "channels_last"  # the only one on a CPU
    outputs = []
    for part, kernel in parts:
        part = np.moveaxis(part, 1, -1) if first else part
        outputs.append(np.asarray(keras.ops.conv(part, kernel, **options)))
    outputs = np.concatenate(outputs, -1) + np.asarray(conv.bias)
    outputs = np.maximum(outputs, 0)
    return np.moveaxis(outputs, -1, 1) if first else outputs


CASES = [
    (1, (17,), {"padding": "causal", "dilation_rate": 2}),
    (1, (17,), {"padding": "same", "strides": 3}),
    (2, (9, 12), {}),
    (2, (9, 12), {"padding": "same"}),
    (2, (9, 12), {"padding": "same", "kernel_size": (4, 3)}),
    (2, (9, 12), {"padding": "same", "strides": 2}),
    (2, (10, 12), {"padding": "same", "strides": (2, 3), "groups": 8}),
    (2, (9, 12), {"padding": "same", "dilation_rate": 2}),
    (2, (9, 12), {"padding": "same", "data_format": "channels_first"}),
    (3, (5, 8, 7), {"padding": "same", "strides": 2}),
    (3, (5, 8, 7), {"kernel_size": (1, 3, 3)}),
]


@pytest.mark.parametrize("rank, sizes, options", CASES)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_it_computes_what_keras_defines(rank, sizes, options, known):
    options = {"kernel_size": 3, "groups": 4, **options}
    conv = CONVS[rank](
        16, activation="relu", bias_initializer="normal", **options
    )
    first = conv.data_format == "channels_first"
    wanted_sizes = sizes if known else (None,) * rank
    shape = (8, *wanted_sizes) if first else (*wanted_sizes, 8)
    given = (2, 8, *sizes) if first else (2, *sizes, 8)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, conv(inputs))
    native = keras_pyconv.native_groups(model)
    assert len(natives(native)) == 1
    images = values(*given)
    found = native.predict(images, verbose=0)
    np.testing.assert_allclose(found, by_group(conv, images), atol=2e-5)
    assert native.output_shape == model.output_shape


class Block(layers.Layer):
    """A layer of one's own, which makes its convolutions itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.early = layers.Conv2D(8, 3, groups=2, padding="same", name="early")

    def build(self, shape):
        self.late = [layers.Conv2D(8, 3, groups=8, padding="same", name="late")]
        self.early.build(shape)
        self.late[0].build(shape)
        self.built = True

    def call(self, inputs):
        return inputs + self.late[0](self.early(inputs))


class Own(layers.Conv2D):
    """A subclass, which may compute something else."""


def network():
    inputs = keras.Input((16, 16, 8))
    shared = layers.Conv2D(8, 3, groups=4, padding="same", name="shared")
    x = shared(shared(inputs))
    x = keras.Sequential(
        [
            layers.Conv2D(8, 5, groups=8, padding="same", name="inner"),
            layers.ReLU(name="relu"),
        ],
        name="nested",
    )(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(8, 1, name="pointwise", activation=lambda y: y * 2)(x)
    x = Block(name="block")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x), name="mine")


def test_names_weights_and_the_other_layers_stay():
    model = network()
    model.get_layer("shared").trainable = False
    native = keras_pyconv.native_groups(model)
    assert [w.path for w in native.weights] == [w.path for w in model.weights]
    for ours, theirs in zip(native.weights, model.weights):
        np.testing.assert_array_equal(ours, theirs)
    assert len(natives(native)) == 4 and not natives(model)
    assert [x.name for x in native.layers] == [x.name for x in model.layers]
    assert type(native.get_layer("depthwise")) is layers.DepthwiseConv2D
    assert len(native.trainable_weights) == len(model.trainable_weights)
    assert native.weights[0] is not model.weights[0]


def test_answers_and_gradients_are_those_of_the_model():
    import tensorflow as tf

    inputs = keras.Input((9, 9, 8))
    conv = layers.Conv2D(8, 3, groups=4, strides=2, padding="same")
    model = keras.Model(inputs, conv(inputs))
    native = keras_pyconv.native_groups(model)
    images = tf.constant(values(2, 9, 9, 8))
    found = []
    for one in (model, native):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(tf.sin(one(images)))
        found.append(
            [loss, *tape.gradient(loss, [images, *one.trainable_weights])]
        )
    for theirs, ours in zip(*found):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_it_is_compiled_as_the_model_is_and_trains():
    model = network()
    model.compile("sgd", "mse")
    native = keras_pyconv.native_groups(model)
    images, wanted = values(4, 16, 16, 8), values(4, 3)
    first = native.evaluate(images, wanted, verbose=0)
    native.fit(images, wanted, epochs=3, verbose=0)
    assert native.evaluate(images, wanted, verbose=0) < first


def test_it_saves_and_loads_and_takes_the_models_weights(tmp_path):
    inputs = keras.Input((8, 8, 8))
    x = layers.Conv2D(8, 3, groups=2)(inputs)
    model = keras.Model(inputs, layers.Conv2D(8, 3, groups=8)(x))
    native = keras_pyconv.native_groups(model)
    images = values(1, 8, 8, 8)
    wanted = native.predict(images, verbose=0)
    native.save(tmp_path / "native.keras")
    twin = keras.models.load_model(tmp_path / "native.keras")
    assert len(natives(twin)) == 2
    np.testing.assert_array_equal(twin.predict(images, verbose=0), wanted)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = keras_pyconv.native_groups(keras.models.clone_model(model))
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh.predict(images, verbose=0), wanted)


def test_the_graph_holds_no_function_that_must_be_compiled():
    import tensorflow as tf

    def kinds(model):
        graph = tf.function(model).get_concrete_function(
            tf.TensorSpec((None, 16, 16, 8))
        )
        functions = graph.graph.as_graph_def().library.function
        return [f for f in functions if "_XlaMustCompile" in f.attr]

    model = network()
    assert kinds(model)
    assert not kinds(keras_pyconv.native_groups(model))


def test_a_subclass_of_a_convolution_is_left_and_nothing_to_do_is_said():
    inputs = keras.Input((8, 8, 8))
    model = keras.Model(inputs, Own(8, 3, groups=2, name="own")(inputs))
    with pytest.warns(UserWarning, match="no .* with groups: nothing to do"):
        native = keras_pyconv.native_groups(model)
    assert type(native.get_layer("own")) is Own


def test_a_model_whose_graph_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match="`model` must be a functional"):
        keras_pyconv.native_groups(keras.Model())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16", "float64"])
def test_other_precisions_stay_what_they_are(policy):
    inputs = keras.Input((8, 8, 8), dtype="float32")
    conv = layers.Conv2D(8, 3, groups=2, padding="same", dtype=policy)
    native = keras_pyconv.native_groups(keras.Model(inputs, conv(inputs)))
    found = native(values(1, 8, 8, 8))
    wanted = "bfloat16" if "bfloat" in policy else policy
    assert keras.backend.standardize_dtype(found.dtype) == wanted


def audited(model, folder):
    """Kinds of what a server would refuse in what Keras exports."""
    model.export(folder, verbose=False)
    return {finding.kind for finding in keras_pyconv.export.audit(folder)}


def resnext():
    stage = Stage(16, 1, (Level(3, 4),))
    return stock_network(
        Architecture("Small", (stage,), "a test", 2, total_stride=4), 32
    )


SMALL = {
    "ResNeXt": resnext,
    "RegNet": lambda: regnet(*REGNETS["RegNetMini"], 32, 10),
}


@pytest.mark.parametrize("name", SMALL)
def test_networks_of_stock_layers_answer_train_and_are_served(name, tmp_path):
    keras.utils.set_random_seed(1)
    model = SMALL[name]()
    native = keras_pyconv.native_groups(model)
    images, answers = values(4, 32, 32, 3), []
    for one in (model, native):
        one.compile(
            keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy"
        )
        before = one.predict(images, verbose=0)
        losses = [one.train_on_batch(images, np.arange(4)) for _ in range(3)]
        answers.append([before, losses, one.predict(images, verbose=0)])
    for theirs, ours in zip(*answers):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    assert answers[0][1][0] != answers[0][1][2]
    assert audited(model, tmp_path / "model") == {"must-compile"}
    assert not audited(native, tmp_path / "native")


def test_the_regnet_has_the_parameters_that_torchvision_prints():
    model = regnet(*REGNETS["RegNetX400MF"], 32)
    assert sum(w.numpy().size for w in model.trainable_weights) == 5_495_976


@pytest.mark.parametrize(
    "name",
    [
        "MobileNet",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("MobileNetV2", "MobileNetV3Small", "EfficientNetB0")
        ),
    ],
)
def test_depthwise_networks_of_keras_have_nothing_to_do(name):
    make = getattr(keras.applications, name)
    model = make(weights=None, input_shape=(32, 32, 3), classes=5)
    with pytest.warns(UserWarning, match="nothing to do"):
        native = keras_pyconv.native_groups(model)
    kinds = [[type(layer) for layer in one.layers] for one in (model, native)]
    assert kinds[0] == kinds[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ConvNeXtTiny", "ConvNeXtSmall"])
def test_convnext_answers_alike_and_is_served(name, tmp_path):
    make = getattr(keras.applications, name)
    keras.utils.set_random_seed(1)
    model = make(weights=None, input_shape=(64, 64, 3), classes=10)
    for layer in model.layers:
        if "layer_scale" in layer.name:
            # They start at 1e-6, which would hide the convolutions.
            layer.set_weights([0 * w + 0.5 for w in layer.get_weights()])
    native = keras_pyconv.native_groups(model)
    images = 255 * np.random.default_rng(1).random((2, 64, 64, 3))
    wanted = model.predict(images, verbose=0)
    found = native.predict(images, verbose=0)
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    assert audited(model, tmp_path / "model") == {"must-compile"}
    assert not audited(native, tmp_path / "native")
