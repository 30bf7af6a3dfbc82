"""A checkpoint is whole or not there; a damaged one costs a few steps."""

import errno
import json
import os
import resource
import signal

import numpy as np
import pytest

from keras_pyconv.runs import checkpoints
from tests.training import small

STATE = {"model": [np.arange(5, dtype="float32")], "seed": np.uint32(7)}


def _saved(folder, *steps):
    for step in steps:
        checkpoints.save(folder, {"step": step, **STATE}, keep=3)
    return checkpoints.found(folder)


def test_what_is_read_is_what_was_written(tmp_path):
    (path,) = _saved(tmp_path, 4)
    state = checkpoints.read(path)
    np.testing.assert_equal(state, {"step": 4, **STATE})
    assert state["model"][0].dtype == "float32"
    assert state["seed"].dtype == "uint32"


def test_numpy_reads_a_checkpoint(tmp_path):
    (path,) = _saved(tmp_path, 4)
    with np.load(path) as archive:
        np.testing.assert_array_equal(archive["model/0"], np.arange(5))


def test_every_truncation_is_noticed(tmp_path):
    (path,) = _saved(tmp_path, 1)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)


def test_what_is_appended_is_noticed(tmp_path):
    (path,) = _saved(tmp_path, 1)
    with open(path, "ab") as file:
        file.write(b"\0")
    with pytest.raises(checkpoints.DamagedCheckpoint):
        checkpoints.read(path)


@pytest.mark.parametrize("mask", [0x01, 0xFF], ids=hex)
def test_every_altered_byte_is_noticed(mask, tmp_path):
    (path,) = _saved(tmp_path, 1)
    whole = path.read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= mask
        path.write_bytes(altered)
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)


@pytest.mark.parametrize("size", [4095, 4096, checkpoints._CHUNK])
def test_an_altered_byte_of_a_large_checkpoint_is_noticed(size, tmp_path):
    # The checksum is made in pieces, whose ends are where it could go wrong.
    state = {"step": 1, "model": np.zeros(2 * size + 7, "uint8")}
    checkpoints.save(tmp_path, state, keep=1)
    path = checkpoints.path_of(tmp_path, 1)
    whole = path.read_bytes()
    np.testing.assert_equal(checkpoints.read(path), state)
    for place in (size - 1, size, 2 * size, len(whole) - 1):
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)


def _sealed(path, **arrays):
    """An archive of any content, with the checksum that it should have."""
    with open(path, "w+b") as file:
        np.savez(file, **arrays)
        checkpoints._seal(file)
    return path


def test_an_object_in_the_file_is_not_run(tmp_path):
    record = np.array({"format": checkpoints.FORMAT}, dtype=object)
    path = _sealed(checkpoints.path_of(tmp_path, 1), record=record)
    with pytest.raises(checkpoints.DamagedCheckpoint, match="allow_pickle"):
        checkpoints.read(path)


def test_an_object_is_not_written(tmp_path):
    state = {"step": 1, "model": [np.array(["text"], dtype=object)]}
    with pytest.raises(TypeError, match="model/0 .* no plain data"):
        checkpoints.save(tmp_path, state, keep=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "record",
    [
        *("[]", "{}", "5", "no JSON", "[" * 100_000, '{"format": 3}'),
        '{"format": 3, "step": -5}',
        '{"format": 3, "step": 7}',
        '{"format": 3, "step": 1, "model": {"array": "model/0"}}',
        '{"format": 3, "step": 1, "model": {"list": [1]}}',
    ],
    ids=lambda text: text[:25],
)
def test_a_record_that_cannot_be_one_is_damage(record, tmp_path):
    path = checkpoints.path_of(tmp_path, 1)
    _sealed(path, record=np.array(record))
    with pytest.raises(checkpoints.DamagedCheckpoint):
        checkpoints.read(path)


