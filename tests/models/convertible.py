"""Small models of Keras's own layers, and how their copies are compared."""

import keras
import numpy as np

from keras_pyconv.layers.pyconv import PyConv

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


def strided():
    """Strides on even, odd and unequal sizes, as the padding differs."""
    inputs = keras.Input((34, 72, 8))
    x = conv("both", strides=2)(inputs)
    x = conv("uneven", strides=(1, 3))(x)
    return keras.Model(inputs, conv("valid", 16, strides=2, padding="valid")(x))


def channels_first():
    options = {"data_format": "channels_first"}
    inputs = keras.Input((8, 12, 14))
    x = conv("plain", **options)(inputs)
    return keras.Model(inputs, conv("strided", strides=2, **options)(x))


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


class Block(layers.Layer):
    """A convolution that its owner keeps in a layer of their own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = [layers.ReLU(), conv("conv")]

    def call(self, x):
        return self.steps[1](self.steps[0](x))
