"""Pixels become what published weights expect, and answers become names."""

import pathlib

import keras
import numpy as np
import pytest

from keras_pyconv import tasks
from keras_pyconv.tasks import classification
from keras_pyconv.weights import PUBLISHED


@pytest.mark.parametrize("make", [np.asarray, keras.ops.convert_to_tensor])
def test_pixels_are_scaled_shifted_and_divided(make):
    pixels = make(np.full((1, 2, 2, 3), 255, "uint8"))
    ready = keras.ops.convert_to_numpy(tasks.preprocess_input(pixels))
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(ready[0, 1, 1], expected, rtol=1e-6)
    assert ready.dtype == "float32"


def test_preprocessing_may_be_part_of_a_model():
    images = keras.Input((4, 5, 3))
    model = keras.Model(images, tasks.preprocess_input(images))
    pixels = np.random.default_rng(2).integers(0, 256, (2, 4, 5, 3))
    found = model.predict(pixels.astype("float32"), verbose=0)
    wanted = tasks.preprocess_input(pixels)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


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


def test_imagenets_names_need_no_network(monkeypatch):
    monkeypatch.setattr(keras.utils, "get_file", None)
    answers = np.eye(1000, dtype="float32")[[0, 134, 517, 999]]
    best = [row[0] for row in tasks.decode_predictions(answers, top=1)]
    assert best == [
        ("n01440764", "tench", 1.0),
        # Two classes have this name, in Keras's file too.
        ("n02012849", "crane", 1.0),
        ("n03126707", "crane", 1.0),
        ("n15075141", "toilet_tissue", 1.0),
    ]


def test_imagenets_names_stand_in_the_order_of_the_labels():
    wnids, names = zip(*classification.imagenet_names())
    assert len(set(wnids)) == 1000
    assert list(wnids) == sorted(wnids)
    assert sorted(n for n in set(names) if names.count(n) > 1) == [
        "crane",
        "maillot",
    ]


def test_the_wnids_are_those_of_tfds():
    datasets = pytest.importorskip("tensorflow_datasets")
    folder = pathlib.Path(datasets.__file__).parent / "datasets/imagenet2012"
    wnids = [wnid for wnid, _ in classification.imagenet_names()]
    assert wnids == (folder / "labels.txt").read_text().split()
