"""A checkpoint is whole or not there; a damaged one costs a few steps."""

import errno
import os
import random
import resource
import signal

import numpy as np
import pytest

from keras_pyconv.training import checkpoints
from tests.training import small

ARRAYS = {"model/0000": np.arange(5, dtype="float32"), "seed": np.uint32(7)}


def _saved(folder, *steps):
    for step in steps:
        checkpoints.save(folder, step, ARRAYS, {"step": step}, keep=3)
    return checkpoints.found(folder)


def test_what_is_read_is_what_was_written(tmp_path):
    (path,) = _saved(tmp_path, 4)
    arrays, record = checkpoints.read(path)
    assert record["step"] == 4
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == np.asarray(array).dtype


def test_every_truncation_is_noticed(tmp_path):
    (path,) = _saved(tmp_path, 1)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(checkpoints.DamagedCheckpoint):
            checkpoints.read(path)


def test_an_altered_byte_is_noticed_or_without_effect(tmp_path):
    (path,) = _saved(tmp_path, 1)
    whole, noticed = path.read_bytes(), 0
    for place in random.Random(0).sample(range(len(whole)), 300):
        altered = bytearray(whole)
        altered[place] ^= 1 << (place % 8)
        path.write_bytes(altered)
        try:
            arrays, record = checkpoints.read(path)
        except checkpoints.DamagedCheckpoint:
            noticed += 1
            continue
        # Dates and the like in the archive's directory have no checksum.
        assert record["step"] == 1
        np.testing.assert_array_equal(arrays["model/0000"], np.arange(5))
    assert noticed > 150


def test_an_object_in_the_file_is_not_run(tmp_path):
    path = checkpoints.path_of(tmp_path, 1)
    np.savez(path, record=np.array({"format": 1}, dtype=object))
    with pytest.raises(checkpoints.DamagedCheckpoint, match="allow_pickle"):
        checkpoints.read(path)


def test_a_run_goes_on_from_the_one_before_a_damaged_one(
    unbroken, tmp_path, capsys
):
    small.run(tmp_path, save_every_steps=1, stop_after_steps=6, keep=2)
    newest, before = checkpoints.found(tmp_path / "checkpoints")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
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
    with pytest.raises(checkpoints.DamagedCheckpoint, match="begin anew"):
        checkpoints.latest(tmp_path)
    assert path.exists()


def _limit_files(size):
    """No file of this process may grow beyond `size` bytes."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def test_a_write_that_fails_halfway_leaves_the_earlier_ones(tmp_path):
    before = _saved(tmp_path, 1, 2)
    big = {"model/0000": np.zeros(100_000)}
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _limit_files(50_000)
    try:
        with pytest.raises(OSError, match="0.8 MB and .* step-000000002.npz"):
            checkpoints.save(tmp_path, 3, big, {}, keep=3)
    finally:
        _limit_files(resource.RLIM_INFINITY)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(tmp_path.iterdir()) == sorted(before)
    assert checkpoints.read(before[0])[1]["step"] == 2


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left.*no earlier one") as info:
        checkpoints.save(tmp_path, 3, ARRAYS, {}, keep=3)
    assert info.value.errno == errno.ENOSPC
