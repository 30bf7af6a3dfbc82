"""Checkpoints: one file each, whole or not there at all, the last few kept.

A checkpoint is a NumPy `.npz` archive without pickled objects: an array for
each variable and a JSON record, each with the checksum of the zip format. It
is written beside its place, flushed to the disk and renamed, so a process
that is killed at any moment leaves the earlier ones as they were.
"""

import json
import os
import pathlib
import re
import shutil
import zipfile

import numpy as np

FORMAT = 1
RECORD = "record"
NAME = re.compile(r"step-(\d{9})\.npz")


class DamagedCheckpoint(Exception):
    """A checkpoint that cannot be read."""


def _plain(array):
    """The array in a type that every NumPy knows; bfloat16 becomes bytes."""
    array = np.asarray(array)
    if array.dtype.kind == "V":
        return array[..., None].view(np.uint8)
    return array


def _flush_folder(folder):
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def path_of(folder, step):
    """The file of the checkpoint of that step."""
    return pathlib.Path(folder) / f"step-{step:09d}.npz"


def found(folder):
    """Paths of the checkpoints in a folder, newest first."""
    folder = pathlib.Path(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted((folder / n for n in names if NAME.fullmatch(n)))[::-1]


def _write(file, arrays, record):
    text = json.dumps({"format": FORMAT, **record})
    plain = {name: _plain(array) for name, array in arrays.items()}
    np.savez(file, **{RECORD: np.array(text)}, **plain)
    file.flush()
    os.fsync(file.fileno())


def save(folder, step, arrays, record, keep):
    """Writes a checkpoint and removes those before the last `keep`.

    Args:
        folder: the checkpoints' folder, made where it is missing.
        step: int.
        arrays: `{name: array}`.
        record: what else is to be kept, as JSON can hold it.
        keep: int, how many checkpoints stay.

    Raises:
        OSError: the file could not be written; the message says what is
            needed and what is there, and the earlier checkpoints stay.
    """
    folder = pathlib.Path(folder)
    path = path_of(folder, step)
    beside = folder / f".{path.name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            _write(file, arrays, record)
        os.replace(beside, path)
        _flush_folder(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(
            error.errno,
            f"The checkpoint of step {step} could not be written "
            f"({error.strerror or error}). {_room(folder, arrays)} "
            f"{_last_good(folder)}",
        ) from error
    for old in found(folder)[keep:]:
        old.unlink(missing_ok=True)


def size_bytes(arrays):
    """What the arrays take on the disk."""
    return sum(np.asarray(array).nbytes for array in arrays.values())


def _room(folder, arrays):
    try:
        free = f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    except OSError:
        free = "the folder is not there"
    return f"It needs {size_bytes(arrays) / 1e6:.1f} MB and {free} in {folder}."


def _last_good(folder):
    paths = found(folder)
    if not paths:
        return "There is no earlier one."
    return f"The last good one is {paths[0].name}; the same command goes on."


def remove_partial(folder):
    """Removes what a process that was killed while writing left behind."""
    for path in pathlib.Path(folder).glob(".step-*.partial"):
        path.unlink(missing_ok=True)


def read(path):
    """The arrays and the record of a checkpoint.

    Raises:
        DamagedCheckpoint: it is truncated, altered, or of another format.
    """
    try:
        # NumPy leaves a file open that it opened and cannot read.
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            record = json.loads(str(archive[RECORD]))
            names = [name for name in archive.files if name != RECORD]
            arrays = {name: archive[name] for name in names}
    # A damaged archive fails in as many ways as there are bytes in it.
    except (
        OSError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        EOFError,
        SyntaxError,
        NotImplementedError,
        MemoryError,
        RuntimeError,
        OverflowError,
        zipfile.BadZipFile,
    ) as error:
        raise DamagedCheckpoint(f"{type(error).__name__}: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DamagedCheckpoint(f"its format is not {FORMAT}")
    return arrays, record


def set_aside(path):
    """Renames a damaged checkpoint, so that it is not one of the last few."""
    os.replace(path, path.with_name(f"damaged-{path.name}"))


def latest(folder, say=print, aside=None):
    """The newest checkpoint that can be read, or None where there is none.

    Args:
        folder: the checkpoints' folder.
        say: function of a string, told of every damaged checkpoint.
        aside: function called with the paths of those that are newer and
            damaged, once an older one could be read.

    Returns:
        `(path, arrays, record)`, or None.

    Raises:
        DamagedCheckpoint: there are checkpoints and none can be read.
    """
    paths = found(folder)
    for number, path in enumerate(paths):
        try:
            arrays, record = read(path)
        except DamagedCheckpoint as error:
            say(f"{path} is damaged and passed over ({error}).")
            continue
        for damaged in paths[:number] if aside else ():
            aside(damaged)
        return path, arrays, record
    if paths:
        raise DamagedCheckpoint(
            f"None of the {len(paths)} checkpoints in {folder} can be read. "
            "Remove the folder to begin anew."
        )
    return None
