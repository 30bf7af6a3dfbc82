"""Callbacks remember across a kill what they knew without one."""

import functools
import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import training
from keras_pyconv.runs import checkpoints
from keras_pyconv.runs.plain import decode, encode
from tests.training import small

STEPS, EPOCHS = small.STEPS_PER_EPOCH, 5
# The best of them is the second; whoever forgets it takes the third for it.
WITHIN = -100  # a validation, where no steps are counted
SCORES = (1.0, 3.0, 2.0, 1.5, 9.0)


class Killed(Exception):
    """Stands for a kill: nothing more is written."""


class Kill(keras.callbacks.Callback):
    """Ends the process, so to say, before a step or within a validation."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        self.steps -= 1
        if self.steps == -1:
            raise Killed

    def on_test_batch_end(self, batch, logs=None):
        if self.steps <= WITHIN:
            raise Killed

    def get_state(self):
        return None

    def set_state(self, state):
        """The next one is another."""


class Counter(keras.callbacks.Callback):
    """A callback of a user's own, which keeps plain data."""

    def __init__(self):
        super().__init__()
        self.steps, self.seen, self.last = 0, {}, None

    def on_epoch_begin(self, epoch, logs=None):
        self.seen[epoch] = ("begun", self.seen.get(epoch, 0))

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self.last = np.float32([logs["loss"], batch])


class Teller(keras.callbacks.Callback):
    """A callback of a user's own, which says itself what to keep."""

    def __init__(self):
        super().__init__()
        self._log = []

    def on_epoch_end(self, epoch, logs=None):
        self._log.append(object())

    def get_state(self):
        return {"epochs": len(self._log)}

    def set_state(self, state):
        self._log = [object()] * state["epochs"]


