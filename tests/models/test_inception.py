"""Inception networks are built as they are counted, and as Keras's are."""

import inspect
from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_pyconv.architectures import INCEPTIONS, Mixed, get_inception
from keras_pyconv.complexity import complexity
from keras_pyconv.models import (
    InceptionResNetV2,
    PyConvInceptionResNetV2,
    build_inception,
)
from keras_pyconv.weights import load

# One residual block a stage: every kind of layer, a tenth of the time.
SHORT = {
    name: replace(
        row,
        name=f"Short{name}",
        parts=tuple(
            part if isinstance(part, Mixed) else replace(part, blocks=1)
            for part in row.parts
        ),
    )
    for name, row in INCEPTIONS.items()
}
NAMES = ["InceptionResNetV2", "PyConvInceptionResNetV2Branch"]


def compare(record, size, **options):
    """Every layer of the built model against the closed form."""
    shape = (size, size, 3)
    model = build_inception(record, input_shape=shape, **options)
    count = complexity(record, shape, **options)
    assert model.count_params() == count.total_parameters
    assert sum(w.shape.num_elements() for w in model.trainable_weights) == (
        count.parameters
    )
    for layer in count.layers:
        built = model.get_layer(layer.name)
        assert built.count_params() == layer.total_parameters, layer.name
        assert built.output.shape[1:] == layer.output_shape, layer.name
    return model


@pytest.mark.parametrize("name", NAMES)
def test_a_short_network_is_built_as_it_is_counted(name):
    compare(SHORT[name], 75, classes=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SHORT))
def test_a_short_network_trains_and_gives_probabilities(name):
    model = build_inception(SHORT[name], input_shape=(75, 75, 3), classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = np.random.default_rng(1).normal(size=(2, 75, 75, 3))
    assert np.isfinite(model.train_on_batch(images, np.array([0, 2])))
    probabilities = model.predict_on_batch(images)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)


def test_the_builders_have_the_contract_of_keras_applications():
    expected = inspect.signature(keras.applications.InceptionResNetV2)
    for builder in (InceptionResNetV2, PyConvInceptionResNetV2):
        found = list(inspect.signature(builder).parameters)
        assert found[: len(expected.parameters)] == list(expected.parameters)
    assert "our reconstruction" in PyConvInceptionResNetV2.__doc__
    assert "keras.applications" in InceptionResNetV2.__doc__


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: InceptionResNetV2(input_shape=(74, 99, 3)), "75 pixels.*74"),
        (lambda: build_inception("VGG"), "'VGG'. Known: InceptionResNetV2, "),
        (lambda: get_inception("Inception"), "PyConvInceptionResNetV2Branch"),
        (lambda: InceptionResNetV2(classes=0), "classes=0"),
    ],
    ids=["small", "unknown", "known", "classes"],
)
def test_mistakes_are_refused_with_what_was_received(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", ["fc.npz", "fc.pth", "fc.safetensors"])
def test_checkpoints_of_pytorch_are_refused_before_building(tmp_path, name):
    path = tmp_path / name
    path.touch()
    with pytest.raises(ValueError, match=rf"no checkpoints.*{name}"):
        build_inception("InceptionResNetV2", weights=path)


def test_weights_of_another_network_are_refused():
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    with pytest.raises(
        ValueError, match="does not have the weights of .*: all"
    ):
        load(other, other)


def randomize(model):
    """Other statistics and biases than those of a fresh model."""
    random = np.random.default_rng(2)
    for layer in model.layers:
        for variable in layer.variables:
            if variable.name == "moving_variance":
                variable.assign(random.uniform(0.5, 2, variable.shape))
            elif variable.name in ("beta", "bias", "moving_mean"):
                variable.assign(random.normal(size=variable.shape) / 10)


@pytest.mark.slow
@pytest.mark.parametrize("size", [75, 151])
def test_keras_and_we_compute_the_same_from_the_same_weights(size):
    shape = (size, size, 3)
    source = keras.applications.InceptionResNetV2(
        weights=None, input_shape=shape, classes=7, classifier_activation=None
    )
    randomize(source)
    model = InceptionResNetV2(
        input_shape=shape, classes=7, classifier_activation=None
    )
    assert load(model, source) is model
    images = np.random.default_rng(3).uniform(-1, 1, (2, *shape))
    expected = source.predict_on_batch(images)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(
        model.predict_on_batch(images),
        expected,
        atol=1e-4 * np.abs(expected).max(),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", list(INCEPTIONS))
def test_every_network_is_built_as_it_is_counted(name):
    compare(name, 299)
