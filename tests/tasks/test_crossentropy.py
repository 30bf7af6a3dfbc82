"""One cross-entropy of numbers and of rows, with and without smoothing."""

import keras
import numpy as np
import pytest

from keras_pyconv.tasks import Crossentropy

NUMBERS = np.array([2, 0, 1, 2])
ROWS = np.eye(3, dtype="float32")[NUMBERS]
SCORES = np.random.default_rng(1).dirichlet((1, 1, 1), 4).astype("float32")


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_numbers_columns_and_rows_have_one_loss(smoothing):
    loss = Crossentropy(smoothing)
    share = (1 - smoothing) * ROWS + smoothing / 3
    expected = -np.mean(np.sum(share * np.log(SCORES), axis=1))
    for targets in (NUMBERS, NUMBERS[:, None], ROWS):
        assert float(loss(targets, SCORES)) == pytest.approx(expected, 1e-5)


def test_without_smoothing_it_is_keras_sparse_loss_to_the_bit():
    own = Crossentropy()(NUMBERS, SCORES)
    sparse = keras.losses.SparseCategoricalCrossentropy()(NUMBERS, SCORES)
    assert float(own) == float(sparse)


def test_a_model_is_trained_on_rows_and_judged_by_numbers():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "softmax")]
    )
    model.compile("sgd", Crossentropy(0.1))
    inputs = np.ones((4, 4), "float32")
    fit = model.fit(
        inputs, ROWS, validation_data=(inputs, NUMBERS), verbose=0
    ).history
    assert fit["val_loss"][0] < fit["loss"][0]


def test_it_is_saved_and_loaded():
    config = keras.saving.serialize_keras_object(Crossentropy(0.2))
    again = keras.saving.deserialize_keras_object(config)
    assert again.label_smoothing == 0.2


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing={smoothing}"):
        Crossentropy(smoothing)
