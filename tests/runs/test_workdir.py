"""A run's folder says what made it, and refuses every other run."""

import csv
import json
import os
import shutil

import keras
import pytest

from keras_pyconv.runs import checkpoints
from keras_pyconv.runs.workdir import Workdir
from tests.training import small


class _Broken(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    small.run(folder, stop_after_steps=9)
    return folder


def test_constants_and_what_made_them_are_written(folder):
    record = json.loads((folder / "constants.json").read_text())
    assert record["constants"]["variant"] == "small"
    assert record["constants"]["epochs"] == small.EPOCHS
    assert record["versions"]["tensorflow"] and record["versions"]["keras"]
    assert record["commit"] and record["machine"]


def test_the_table_has_a_row_for_every_epoch(folder):
    rows = list(csv.DictReader((folder / "log.csv").read_text().split("\n")))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert set(rows[0]) == {
        "epoch",
        "step",
        "learning_rate",
        "loss",
        "accuracy",
        "val_accuracy",
    }


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"constants": {"variant": "big"}}, "variant: 'small' there, 'big'"),
        ({"constants": {"variant": "small", "rate": 1}}, "rate: 'nothing'"),
        ({"epochs": 5}, "epochs: 3 there, 5 here"),
        ({"seed": 8}, "seed: 7 there, 8 here"),
    ],
    ids=["variant", "a new constant", "epochs", "seed"],
)
def test_other_constants_are_refused_with_what_differs(changes, said, folder):
    with pytest.raises(ValueError, match=said):
        small.run(folder, **changes)


def test_another_network_is_refused_with_what_differs(folder):
    with pytest.raises(ValueError, match=r"kernel: \(3, 3, 3, 4\) there, \(3"):
        small.run(folder, small.model(sizes=(5,)))
    with pytest.raises(ValueError, match="9 model variables there, 11 here"):
        small.run(folder, small.model(sizes=(4, 4)))


def test_a_checkpoint_from_another_folder_is_refused(folder, tmp_path):
    path, *_ = checkpoints.found(folder / "checkpoints")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="variant: 'small' there, 'big' here"):
        small.run(tmp_path, constants={"variant": "big"})


def test_constants_json_is_for_people(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    path = tmp_path / "run" / "constants.json"
    whole = path.read_text()
    path.write_text("[]")
    small.run(tmp_path / "run", stop_after_steps=1)
    assert path.read_text() == whole


def test_a_folder_without_a_checkpoint_is_begun_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        small.run(tmp_path, callbacks=[_Broken()])
    small.run(tmp_path, constants={"variant": "big"}, stop_after_steps=1)
    record = json.loads((tmp_path / "constants.json").read_text())
    assert record["constants"]["variant"] == "big"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_lock_is_named_and_not_waited_for(make, tmp_path):
    make(tmp_path / ".lock")
    with pytest.raises(OSError, match=".lock' is a .*; a file is needed"):
        small.run(tmp_path)


def test_a_second_process_is_kept_out(tmp_path):
    with Workdir(tmp_path, {}).open():
        with pytest.raises(RuntimeError, match="Another process is training"):
            small.run(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="no folder and cannot become one"):
        small.run(tmp_path / "file" / "run")


def test_a_disk_that_is_too_full_is_refused_at_the_start(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="need 0 MB and the disk"):
        small.run(tmp_path)


def test_a_change_of_versions_is_said_and_not_refused(tmp_path, capsys):
    small.run(tmp_path, stop_after_steps=1)
    _, state = checkpoints.latest(tmp_path / "checkpoints")
    state["made"]["versions"]["keras"] = "3.0"
    checkpoints.save(tmp_path / "checkpoints", state, keep=1)
    small.run(tmp_path, stop_after_steps=1)
    assert "keras: '3.0' there" in capsys.readouterr().out
    record = json.loads((tmp_path / "constants.json").read_text())
    assert record["versions"]["keras"] == "3.0"
