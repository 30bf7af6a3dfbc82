"""A run's folder says what made it, and refuses every other run."""

import csv
import json
import os

import pytest

from keras_pyconv.training import checkpoints
from keras_pyconv.training.workdir import Workdir
from tests.training import small

CONSTANTS = {"variant": "small", "rate": 0.1, "epochs": 3}


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


def _recorded(folder):
    """A folder with constants, and a checkpoint of the same."""
    workdir = Workdir(folder, CONSTANTS)
    with workdir.open():
        workdir.record()
        checkpoints.save(
            workdir.checkpoints, 1, {}, {"constants": CONSTANTS}, keep=1
        )
    return folder / "constants.json"


def _open(folder, constants=CONSTANTS, writes=True):
    workdir = Workdir(folder, constants, writes)
    with workdir.open():
        _, _, record = workdir.latest_checkpoint(print)
        workdir.refuse(workdir.different(record["constants"]))
        workdir.record()


DAMAGE = {
    "empty": b"",
    "a list": b"[]",
    "no constants": b"{}",
    "a list of constants": b'{"constants": [], "versions": {}}',
    "a list of versions": b'{"constants": {}, "versions": []}',
    "NaN": b'{"constants": {"rate": NaN}, "versions": {}}',
    "cut short": b'{"constants": {"ra',
    "another code": b'{"constants": {"rate": "\xff"}}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("writes", [True, False], ids=["first", "other"])
@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_damaged_constants_are_named_with_the_way_out(
    content, writes, tmp_path
):
    path = _recorded(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="constants.json cannot be read.*Move"):
        _open(tmp_path, writes=writes)
    path.rename(tmp_path / "away")
    _open(tmp_path)
    assert json.loads(path.read_text())["constants"] == CONSTANTS


def test_no_altered_byte_of_the_constants_makes_another_run(tmp_path):
    path = _recorded(tmp_path)
    whole, refused = path.read_bytes(), 0
    for place in range(len(whole)):
        for mask in (0x01, 0x10, 0xFF):
            altered = bytearray(whole)
            altered[place] ^= mask
            path.write_bytes(altered)
            try:
                read = Workdir(tmp_path, CONSTANTS).recorded()
            except ValueError as error:
                assert "cannot be read" in str(error)
                refused += 1
            else:
                assert read["constants"] == CONSTANTS
    assert refused > len(whole)


@pytest.mark.parametrize("name", ["constants.json", ".lock"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["FIFO", "folder"])
def test_what_is_no_file_is_named_and_not_waited_for(name, make, tmp_path):
    path = _recorded(tmp_path).with_name(name)
    path.unlink()
    make(path)
    with pytest.raises((OSError, ValueError), match=f"{name} is a .*, no file"):
        _open(tmp_path)


def test_constants_of_an_earlier_version_have_no_checksum(tmp_path):
    path = _recorded(tmp_path)
    record = json.loads(path.read_text())
    del record["sha256_of_constants"]
    path.write_text(json.dumps(record))
    _open(tmp_path)
    with pytest.raises(ValueError, match="rate: 0.1 there, 0.2 here"):
        _open(tmp_path, {**CONSTANTS, "rate": 0.2})


def test_a_constant_that_is_no_number_is_refused_before_the_run(tmp_path):
    with pytest.raises(ValueError, match="Received: rate=nan"):
        small.run(tmp_path / "run", constants={"rate": float("nan")})
    assert not (tmp_path / "run").exists()


def test_a_second_process_is_kept_out(tmp_path):
    with Workdir(tmp_path, {}).open():
        with pytest.raises(RuntimeError, match="Another process is training"):
            small.run(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/run cannot be written"):
        small.run(tmp_path / "file" / "run")


def test_a_disk_that_is_too_full_is_refused_at_the_start(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="need 0 MB and the disk"):
        small.run(tmp_path)


def test_a_change_of_versions_is_said_and_not_refused(tmp_path, capsys):
    small.run(tmp_path, stop_after_steps=1)
    path = tmp_path / "constants.json"
    record = json.loads(path.read_text())
    record["versions"]["keras"] = "3.0"
    path.write_text(json.dumps(record))
    small.run(tmp_path, stop_after_steps=1)
    assert "keras: '3.0' there" in capsys.readouterr().out
