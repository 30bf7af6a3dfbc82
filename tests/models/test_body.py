"""A trained body goes into a network with another classifier."""

import keras
import numpy as np
import pytest

from keras_pyconv.models import build_classifier
from keras_pyconv.weights import load, torch_shapes
from tests.reference import rule

ROW = "PyConvResNetMini"
SHAPE = (32, 32, 3)


def build(classes=4, **options):
    return build_classifier(ROW, classes=classes, input_shape=SHAPE, **options)


@pytest.fixture(scope="module")
def trained():
    return build(7)


def save_npz(trained, path):
    arrays = rule.weights(torch_shapes(ROW, classes=7))
    np.savez(path, **arrays)
    return build(7, weights=path)


def save_weights(trained, path):
    trained.save_weights(path)
    return trained


def save_model(trained, path):
    trained.save(path)
    return trained


SAVERS = {
    "w.npz": save_npz,
    "w.weights.h5": save_weights,
    "w.keras": save_model,
}


def body(model):
    output = model.get_layer("avg_pool").output
    return keras.Model(model.input, output)


@pytest.mark.parametrize(
    "name, classes",
    [("w.npz", 4), ("w.npz", 7), ("w.weights.h5", 4), ("w.keras", 7)],
)
def test_the_body_comes_from_the_file_and_the_head_does_not(
    trained, tmp_path, name, classes
):
    source = SAVERS[name](trained, tmp_path / name)
    model = build(classes)
    head = [np.array(w) for w in model.get_layer("predictions").get_weights()]
    assert load(model, tmp_path / name, part="backbone") is model
    images = np.random.default_rng(1).random((2, *SHAPE), "float32")
    np.testing.assert_array_equal(body(model)(images), body(source)(images))
    for old, new in zip(head, model.get_layer("predictions").get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_file_without_a_classifier_will_do(tmp_path):
    source = build(include_top=False)
    source.save_weights(tmp_path / "w.weights.h5")
    model = load(build(), tmp_path / "w.weights.h5", part="backbone")
    kernel = "conv2_block1_2_pyconv"
    np.testing.assert_array_equal(
        model.get_layer(kernel).kernels[0], source.get_layer(kernel).kernels[0]
    )


def test_a_file_of_another_network_is_refused(tmp_path):
    other = build_classifier("ResNetMini", classes=3, input_shape=SHAPE)
    other.save(tmp_path / "w.keras")
    with pytest.raises(ValueError, match="Missing or of other shapes"):
        load(build(), tmp_path / "w.keras", part="backbone")