@pytest.mark.parametrize("number", [2, 4])
def test_another_format_is_refused_and_is_no_damage(number, tmp_path):
    path = checkpoints.path_of(tmp_path, 1)
    _sealed(path, record=np.array(json.dumps({"format": number, "step": 1})))
    with pytest.raises(ValueError, match=f"has format {number}, but this"):
        checkpoints.latest(tmp_path, tidy=True)
    assert path.exists()


def test_steps_of_ten_digits_are_newer_than_those_of_nine(tmp_path):
    newest, before = _saved(tmp_path, 10**9 - 1, 10**9)
    assert newest.name == "step-1000000000.npz"
    assert checkpoints.latest(tmp_path)[1]["step"] == 10**9
    assert before.name == "step-999999999.npz"


def _fifo(path):
    os.mkfifo(path)


def _folder(path):
    (path / "within").mkdir(parents=True)


def _loop(path):
    path.symlink_to(path)


def _nowhere(path):
    path.symlink_to(path.with_name("nothing"))


def _device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_fifo, _folder, _loop, _nowhere, _device])
def test_what_is_no_file_is_set_aside_without_being_read(make, tmp_path):
    (before,) = _saved(tmp_path, 1)
    for step in (2, 3):
        make(checkpoints.path_of(tmp_path, step))
    said = []
    path, state = checkpoints.latest(tmp_path, said.append, tidy=True)
    assert (path, state["step"]) == (before, 1)
    assert len(said) == 2 and "step-000000003.npz is damaged" in said[0]
    assert checkpoints.found(tmp_path) == [before]


def test_what_was_set_aside_before_stays(tmp_path):
    _saved(tmp_path, 1)
    for content in (b"one", b"two"):
        checkpoints.path_of(tmp_path, 2).write_bytes(content)
        checkpoints.latest(tmp_path, tidy=True)
    damaged = tmp_path.glob("damaged-*")
    assert sorted(path.read_bytes() for path in damaged) == [b"one", b"two"]


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    (path,) = _saved(tmp_path, 1)

    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(MemoryError, match="does not fit into the memory"):
        checkpoints.latest(tmp_path, tidy=True)
    assert path.exists()


def test_a_run_goes_on_from_the_one_before_a_damaged_one(
    unbroken, tmp_path, capsys
):
    small.run(tmp_path, save_every_steps=1, stop_after_steps=6, keep=2)
    newest, before = checkpoints.found(tmp_path / "checkpoints")
    data = bytearray(newest.read_bytes())
    # An entry of the archive's directory would hide all that follow.
    directory = data.index(b"PK\x01\x02")
    data[directory + 33] ^= 4
    newest.write_bytes(data)
    trained, _ = small.run(tmp_path)
    small.assert_same(trained, unbroken[0])
    said = capsys.readouterr().out
    assert f"{newest} is damaged and passed over" in said
    assert f"after step 5 of 12 (epoch 2, step 1), from {before}" in said
    assert (newest.parent / f"damaged-{newest.name}").exists()


def test_none_but_damaged_ones_is_an_error(tmp_path):
    (path,) = _saved(tmp_path, 1)
    path.write_bytes(b"PK")
    with pytest.raises(checkpoints.DamagedCheckpoint, match="start again"):
        checkpoints.latest(tmp_path)
    assert path.exists()


def _limit_files(size):
    """No file of this process may grow beyond `size` bytes."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def test_a_write_that_fails_halfway_leaves_the_earlier_ones(tmp_path):
    before = _saved(tmp_path, 1, 2)
    big = {"step": 3, "model": np.zeros(100_000)}
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _limit_files(50_000)
    try:
        with pytest.raises(OSError, match="0.8 MB and .* step-000000002.npz"):
            checkpoints.save(tmp_path, big, keep=3)
    finally:
        _limit_files(resource.RLIM_INFINITY)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(tmp_path.iterdir()) == sorted(before)
    assert checkpoints.read(before[0])["step"] == 2


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left.* is none") as info:
        checkpoints.save(tmp_path, {"step": 3, **STATE}, keep=3)
    assert info.value.errno == errno.ENOSPC
