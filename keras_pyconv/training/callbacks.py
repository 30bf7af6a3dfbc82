"""The callbacks of a run: Keras's own list, with its checkpoints around it."""

import sys
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_pyconv import arguments, figures
from keras_pyconv.runs.callback_states import CallbackStates

REFRESH_SECONDS = 0.2


class Evaluation(keras.callbacks.Callback):
    """Figures that no Keras metric gives, at the end of an epoch.

    Args:
        function: of the model to a dictionary of floats, which the logs have
            with `val_` before their names.
        every: int, epochs from one evaluation to the next; the last epoch is
            always evaluated.
    """

    place = 1  # before the callbacks that read logs

    def __init__(
        self,
        function: Callable[[keras.Model], Mapping[str, float]],
        every: int = 1,
    ):
        super().__init__()
        self.function = arguments.function("function", function)
        self.every = arguments.integer("every", every)

    def is_due(self, epoch: int) -> bool:
        """Whether the epoch of that number, from 0, is evaluated."""
        number = arguments.integer("epoch", epoch, 0, 2**63) + 1
        return number % self.every == 0 or number == self.params["epochs"]

    def on_epoch_end(self, epoch, logs=None):
        if self.is_due(epoch):
            for name, value in self.function(self.model).items():
                logs[f"val_{name.removeprefix('val_')}"] = float(value)


def _reads_steps(callback):
    """Whether it wants the logs of every step, which waits for the device."""
    if _is_bar(callback) or not getattr(callback, "reads_logs", True):
        return False
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in ("on_train_batch_end", "on_batch_end")
    )


def _is_bar(callback):
    return isinstance(callback, keras.callbacks.ProgbarLogger)


class _Lines(keras.callbacks.ProgbarLogger):
    """Keras's bar with the loss, and a line for each epoch that is done."""

    place = 3  # behind what adds to logs

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_start_time = time.monotonic()
        self._reset_progbar()
        self._maybe_init_progbar()

    def on_train_batch_end(self, batch, logs=None):
        loss = {"loss": logs["loss"]} if "loss" in (logs or {}) else {}
        super().on_train_batch_end(batch, loss)

    def on_epoch_end(self, epoch, logs=None):
        if self.verbose == 1:
            # Its last line gives way to the one below.
            print("\r\033[K", end="")
        seconds = time.monotonic() - self._epoch_start_time
        print(
            f"Epoch {epoch + 1}/{self.epochs}: {figures.line(logs)}; "
            f"{seconds:.0f} s",
            flush=True,
        )


def _floats(logs):
    """Logs as numbers of Python, those in dictionaries by their own names."""
    found = {}
    for name, value in (logs or {}).items():
        if isinstance(value, dict):
            found |= _floats(value)
        else:
            found[name] = float(value) if np.ndim(value) == 0 else value
    return found


class Callbacks(keras.callbacks.CallbackList):
    """Those of the user with Keras's history and bar, and a run's saving."""

    def __init__(self, run, callbacks, verbose, restored):
        callbacks = keras.tree.flatten(callbacks or [])
        backup = keras.callbacks.BackupAndRestore
        if any(isinstance(callback, backup) for callback in callbacks):
            raise ValueError(
                "Remove BackupAndRestore: the run's own checkpoints restore "
                "the same state."
            )
        if verbose == "auto":
            verbose = 1 if sys.stdout.isatty() else 2
        if verbose and not any(map(_is_bar, callbacks)):
            callbacks.append(_Lines())
        # Given up as soon as it can be: it is as large as the model.
        self._run, self._restored = run, restored
        # Keras counts the batches of an epoch that is gone on with from 0.
        self._skipped = run.within
        self._ends_short, self._shown = False, 0.0
        super().__init__(
            # What changes weights or logs comes before what reads them.
            sorted(callbacks, key=lambda one: getattr(one, "place", 2)),
            add_history=True,
            model=run.model,
            verbose=verbose,
            epochs=run.epochs,
            steps=run.steps_per_epoch,
        )
        self.states = CallbackStates(self.callbacks, run.say)
        self._reading = any(map(_reads_steps, self.callbacks))

    def _restore(self):
        if self._restored:
            self._run.state.restore(self._restored)
            self.states.restore(self._restored["callbacks"])

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.states.begin()
        self._restore()

    def on_epoch_begin(self, epoch, logs=None):
        if epoch != len(self._run.history):
            raise ValueError(
                "Training starts at the wrong epoch: call "
                "model.fit(**run.fit_arguments, ...). Received: epoch "
                f"{epoch}, after {len(self._run.history)} finished ones."
            )
        super().on_epoch_begin(epoch, logs)
        # The epoch had begun before, and Keras has just reset its metrics.
        if self._skipped:
            self._restore()
        if not self._run.owes_evaluation:
            self._restored = None

    def on_train_batch_begin(self, batch, logs=None):
        if not self._run.owes_evaluation:
            super().on_train_batch_begin(batch + self._skipped, logs)

    def on_train_batch_end(self, batch, logs=None):
        batch += self._skipped
        last = batch + 1 >= self._run.steps_per_epoch
        if self._run.owes_evaluation:
            # Keras evaluates after a step alone; this one was done before.
            self._restore()
            self._restored = None
        else:
            self._tell_step(batch, logs, last)
            self._run.after_steps(batch + 1)
        if last and self._skipped and not self.model.stop_training:
            self._ends_short = self.model.stop_training = True

    def _tell_step(self, batch, logs, last):
        now = time.monotonic()
        if self._reading or last or now - self._shown > REFRESH_SECONDS:
            self._shown = now
            super().on_train_batch_end(batch, logs)
            return
        for callback in self.callbacks:
            if not _is_bar(callback):
                callback.on_train_batch_end(batch)

    def on_test_begin(self, logs=None):
        self._run.begin_evaluation()
        super().on_test_begin(logs)

    def on_test_end(self, logs=None):
        super().on_test_end(logs)
        self._run.stopping.at_once = False

    def on_epoch_end(self, epoch, logs=None):
        if self._ends_short:
            self._ends_short = self.model.stop_training = False
        self._skipped = 0
        self._run.check_steps()
        evaluations = [c for c in self.callbacks if isinstance(c, Evaluation)]
        if any(evaluation.is_due(epoch) for evaluation in evaluations):
            self._run.begin_evaluation()
        logs = _floats(logs)
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)
        self._run.end_epoch(logs)
