"""Two processes train as one does, and go on after one was killed."""

import ast
import os
import pathlib
import signal
import socket
import time
import types

import numpy as np
import pytest

from keras_pyconv import tasks, training
from keras_pyconv.runs import checkpoints
from keras_pyconv.training import multi_worker
from tests.training import small, worker

SECONDS = 200


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _start_both(start, folder, seconds_a_step=0.0, dies=False):
    """Starts both machines; their output goes to files in the folder."""
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    folder.mkdir(exist_ok=True)
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    return [
        start(
            worker.train,
            folder,
            {"cluster": {"worker": hosts}, "task": task},
            seconds_a_step,
            dies,
        )
        for task in tasks
    ]


def _ended(processes):
    for process in processes:
        process.join(SECONDS)
    return [process.exitcode for process in processes]


def _end(processes):
    for process in processes:
        process.kill()
    return _ended(processes)


def _run(start, folder):
    assert _ended(_start_both(start, folder)) == [0, 0], _said(folder)


def _said(folder):
    return [path.read_text()[-2000:] for path in folder.glob("output-*")]


def _wait_for_step(folder, step, processes):
    end = time.monotonic() + SECONDS
    while not checkpoints.path_of(folder / "checkpoints", step).exists():
        alive = all(process.is_alive() for process in processes)
        assert alive and time.monotonic() < end, _said(folder)
        time.sleep(0.02)


@pytest.fixture(scope="module")
def broken(start, tmp_path_factory):
    """A run whose second machine was killed, and that was started again."""
    folder = tmp_path_factory.mktemp("broken")
    processes = _start_both(start, folder, seconds_a_step=0.5)
    _wait_for_step(folder, 5, processes)
    _end(processes[1:])
    # Who starts the job again ends what is left of it.
    time.sleep(0.5)
    _end(processes[:1])
    reached = checkpoints.latest(folder / "checkpoints")[1]["step"]
    assert 5 <= reached < 12
    _run(start, folder)
    return folder


def _last(folder):
    _, state = checkpoints.latest(folder / "checkpoints")
    assert state["step"] == 12
    return state


@pytest.mark.ci
def test_two_machines_end_with_the_weights_of_one(broken, tmp_path):
    alone = small.model(dropout=0.0, weighted_metrics=[tasks.TopKError(1)])
    one = training.make_strategy("one")
    data = training.validation_data(small.held_out, 4, one)
    average = training.WeightAverage(0.9)
    small.run(tmp_path, alone, [average], fit={"validation_data": data})
    found, wanted = _last(broken), _last(tmp_path)
    for name in ("model", "optimizer"):
        for array, other in zip(found[name], wanted[name], strict=True):
            # What may differ between devices has an axis of them.
            other = np.broadcast_to(other, array.shape)
            np.testing.assert_allclose(array, other, 1e-4, 1e-5)
    for row, other in zip(found["history"], wanted["history"], strict=True):
        assert "val_top1_error" in row
        # A twelfth example fills up the last batch and counts in this mean.
        del row["val_loss"], other["val_loss"]
        assert row == pytest.approx(other, rel=1e-4)


@pytest.mark.slow
def test_broken_runs_end_as_the_unbroken_one_to_the_bit(
    broken, start, tmp_path
):
    whole, validating = tmp_path / "whole", tmp_path / "validating"
    _run(start, whole)
    assert _ended(_start_both(start, validating, dies=True)) == [-9, -9]
    assert checkpoints.latest(validating / "checkpoints")[1]["step"] == 8
    _run(start, validating)
    wanted = _last(whole)
    for found in (_last(broken), _last(validating)):
        for name in wanted.keys() - {"made"}:
            np.testing.assert_equal(found[name], wanted[name])


@pytest.mark.slow
def test_a_signal_to_one_machine_stops_both_and_saves(start, tmp_path):
    processes = _start_both(start, tmp_path, seconds_a_step=0.3)
    _wait_for_step(tmp_path, 3, processes)
    os.kill(processes[1].pid, signal.SIGTERM)
    assert _ended(processes) == [143, 143]
    assert "The same command goes on" in "".join(_said(tmp_path))


@pytest.mark.ci
def test_only_the_first_machine_writes_and_speaks(broken):
    first, second = sorted(broken.glob("output-*"))
    assert "Going on after step" in first.read_text()
    assert "epoch" not in second.read_text()


def test_a_keras_that_is_made_in_another_way_is_named():
    model = types.SimpleNamespace()
    with pytest.raises(RuntimeError, match="_maybe_symbolic_build.*Keras 3.15"):
        multi_worker.adapt(model, None, 0)


def test_the_adapter_is_short_and_touches_one_private_name():
    source = pathlib.Path(multi_worker.__file__).read_text()
    nodes = list(ast.walk(ast.parse(source)))
    private = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
        if ast.unparse(node.value) != "self"
    }
    words = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and str(node.value).startswith("_")
    }
    names = {name for name in private | words if not name.endswith("__")}
    assert names == {"_maybe_symbolic_build"}
    assert len(source.splitlines()) <= 100


@pytest.mark.ci
def test_class_weights_count_on_two_machines_as_on_one(broken, tmp_path):
    alone = small.model(dropout=0.0)
    _, wanted = small.run(tmp_path, alone, fit=worker.CLASS_WEIGHTS)
    found = _last(broken / "weighted")["history"]
    for row, other in zip(found, wanted, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_a_missing_description_of_the_machines_is_said(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match='needs .* TF_CONFIG .*"task"'):
        training.make_strategy("multi_worker")
