"""A batch in parts is refused where it cannot be what it says."""

import keras
import pytest

from keras_pyconv import training
from tests.training import small


def test_accumulation_would_pass_over_a_step_of_the_models_own():
    class Own(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    inputs = keras.Input((6, 6, 3))
    own = Own(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    own.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Own has its own train_step"):
        training.accumulate_gradients(own, 2)


def test_an_optimizer_that_accumulates_itself_is_refused():
    model = small.model(
        optimizer=training.SGD(0.1, gradient_accumulation_steps=2)
    )
    with pytest.raises(ValueError, match="gradient_accumulation_steps=2"):
        training.accumulate_gradients(model, 2)


def test_a_batch_that_cannot_be_cut_is_refused_with_the_nearest(tmp_path):
    model = small.model()
    training.accumulate_gradients(model, 3)
    with pytest.raises(ValueError, match="3 equal parts .* 6 or 9"):
        small.run(tmp_path, model)


def test_batches_of_unknown_size_cannot_be_cut(tmp_path):
    def ragged(first_step):
        return small.batches(first_step).unbatch().batch(8)

    model = small.model()
    training.accumulate_gradients(model, 2)
    with pytest.raises(ValueError, match="drop_remainder=True"):
        small.run(tmp_path, model, batches=ragged)


def test_a_broken_run_ends_as_the_unbroken_one_to_the_bit(tmp_path):
    def run(folder, **options):
        model = small.model()
        training.accumulate_gradients(model, 2)
        return small.run(folder, model, **options)

    whole, history = run(tmp_path / "whole")
    run(tmp_path / "broken", stop_after_steps=6)
    broken, again = run(tmp_path / "broken")
    small.assert_same(broken, whole)
    assert again == history
