"""A run that is killed at any moment, and started again, ends the same."""

import os
import random
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import datasets, training
from keras_pyconv.runs import checkpoints
from tests.training import small

SECONDS = 300
SLOW = pytest.mark.slow


def _mixed(first_step):
    """The batches with CutMix, one-hot."""
    mix, steps = datasets.cutmix(), tf.data.Dataset.counter(first_step)

    def mixed(step, batch):
        x, y = batch
        return mix(x, tf.one_hot(y, 2), tf.stack([7, step]))

    return tf.data.Dataset.zip(steps, small.batches(first_step)).map(mixed)


def _train_on_two(folder, die_at=None):
    """On two devices, with CutMix, dropout, accumulation and an average."""
    two = training.make_strategy("mirrored", 2)
    trained = small.model(two)
    with two.scope():
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        trained.compile(training.SGD(0.05), loss, metrics=["accuracy"])
    training.accumulate_gradients(trained, 2)
    data = _mixed(100).take(2)
    small.run(
        folder,
        trained,
        [
            training.WeightAverage(0.9),
            keras.callbacks.EarlyStopping("val_loss", patience=9),
        ],
        None,
        batches=_mixed,
        save_every_steps=1,
        fit={"validation_data": data},
    )


def _train(folder, die_at=None):
    """In a process of its own; it may kill itself at a point of a save."""
    if die_at:
        place, name, count = die_at
        places = {"format": np.lib.format, "os": os, "checkpoints": checkpoints}
        place = places[place]
        original, calls = getattr(place, name), []

        def dying(*args, **kwargs):
            calls.append(1)
            if len(calls) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(place, name, dying)
    small.run(folder, save_every_steps=1)


def _ended(process):
    process.join(SECONDS)
    return process.exitcode


def _last(folder):
    _, state = checkpoints.latest(folder / "checkpoints")
    assert state["step"] == small.EPOCHS * small.STEPS_PER_EPOCH
    return state


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The folder of a run that was not killed.

    It ran in a process of its own, like the others: a process chooses its
    kernels when it starts, and the environment may have changed since then.
    """
    folder = tmp_path_factory.mktemp("whole")
    assert _ended(start(_train, folder)) == 0
    return folder


@pytest.fixture(scope="module")
def whole_on_two(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert _ended(start(_train_on_two, folder)) == 0
    return folder


def _assert_same(folder, whole):
    """Both last checkpoints hold the same, to the last bit."""
    found, wanted = _last(folder), _last(whole)
    for name in ("model", "optimizer", "callbacks", "history"):
        np.testing.assert_equal(found[name], wanted[name])


def _wait_for_a_new_checkpoint(folder, process):
    before = checkpoints.found(folder / "checkpoints")[:1]
    end = time.monotonic() + SECONDS
    while checkpoints.found(folder / "checkpoints")[:1] == before:
        if not process.is_alive() or time.monotonic() > end:
            return
        time.sleep(0.001)


def _kill_at_random(folder, start, draw, kills, train=_train):
    """Kills the run so often, as far as it lives so long; then lets it end."""
    killed = 0
    while killed < kills:
        process = start(train, folder)
        _wait_for_a_new_checkpoint(folder, process)
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        if _ended(process) == 0:
            break
        killed += 1
    assert _ended(start(train, folder)) == 0
    return killed


def test_kills_at_random_moments_do_not_show(start, whole, tmp_path):
    assert _kill_at_random(tmp_path, start, random.Random(1), 2) > 0
    _assert_same(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "train, unkilled, kills",
    [(_train, "whole", 50), (_train_on_two, "whole_on_two", 50)],
    ids=["on one device", "on two devices"],
)
def test_many_kills_do_not_show(
    train, unkilled, kills, start, request, tmp_path
):
    whole = request.getfixturevalue(unkilled)
    draw, killed, number = random.Random(), 0, 0
    while killed < kills:
        folder = tmp_path / str(number)
        killed += _kill_at_random(folder, start, draw, kills - killed, train)
        _assert_same(folder, whole)
        number += 1


@pytest.mark.parametrize(
    "place, name, count",
    [
        pytest.param("format", "write_array", 40, id="while writing"),
        pytest.param("os", "replace", 4, id="before the renaming"),
        pytest.param("os", "fsync", 5, id="at a flush", marks=SLOW),
        pytest.param(
            "checkpoints", "found", 6, id="before the removal", marks=SLOW
        ),
    ],
)
def test_a_kill_within_a_save_does_not_show(
    place, name, count, start, whole, tmp_path
):
    die_at = (place, name, count)
    assert _ended(start(_train, tmp_path, die_at)) == -signal.SIGKILL
    assert _ended(start(_train, tmp_path)) == 0
    _assert_same(tmp_path, whole)
    assert not list((tmp_path / "checkpoints").glob(".*"))
