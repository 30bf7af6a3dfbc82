"""The form that is served computes what the model computes, with less."""

import keras
import numpy as np
import pytest

from keras_pyconv.export import serving_form
from keras_pyconv.export.form import find_pairs
from keras_pyconv.export.inspect import inspect
from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pyconv import PyConv, PyConv1D, PyConv3D

layers = keras.layers

FOLDED = {
    "dense": ((6,), lambda: layers.Dense(8)),
    "conv1d": ((9, 6), lambda: layers.Conv1D(8, 3)),
    "conv2d": ((7, 7, 6), lambda: layers.Conv2D(8, 3, use_bias=False)),
    "conv3d": ((5, 5, 5, 6), lambda: layers.Conv3D(8, 3)),
    "pyconv of one level": ((7, 7, 8), lambda: PyConv(8, 3, groups=4)),
    "pyconv": ((7, 7, 8), lambda: PyConv((4, 8), (3, 5), groups=(1, 4))),
    "pyconv1d": ((9, 8), lambda: PyConv1D(8, (3, 5), groups=(1, 2))),
    "pyconv3d": ((3, 5, 5, 8), lambda: PyConv3D(8, (3, 5), groups=(1, 2))),
}
NORMALIZATIONS = {
    "stock": layers.BatchNormalization,
    "fused": FusedBatchNormalization,
}


def normalizations(model):
    return [
        layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    ]


def assert_same_outputs(model, other):
    seen, other = inspect(model), inspect(other)
    arrays = seen.inputs(seed=1)
    for wanted, got in zip(seen.answer(arrays), other.answer(arrays)):
        np.testing.assert_allclose(got, wanted, atol=1e-5 * wanted.max())


@pytest.mark.parametrize("norm", NORMALIZATIONS)
@pytest.mark.parametrize("name", FOLDED)
def test_normalization_folds_into(name, norm, randomized):
    shape, make = FOLDED[name]
    x = inputs = keras.Input(shape)
    x = make()(x)
    x = NORMALIZATIONS[norm]()(x)
    model = randomized(keras.Model(inputs, layers.ReLU()(x)))
    served = serving_form(model)
    assert not normalizations(served)
    assert_same_outputs(model, served)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_normalization_without_gamma_or_beta_folds(center, scale, randomized):
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(4),
            layers.BatchNormalization(center=center, scale=scale),
        ]
    )
    served = serving_form(randomized(model))
    assert not normalizations(served)
    assert_same_outputs(model, served)


def two_readers(x):
    x = layers.Conv2D(4, 3)(x)
    return layers.Add()([x, layers.BatchNormalization()(x)])


def called_twice(x):
    conv = layers.Conv2D(3, 3, padding="same")
    return layers.BatchNormalization()(conv(conv(x)))


def after_activation(x):
    x = layers.Conv2D(4, 3, activation="relu")(x)
    return layers.BatchNormalization()(x)


def over_rows(x):
    return layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3)(x))


def is_an_output(x):
    x = layers.Conv2D(4, 3)(x)
    return [x, layers.BatchNormalization()(x)]


def depthwise(x):
    return layers.BatchNormalization()(layers.DepthwiseConv2D(3)(x))


@pytest.mark.parametrize(
    "connect",
    [
        two_readers,
        called_twice,
        after_activation,
        over_rows,
        is_an_output,
        depthwise,
    ],
)
def test_normalization_stays_where_folding_would_be_wrong(connect, randomized):
    inputs = keras.Input((6, 6, 3))
    model = randomized(keras.Model(inputs, connect(inputs)))
    assert not find_pairs(inspect(model))
    assert serving_form(model) is model


def test_nested_models_are_folded(randomized):
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            PyConv(8, (3, 5), groups=(1, 2)),
            FusedBatchNormalization(),
        ]
    )
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    x = keras.ops.relu(x) + 1.0
    model = randomized(keras.Model(inputs, inner(x)))
    assert len(find_pairs(inspect(model))) == 2
    assert_same_outputs(model, serving_form(model))


