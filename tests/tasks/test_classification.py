"""Pixels become what published weights expect, and answers become names."""

import keras
import numpy as np
import pytest

from keras_pyconv import tasks
from keras_pyconv.tasks.classification import imagenet
from keras_pyconv.weights import PUBLISHED


@pytest.mark.parametrize("make", [np.asarray, keras.ops.convert_to_tensor])
def test_pixels_are_scaled_shifted_and_divided(make):
    pixels = make(np.full((1, 2, 2, 3), 255, "uint8"))
    ready = keras.ops.convert_to_numpy(tasks.preprocess_input(pixels))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(ready[0, 1, 1], expected, rtol=1e-6)
    assert ready.dtype == "float32"


def test_the_pixels_given_stay_as_they_are():
    pixels = np.full((2, 2, 3), 100.0, "float32")
    tasks.preprocess_input(pixels)
    assert (pixels == 100).all()


def test_channels_may_come_first():
    pixels = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3))
    turned = tasks.preprocess_input(
        np.moveaxis(pixels, -1, 1), data_format="channels_first"
    )
    np.testing.assert_array_equal(
        np.moveaxis(turned, 1, -1), tasks.preprocess_input(pixels)
    )


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4, 4), (3,)])
def test_other_than_three_channels_are_refused(shape):
    with pytest.raises(ValueError, match="3 channels"):
        tasks.preprocess_input(np.zeros(shape))


def test_an_unknown_set_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="'imagenet', 'imagen.*weights='imagenut'"
    ):
        tasks.preprocess_input(np.zeros((2, 2, 3)), weights="imagenut")


def test_every_published_set_has_its_preprocessing():
    for row in PUBLISHED.values():
        assert row.preprocessing in tasks.PREPROCESSING
        tasks.preprocess_input(np.zeros((2, 2, 3)), weights=row.set)


def test_answers_are_named_best_first():
    rows = tasks.decode_predictions([[0.1, 0.7, 0.2]], 2, ["cat", "dog", "fox"])
    assert [row[1] for row in rows[0]] == ["dog", "fox"]
    assert rows[0][0] == ("dog", "dog", pytest.approx(0.7))


def test_the_shape_must_fit_the_names():
    with pytest.raises(ValueError, match=r"\(batch, 1000\).*\(1, 3\)"):
        tasks.decode_predictions(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"\(batch, 2\)"):
        tasks.decode_predictions(np.zeros((1, 3)), class_names=["a", "b"])


@pytest.fixture
def offline(monkeypatch):
    def unreachable(*_, **__):
        raise Exception("URL fetch failure: unreachable")

    names = keras.applications.imagenet_utils
    monkeypatch.setattr(names, "decode_predictions", unreachable)


def test_without_a_network_classes_go_by_their_wnids(offline, caplog):
    pytest.importorskip("tensorflow_datasets", reason="has the wnids")
    answers = np.eye(1000, dtype="float32")[[0, 999]]
    first, last = tasks.decode_predictions(answers, top=1)
    assert first == [("n01440764", "n01440764", 1.0)]
    assert last == [("n15075141", "n15075141", 1.0)]
    assert "could not be fetched" in caplog.text


def test_without_any_names_the_error_says_what_to_do(offline, monkeypatch):
    monkeypatch.setattr(imagenet, "_wnids", lambda: None)
    with pytest.raises(ConnectionError, match="Pass `class_names`"):
        tasks.decode_predictions(np.zeros((1, 1000)))


def test_readable_names_are_those_of_keras(monkeypatch):
    def decode(predictions, top):
        return [[(f"n{i}", f"name {i}", 1.0)] for i in range(len(predictions))]

    names = keras.applications.imagenet_utils
    monkeypatch.setattr(names, "decode_predictions", decode)
    answers = np.eye(1000, dtype="float32")[[7]]
    assert tasks.decode_predictions(answers, 1) == [[("n7", "name 7", 1.0)]]
