"""A run that is killed at any moment, and started again, ends the same."""

import os
import random
import signal
import time

import numpy as np
import pytest

from keras_pyconv.training import checkpoints
from tests.training import small

SECONDS = 300
SLOW = pytest.mark.slow


def _train(folder, die_at=None):
    """In a process of its own; it may kill itself at a point of a save."""
    if die_at:
        place, name, count = die_at
        place = {"np": np, "os": os, "checkpoints": checkpoints}[place]
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


def _arrays(folder):
    path, arrays, record = checkpoints.latest(folder / "checkpoints")
    assert record["step"] == small.EPOCHS * small.STEPS_PER_EPOCH
    return arrays, record


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """The folder of a run that was not killed.

    It ran in a process of its own, like the others: a process chooses its
    kernels when it starts, and the environment may have changed since then.
    """
    folder = tmp_path_factory.mktemp("whole")
    assert _ended(start(_train, folder)) == 0
    return folder


def _assert_same(folder, whole):
    """Both last checkpoints hold the same, to the last bit."""
    (arrays, record), (wanted, expected) = _arrays(folder), _arrays(whole)
    states = [name for name in wanted if name.startswith(("mod", "opt"))]
    assert states and arrays.keys() == wanted.keys()
    for name in states:
        np.testing.assert_array_equal(arrays[name], wanted[name])
    assert record["history"] == expected["history"]


def _wait_for_a_new_checkpoint(folder, process):
    before = checkpoints.found(folder / "checkpoints")[:1]
    end = time.monotonic() + SECONDS
    while checkpoints.found(folder / "checkpoints")[:1] == before:
        if not process.is_alive() or time.monotonic() > end:
            return
        time.sleep(0.001)


def _kill_at_random(folder, start, draw, kills):
    """Kills the run so often, as far as it lives so long; then lets it end."""
    killed = 0
    while killed < kills:
        process = start(_train, folder)
        _wait_for_a_new_checkpoint(folder, process)
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        if _ended(process) == 0:
            break
        killed += 1
    assert _ended(start(_train, folder)) == 0
    return killed


def test_kills_at_random_moments_do_not_show(start, whole, tmp_path):
    assert _kill_at_random(tmp_path, start, random.Random(1), 2) > 0
    _assert_same(tmp_path, whole)


@pytest.mark.slow
def test_fifty_kills_do_not_show(start, whole, tmp_path):
    draw, killed, number = random.Random(), 0, 0
    while killed < 50:
        folder = tmp_path / str(number)
        killed += _kill_at_random(folder, start, draw, 50 - killed)
        _assert_same(folder, whole)
        number += 1


@pytest.mark.parametrize(
    "place, name, count",
    [
        pytest.param("np", "asarray", 40, id="while writing"),
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