def test_the_whole_network_folds_and_the_model_is_unchanged(network):
    before = [weight.copy() for weight in network.get_weights()]
    served = serving_form(network)
    assert normalizations(network) and not normalizations(served)
    for old, new in zip(before, network.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_served_form_of_bfloat16_is_the_float32_network(randomized):
    def build(dtype):
        inputs = keras.Input((6, 6, 4))
        x = PyConv(8, 3, groups=2, dtype=dtype)(inputs)
        return randomized(
            keras.Model(inputs, FusedBatchNormalization(dtype=dtype)(x))
        )

    mixed, full = build("mixed_bfloat16"), build("float32")
    full.set_weights(mixed.get_weights())
    assert_same_outputs(full, serving_form(mixed))
    assert_same_outputs(full, serving_form(mixed, fold=False))


def falls_empty(x):
    return layers.AveragePooling2D(72)(x)


def refuses_the_small(x):
    return layers.Conv2D(2, 75)(x)


def mean_of_nothing(x):
    return layers.GlobalAveragePooling2D()(falls_empty(x))


@pytest.mark.parametrize(
    "shrink", [falls_empty, refuses_the_small, mean_of_nothing]
)
def test_an_open_size_grows_until_the_model_runs(shrink, randomized):
    inputs = keras.Input((None, None, 1))
    x = layers.BatchNormalization()(layers.Conv2D(2, 1)(inputs))
    model = randomized(keras.Model(inputs, shrink(x)))
    served = serving_form(model)
    assert not normalizations(served)
    images = np.random.default_rng(0).normal(size=(1, 80, 80, 1))
    np.testing.assert_allclose(served(images), model(images), atol=1e-5)


def test_outputs_may_be_integers_or_hold_nothing(randomized):
    inputs = keras.Input((6, 6, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    outputs = [keras.ops.argmax(x, -1), x > 0.0, x[:, :0]]
    model = randomized(keras.Model(inputs, outputs))
    served = serving_form(model)
    assert not normalizations(served)
    seen = inspect(model)
    arrays = seen.inputs()
    for wanted, got in zip(seen.answer(arrays), inspect(served).answer(arrays)):
        np.testing.assert_array_equal(got, wanted)


class Forgetful(layers.Layer):
    """Loses its factor when it is copied by its config."""

    factor = 1.0

    def call(self, inputs):
        return inputs * self.factor


def test_a_form_that_computes_something_else_is_refused():
    forgetful = Forgetful()
    forgetful.factor = 2.0
    inputs = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(4)(inputs))
    model = keras.Model(inputs, forgetful(x), name="net")
    with pytest.raises(ValueError, match="'net' .* Export with fold=False"):
        serving_form(model)


def test_the_copy_computes_for_machines_that_are_not_known(network):
    pyramid = "conv2_block1_2_pyconv"
    assert network.get_layer(pyramid).target == "here"
    served = serving_form(network)
    assert served.get_layer(pyramid).target == "served"
    assert serving_form(served) is served
    portable = serving_form(network, target="portable")
    assert portable.get_layer(pyramid).target == "portable"
    assert "target" not in portable.get_layer(pyramid).get_config()
    with pytest.warns(DeprecationWarning, match="it is `target`"):
        before = serving_form(network, way="portable")
    assert before.get_layer(pyramid).target == "portable"


def test_what_a_layer_holds_computes_for_others_too():
    class Twice(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.pyramid = PyConv(8, (3, 5))

        def call(self, inputs):
            return self.pyramid(self.pyramid(inputs))

    inputs = keras.Input((6, 6, 8))
    model = keras.Model(inputs, Twice(name="twice")(inputs))
    served = serving_form(model)
    assert served.get_layer("twice").pyramid.target == "served"


def test_functions_of_its_owner_are_in_the_form(with_own_functions):
    served = serving_form(with_own_functions)
    assert served.get_layer("pyramid").target == "served"
    assert not normalizations(served)
    assert_same_outputs(with_own_functions, served)


def test_functions_of_its_owner_are_in_the_float32_form():
    def build(dtype):
        inputs = keras.Input((6,))
        x = layers.Dense(4, lambda x: 2.0 * x, dtype=dtype)(inputs)
        x = layers.Lambda(lambda x: x + 1.0, dtype=dtype)(x)
        return keras.Model(inputs, x)

    low, full = build("mixed_bfloat16"), build("float32")
    full.set_weights(low.get_weights())
    assert_same_outputs(full, serving_form(low))


def test_a_layer_that_cannot_be_copied_is_named():
    class Table(layers.Layer):
        def __init__(self, rows):
            super().__init__(name="table")
            self.rows = rows

        def call(self, inputs):
            return inputs * keras.ops.convert_to_tensor(self.rows)

    inputs = keras.Input((4,))
    x = layers.BatchNormalization()(layers.Dense(4)(inputs))
    model = keras.Model(inputs, Table(np.ones(4, "f4"))(x))
    with pytest.raises(ValueError, match="'table' .Table. cannot be copied"):
        serving_form(model)
    assert serving_form(model, fold=False) is model


def test_a_network_with_values_that_are_not_finite_has_no_form():
    inputs = keras.Input((4,))
    dense = layers.Dense(4, name="dense")
    model = keras.Model(inputs, layers.BatchNormalization()(dense(inputs)))
    dense.bias.assign([0.0, np.nan, 0.0, 0.0])
    with pytest.raises(ValueError, match="1 variables .* dense/bias"):
        serving_form(model)