def _score(trained):
    step = int(trained.optimizer.iterations.numpy())
    return {"score": SCORES[step // STEPS - 1]}


def _early_stopping(folder):
    return keras.callbacks.EarlyStopping(
        "val_score",
        patience=2,
        mode="max",
        min_delta=0.1,
        restore_best_weights=True,
    )


def _tensorboard(folder):
    return keras.callbacks.TensorBoard(
        folder / "logs", write_graph=False, update_freq="batch"
    )


def _points(folder):
    """The last value at every step of every curve."""
    from tensorboard.backend.event_processing import event_accumulator

    points = {}
    for place in ("train", "validation"):
        events = event_accumulator.EventAccumulator(
            str(folder / "logs" / place),
            {event_accumulator.TENSORS: 0},  # all of them
            purge_orphaned_data=False,
        )
        for tag in events.Reload().Tags()["tensors"]:
            for event in events.Tensors(tag):
                value = tf.make_ndarray(event.tensor_proto)
                points[place, tag, event.step] = value.item()
    return points


def _names(folder):
    return sorted(path.name for path in folder.glob("best-*"))


def _best_file(folder):
    return keras.callbacks.ModelCheckpoint(
        folder / "best-{epoch}.weights.h5",
        "val_score",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )


def _table(append):
    return lambda folder: keras.callbacks.CSVLogger(
        folder / f"table-{append}.csv", append=append
    )


def _file(callback, folder):
    return (folder / f"table-{callback.append}.csv").read_bytes()


CASES = {
    "EarlyStopping": (
        _early_stopping,
        lambda c, folder: (c.wait, c.best, c.best_epoch, c.stopped_epoch),
    ),
    "ReduceLROnPlateau": (
        lambda folder: keras.callbacks.ReduceLROnPlateau(
            "val_score", 0.5, patience=1, mode="max", cooldown=1
        ),
        lambda c, folder: (c.wait, c.best, c.cooldown_counter),
    ),
    "ModelCheckpoint": (_best_file, lambda c, folder: (c.best, _names(folder))),
    "LearningRateScheduler": (
        lambda folder: keras.callbacks.LearningRateScheduler(
            lambda epoch, rate: 0.7 * rate
        ),
        lambda c, folder: float(c.model.optimizer.learning_rate.numpy()),
    ),
    "SwapEMAWeights": (
        lambda folder: keras.callbacks.SwapEMAWeights(),
        lambda c, folder: c._ema_weights_in_model,
    ),
    "SwapEMAWeights at the end of epochs": (
        lambda folder: keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        lambda c, folder: c._ema_weights_in_model,
    ),
    "CSVLogger": (_table(False), _file),
    "CSVLogger that appends": (_table(True), _file),
    "TensorBoard": (_tensorboard, lambda c, folder: _points(folder)),
    "TerminateOnNaN": (
        lambda folder: keras.callbacks.TerminateOnNaN(),
        lambda c, folder: c.model.stop_training,
    ),
    "WeightAverage": (
        lambda folder: training.WeightAverage(0.9),
        lambda c, folder: (c.steps, c.in_place),
    ),
    "one with plain attributes": (
        lambda folder: Counter(),
        lambda c, folder: (c.steps, c.seen, c.last.tolist()),
    ),
    "one with get_state": (
        lambda folder: Teller(),
        lambda c, folder: len(c._log),
    ),
}


PASSIVE = (
    "ModelCheckpoint",
    "CSVLogger",
    "CSVLogger that appends",
    "TensorBoard",
    "TerminateOnNaN",
    "one with plain attributes",
    "one with get_state",
)


def _run(folder, names, kill=None):
    """The model, its histories and the callbacks after a run, or a part."""
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True)
    trained = small.model(optimizer=optimizer)
    callbacks = [CASES[name][0](folder) for name in names]
    others = [training.Evaluation(_score)]
    if kill is not None:
        others.append(Kill(kill))
    fit = {"validation_data": small.batches(100).take(2)}
    trained, history = small.run(
        folder,
        trained,
        callbacks + others,
        None,
        epochs=EPOCHS,
        save_every_steps=3,
        fit=fit,
    )
    return trained, history, trained.history.history, callbacks


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A function of callbacks' names to what a whole run and one with kills
    gave: model, histories, callbacks, folder of each."""

    @functools.cache
    def both(names):
        whole, broken = (tmp_path_factory.mktemp("run") for _ in range(2))
        # Within the third epoch, and before the last step of the fourth; in
        # the validation of that.
        for kill in (10, 6, WITHIN):
            with pytest.raises(Killed):
                _run(broken, names, kill)
            gc.collect()
        return [(*_run(folder, names), folder) for folder in (whole, broken)]

    return both


# A process that is killed closes nothing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_callback_remembers_across_kills(name, runs):
    # Those that change nothing go into the same run.
    names = PASSIVE if name in PASSIVE else (name,)
    whole, broken = runs(names)
    small.assert_same(broken[0], whole[0])
    assert broken[1:3] == whole[1:3]
    found, wanted = (
        CASES[name][1](callbacks[names.index(name)], folder)
        for *_, callbacks, folder in (broken, whole)
    )
    assert found == wanted


def test_a_broken_run_stops_in_the_epoch_of_the_unbroken_one(runs):
    _, (trained, history, _, (callback,), folder) = runs(("EarlyStopping",))
    assert len(history) == 4 and callback.best_epoch == 1
    best = callback.best_weights
    for weight, wanted in zip(trained.get_weights(), best, strict=True):
        np.testing.assert_array_equal(weight, wanted)
    # Started again it is over, with the same weights.
    again, found, *_ = _run(folder, ("EarlyStopping",))
    small.assert_same(again, trained)
    assert found == history


def test_nothing_is_restored_or_closed_before_the_end(tmp_path):
    """The first of two parts of a run is no end of training."""

    class Ends(keras.callbacks.Callback):
        calls = []

        def on_train_end(self, logs=None):
            self.calls.append(len(trained.history.epoch))

    trained = small.model()
    small.run(tmp_path, trained, [Ends()], stop_after_steps=6)
    assert Ends.calls == []
    trained = small.model()
    small.run(tmp_path, trained, [Ends()])
    assert Ends.calls == [small.EPOCHS]


def test_callbacks_count_the_batches_of_a_broken_epoch_on(tmp_path):
    class Batches(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.begun, self.ended = [], []

        def on_train_batch_begin(self, batch, logs=None):
            self.begun.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            self.ended.append(batch)

    first, second = Batches(), Batches()
    small.run(tmp_path, callbacks=[first], stop_after_steps=6)
    small.run(tmp_path, callbacks=[second])
    assert second.begun == second.ended == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]


def test_backups_beside_a_runs_own_are_refused(tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(ValueError, match="Remove BackupAndRestore"):
        small.run(tmp_path, callbacks=[backup])


def test_what_cannot_be_kept_is_said_once(tmp_path, capsys):
    class Keeps(keras.callbacks.Callback):
        things = None

        def on_epoch_end(self, epoch, logs=None):
            self.things = [*(self.things or []), object()]

    small.run(tmp_path, callbacks=[Keeps()])
    said = capsys.readouterr().out
    assert said.count("Keeps.things is no plain data and is not saved") == 1


def test_a_run_that_saves_nothing_says_so(tmp_path):
    trained = small.model()
    with pytest.raises(ValueError, match="callbacks=run.callbacks"):
        with training.Run(tmp_path, trained, small.batches, **small.RUN) as run:
            trained.fit(**run.fit_arguments)


def test_an_epoch_that_is_done_is_not_begun_again(tmp_path):
    small.run(tmp_path, stop_after_steps=6)
    trained = small.model()
    with pytest.raises(ValueError, match=r"epoch 0, after 1 finished"):
        with training.Run(tmp_path, trained, small.batches, **small.RUN) as run:
            arguments = {**run.fit_arguments, "initial_epoch": 0}
            trained.fit(**arguments, callbacks=run.callbacks())


def test_nan_under_terminate_on_nan_saves_nothing_and_ends(tmp_path, capsys):
    def spoiled(first_step):
        def spoil(step, batch):
            x, y = batch
            return tf.where(step < 6, x, float("nan")), y

        steps = tf.data.Dataset.counter(first_step)
        data = tf.data.Dataset.zip(steps, small.batches(first_step))
        return data.map(spoil)

    stop = keras.callbacks.TerminateOnNaN()
    small.run(tmp_path, callbacks=[stop], evaluate=None, batches=spoiled)
    assert "loss is nan at step 7. Nothing is saved" in capsys.readouterr().out
    _, record = checkpoints.latest(tmp_path / "checkpoints")
    assert (record["step"], record["finished"]) == (4, False)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": (1, 2.5, "x"), 3: [True, None], "s": {1, 2}},
        {"array": 1, "dict": {"tuple": ()}},
        np.float32(0.1),
        [np.arange(6, dtype="int64").reshape(2, 3), float("inf")],
    ],
    ids=str,
)
def test_plain_data_come_back_as_they_were(value):
    arrays = {}
    found = decode(encode(value, arrays, "x"), arrays)
    np.testing.assert_equal(found, value)
    assert type(found) is type(value)


def test_objects_are_not_pickled():
    for value in (object(), np.array([object()]), [lambda: 1]):
        with pytest.raises(TypeError):
            encode(value, {}, "x")
