"""A run that was broken ends as one that was not, to the bit."""

import pytest

from keras_pyconv.training import checkpoints
from tests.training import small


@pytest.mark.parametrize("step", [1, 4, 6, 11])
def test_a_run_goes_on_after_any_step(step, unbroken, tmp_path):
    small.run(tmp_path, stop_after_steps=step)
    trained, history = small.run(tmp_path)
    small.assert_same(trained, unbroken[0])
    assert history == unbroken[1]


def test_a_run_that_is_over_is_not_trained_again(unbroken, tmp_path):
    small.run(tmp_path)
    trained, history = small.run(tmp_path, evaluate=None)
    small.assert_same(trained, unbroken[0])
    assert history == unbroken[1]


def test_the_last_few_checkpoints_are_kept(tmp_path):
    small.run(tmp_path, evaluate=None, save_every_steps=1, keep=2)
    names = [path.name for path in checkpoints.found(tmp_path / "checkpoints")]
    assert names == ["step-000000012.npz", "step-000000011.npz"]


def test_averaged_weights_are_evaluated_and_resumed(tmp_path):
    whole, history = small.run(tmp_path / "whole", ema=0.9)
    small.run(tmp_path / "broken", ema=0.9, stop_after_steps=7)
    broken, again = small.run(tmp_path / "broken", ema=0.9)
    small.assert_same(broken, whole)
    assert again == history
    assert small.validate(whole)["accuracy"] == history[-1]["val_accuracy"]
