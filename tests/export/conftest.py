"""A small network with normalization that has seen data, and its export."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv.export import saved_model
from keras_pyconv.models import build_classifier

STEEPNESS = 3.0
LABELS = tuple(f"class {index}" for index in range(10))


def randomize(model, seed=0):
    """Gives every variable of a model values as training might leave them."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if "variance" in variable.path or "gamma" in variable.path:
            values = generator.uniform(0.5, 1.5, variable.shape)
        elif len(variable.shape) == 1:
            values = generator.normal(0.0, 0.3, variable.shape)
        else:
            continue
        variable.assign(values)
    return model


@pytest.fixture(scope="session")
def randomized():
    """The function that gives a model such values."""
    return randomize


@pytest.fixture(scope="session")
def network():
    """The small PyConv classifier of ten classes."""
    keras.utils.set_random_seed(0)
    return randomize(
        build_classifier(
            "PyConvResNetMini", classes=10, input_shape=(32, 32, 3)
        )
    )


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """The folder of its first version."""
    root = tmp_path_factory.mktemp("models") / "network"
    return saved_model(
        network, root, labels=LABELS, top_k=3, batch_sizes=(1, 2)
    )


def rows_for_nothing(served):
    """How many rows a SavedModel gives for no rows, by signature and output."""
    found = {}
    for name, signature in served.signatures.items():
        _, specs = signature.structured_input_signature
        nothing = {
            key: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for key, spec in specs.items()
        }
        for output, tensor in signature(**nothing).items():
            found[name, output] = tensor.shape[0]
    return found


@pytest.fixture(scope="session")
def nothing():
    """The function that asks for nothing."""
    return rows_for_nothing


@pytest.fixture
def small():
    """A classifier of three classes that exports at once."""
    inputs = keras.Input((4,), name="features")
    outputs = keras.layers.Dense(3, "softmax", name="predictions")(inputs)
    return keras.Model(inputs, outputs)


def _steep(x):
    return x * keras.ops.sigmoid(STEEPNESS * x)


@pytest.fixture
def with_own_functions():
    """A network of pyramids with functions that only their owner knows."""
    inputs = keras.Input((12, 12, 4))
    x = keras_pyconv.PyConv(8, (3, 5), groups=(1, 2), name="pyramid")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Lambda(lambda maps: maps * STEEPNESS)(x)
    x = keras.layers.Conv2D(4, 3, activation=_steep)(x)
    stock = keras.Sequential(
        [keras.Input((10, 10, 4)), keras.layers.Lambda(lambda maps: 0.5 - maps)]
    )
    x = keras.layers.GlobalAveragePooling2D()(stock(x))
    softmax = keras.layers.Softmax()
    x = keras.layers.Dense(3, activation=softmax, name="kinds")(x)
    model = randomize(keras.Model(inputs, x))
    model.compile("sgd", loss=lambda wanted, got: keras.ops.mean(got))
    return model
