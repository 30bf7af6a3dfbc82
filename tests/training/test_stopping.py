"""Ctrl-C saves and says how to go on; the second one ends at once."""

import os
import signal

import keras
import pytest

from keras_pyconv.runs import checkpoints
from tests.training import small


class _Signal(keras.callbacks.Callback):
    """Sends this process a signal after some batches of the run."""

    def __init__(self, number, batches, times=1):
        super().__init__()
        self.number, self.batches, self.times = number, batches, times

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if self.batches == 0:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    "number, code",
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_says_how_to_go_on(
    number, code, unbroken, tmp_path, capsys
):
    with pytest.raises(SystemExit) as stopped:
        small.run(tmp_path, callbacks=[_Signal(number, 6)])
    assert stopped.value.code == code
    said = capsys.readouterr().out
    assert f"Stopped after step 6 of 12 and saved to {tmp_path}" in said
    assert "The same command goes on." in said
    trained, history = small.run(tmp_path)
    small.assert_same(trained, unbroken[0])
    assert history == unbroken[1]


def test_two_signals_end_at_once(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        small.run(tmp_path, callbacks=[_Signal(signal.SIGINT, 2, times=2)])
    assert checkpoints.found(tmp_path / "checkpoints") == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_during_an_evaluation_does_not_wait_for_it(unbroken, tmp_path):
    def long(model):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("The evaluation went on.")

    with pytest.raises(SystemExit):
        small.run(tmp_path, evaluate=long)
    trained, history = small.run(tmp_path)
    small.assert_same(trained, unbroken[0])
    assert history == unbroken[1]


@pytest.mark.parametrize("steps", [8, 4])
def test_a_signal_in_the_last_step_does_not_wait_for_the_validation(
    steps, tmp_path, capsys
):
    fit = {"validation_data": small.batches(100).take(2)}
    whole, history = small.run(tmp_path / "whole", fit=fit)
    broken = tmp_path / "broken"
    with pytest.raises(SystemExit):
        stop = _Signal(signal.SIGINT, steps)
        small.run(broken, callbacks=[stop], fit=fit)
    assert f"Stopped after step {steps} of 12" in capsys.readouterr().out
    trained, again = small.run(broken, fit=fit)
    small.assert_same(trained, whole)
    assert again == history


class _Validating(keras.callbacks.Callback):
    """Sends this process a signal in a validation; tells of every step."""

    def __init__(self, number=None):
        super().__init__()
        self.number, self.steps = number, []

    def on_train_batch_begin(self, batch, logs=None):
        self.steps.append(batch)

    def on_test_batch_end(self, batch, logs=None):
        if self.number:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("steps_per_epoch", [2, 4])
def test_a_signal_in_a_validation_costs_nothing(
    steps_per_epoch, together, tmp_path, capsys
):
    options = {
        "fit": {"validation_data": small.batches(100).take(2)},
        "steps_per_epoch": steps_per_epoch,
    }

    def model():
        return small.model(steps_per_execution=together)

    whole, history = small.run(tmp_path / "whole", model(), **options)
    broken, interrupted = tmp_path / "broken", _Validating(signal.SIGINT)
    with pytest.raises(SystemExit):
        small.run(broken, model(), [interrupted], **options)
    said = capsys.readouterr().out
    assert f"Stopped after step {steps_per_epoch} of" in said
    going_on = _Validating()
    trained, again = small.run(broken, model(), [going_on], **options)
    small.assert_same(trained, whole)
    assert again == history
    # What it was told of is part of the state, and no step comes twice.
    executions = [*range(0, steps_per_epoch, together)]
    assert interrupted.steps == executions
    assert going_on.steps == small.EPOCHS * executions
