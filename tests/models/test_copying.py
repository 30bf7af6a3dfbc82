"""A copied layer computes what the layer computes, whoever wrote it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.models.copying import Copier, copy_weights

layers = keras.layers
FACTOR = 3.0


def swish_like(x):
    return x * keras.ops.sigmoid(FACTOR * x)


class Cube:
    """A function that has no name."""

    def __call__(self, x):
        return x**3

    def get_config(self):
        return {}


class Shift(layers.Layer):
    """A layer that nobody registered."""

    def __init__(self, by=1.0, **options):
        super().__init__(**options)
        self.by = by

    def call(self, inputs):
        return inputs + self.by

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "by": self.by}


def shifts_by(number):
    return lambda x: x + number


def in_a_stock_model(shape):
    inner = keras.Input(shape)
    return keras.Model(inner, layers.Lambda(lambda x: np.pi * x)(inner))


OWN = {
    "lambda with a global": ((4,), lambda: layers.Lambda(lambda x: FACTOR * x)),
    "lambda with a closure": ((4,), lambda: layers.Lambda(shifts_by(2.0))),
    "lambda of a module": ((4,), lambda: layers.Lambda(lambda x: tf.sin(x))),
    "lambda of a function": ((4,), lambda: layers.Lambda(swish_like)),
    "lambda with arguments": (
        (4,),
        lambda: layers.Lambda(
            lambda x, by: x * by, arguments={"by": 2.0}, output_shape=(4,)
        ),
    ),
    "lambda in a model": ((4,), lambda: in_a_stock_model((4,))),
    "activation": ((4,), lambda: layers.Dense(3, activation=swish_like)),
    "lambda activation": ((4,), lambda: layers.Dense(3, lambda x: x**2)),
    "activation of TensorFlow": ((4,), lambda: layers.Dense(3, tf.nn.relu6)),
    "object": ((4,), lambda: layers.Dense(3, activation=Cube())),
    "activation layer": (
        (4,),
        lambda: layers.Dense(3, activation=layers.Softmax()),
    ),
    "layer with weights as activation": (
        (4,),
        lambda: layers.Dense(3, activation=layers.PReLU("ones")),
    ),
    "own layer as activation": (
        (4,),
        lambda: layers.Dense(3, activation=Shift(2.0)),
    ),
    "Activation": ((4,), lambda: layers.Activation(swish_like)),
    "recurrent": (
        (5, 4),
        lambda: layers.LSTM(
            3, lambda x: x / 2, recurrent_activation=tf.nn.relu
        ),
    ),
    "wrapped": (
        (5, 4),
        lambda: layers.TimeDistributed(layers.Dense(3, activation=swish_like)),
    ),
    "wrapped layer of one's own": (
        (5, 4),
        lambda: layers.TimeDistributed(Shift(2.0)),
    ),
    "layer of one's own": ((4,), lambda: Shift(2.0)),
}


def copied(model):
    copier = Copier()
    copy = copier.copy(model)
    for layer, other in copier.pairs():
        copy_weights(layer, other)
    return copy


@pytest.mark.parametrize("is_sequential", [False, True], ids=["graph", "list"])
@pytest.mark.parametrize("name", OWN)
def test_a_copy_computes_the_same(name, is_sequential):
    shape, make = OWN[name]
    inputs = keras.Input(shape)
    if is_sequential:
        model = keras.Sequential([inputs, make()])
    else:
        model = keras.Model(inputs, make()(inputs))
    copy = copied(model)
    assert type(copy) is type(model) and copy is not model
    data = np.random.default_rng(0).normal(size=(2, *shape)).astype("f4")
    np.testing.assert_array_equal(copy(data), model(data))
    for old, new in zip(model.weights, copy.weights):
        assert old is not new and old.name == new.name


def test_a_model_compiled_with_a_loss_of_ones_own_is_copied():
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model = keras.Model(inputs, inner(inputs))
    for each in (inner, model):
        each.compile("sgd", loss=lambda y, p: keras.ops.mean(p))
    copy = copied(model)
    np.testing.assert_array_equal(copy(np.ones((1, 4))), model(np.ones((1, 4))))


class Unkept(layers.Layer):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def call(self, inputs):
        return inputs * keras.ops.convert_to_tensor(self.table)


def test_a_layer_that_does_not_say_what_made_it_is_named():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Unkept(np.ones(4, "f4"))(inputs))
    with pytest.raises(
        ValueError, match=r"'unkept.*\(Unkept\) cannot be copied"
    ):
        copied(model)
