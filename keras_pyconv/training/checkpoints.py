"""Checkpoints: one file each, whole or not there at all, the last few kept.

A checkpoint is a NumPy `.npz` archive without pickled objects: an array for
each variable and a JSON record. It is written beside its place, flushed to
the disk and renamed, so a process that is killed at any moment leaves the
earlier ones as they were.

The checksums of the zip format do not cover its directory, nor the headers of
its entries. So the archive's comment holds the SHA-256 of all bytes before it,
and nothing is parsed before that is compared.
"""

import contextlib
import hashlib
import json
import numbers
import os
import pathlib
import re
import shutil

import numpy as np

from keras_pyconv.reading import open_regular

FORMAT = 2
RECORD = "record"
NAME = re.compile(r"step-(\d{9,})\.npz")
# In front of the digest, in the archive's comment.
SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 2 * hashlib.sha256().digest_size
# In front of the comment stands its length, two bytes.
LENGTH_BYTES = 2
_CHUNK = 1 << 20


class DamagedCheckpoint(Exception):
    """A checkpoint that cannot be read."""


class OtherFormat(ValueError):
    """A checkpoint of another version of the package; it is not damaged."""


def _plain(name, array):
    """The array in a type that every NumPy knows; bfloat16 becomes bytes."""
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise ValueError(
            "A checkpoint holds numbers, and no pickled objects. Received: "
            f"{name!r} of dtype {array.dtype}"
        )
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
    """The file of the checkpoint of that step.

    Raises:
        ValueError: the step is no integer, or below 0.
    """
    if not isinstance(step, numbers.Integral) or step < 0:
        raise ValueError(
            "A checkpoint's step must be an integer of at least 0. "
            f"Received: step={step!r}"
        )
    return pathlib.Path(folder) / f"step-{step:09d}.npz"


def _step_of(path):
    """The step that a file's name says, or None."""
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else None


def found(folder):
    """Paths of the checkpoints in a folder, newest first."""
    folder = pathlib.Path(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    paths = [folder / name for name in names if NAME.fullmatch(name)]
    return sorted(paths, key=_step_of, reverse=True)


def _write(file, arrays, record):
    text = json.dumps({"format": FORMAT, **record})
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    np.savez(file, **{RECORD: np.array(text)}, **plain)
    _seal(file)
    file.flush()
    os.fsync(file.fileno())


def _seal(file):
    """Makes the SHA-256 of a whole archive its comment."""
    file.seek(-LENGTH_BYTES, os.SEEK_END)
    file.write(SEAL_BYTES.to_bytes(LENGTH_BYTES, "little"))
    size = file.tell()
    seal = _seal_of(file, size)
    file.seek(size)
    file.write(seal)


def _seal_of(file, size):
    """The seal that belongs to the first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return SEAL + digest.hexdigest().encode()


def _check_seal(file, path):
    """Refuses an archive of which a byte is missing, or is another."""
    size = file.seek(0, os.SEEK_END) - SEAL_BYTES
    file.seek(max(size, 0))
    seal = file.read()
    if not seal.startswith(SEAL):
        _refuse_format_1(file, path)
    if seal != _seal_of(file, size):
        raise DamagedCheckpoint("its SHA-256 is not that of its content")


def save(folder, step, arrays, record, keep):
    """Writes a checkpoint and removes those before the last `keep`.

    Args:
        folder: the checkpoints' folder, made where it is missing.
        step: int, at least 0; the record gets it too.
        arrays: `{name: array}`.
        record: what else is to be kept, as JSON can hold it.
        keep: int, how many checkpoints stay.

    Raises:
        ValueError: the step is no integer, or below 0; or an array holds
            objects.
        OSError: the file could not be written; the message says what is
            needed and what is there, and the earlier checkpoints stay.
    """
    folder = pathlib.Path(folder)
    path = path_of(folder, step)
    beside = folder / f".{path.name}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # To be read again for its checksum.
            with open(beside, "w+b") as file:
                _write(file, arrays, {"step": int(step), **record})
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        _flush_folder(folder)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The checkpoint of step {step} could not be written "
            f"({error.strerror or error}). {_room(folder, arrays)} "
            f"{_last_good(folder)}",
        ) from error
    for old in found(folder)[keep:]:
        # A folder of such a name is nothing that training should end for.
        with contextlib.suppress(IsADirectoryError):
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
        DamagedCheckpoint: it is cut short, altered, or no file.
        OtherFormat: another version of the package wrote it.
        PermissionError: it may not be read.
        MemoryError: it is whole, and does not fit into the memory.
    """
    path = pathlib.Path(path)
    try:
        with open_regular(path) as file:
            return _read(file, path)
    except (DamagedCheckpoint, OtherFormat, PermissionError):
        raise
    except MemoryError as error:
        raise MemoryError(
            f"The checkpoint {path} does not fit into the memory that is left."
        ) from error
    # Of a disk, or of what a wrong hand has sealed.
    except Exception as error:
        raise DamagedCheckpoint(f"{type(error).__name__}: {error}") from error


def _read(file, path):
    _check_seal(file, path)
    file.seek(0)
    archive = np.load(file, allow_pickle=False)
    record = json.loads(str(archive[RECORD]))
    if record["format"] != FORMAT:
        raise _other_format(path, record["format"])
    if _step_of(path) not in (None, record["step"]):
        raise DamagedCheckpoint(f"its record says step {record['step']!r}")
    names = [name for name in archive.files if name != RECORD]
    return {name: archive[name] for name in names}, record


def _refuse_format_1(file, path):
    """That format had no seal; this one cannot be taken for it."""
    file.seek(0)
    try:
        record = json.loads(str(np.load(file, allow_pickle=False)[RECORD]))
    # A damaged archive fails in as many ways as there are bytes in it.
    except Exception:
        return
    if isinstance(record, dict) and record.get("format") == 1:
        raise _other_format(path, 1)


def _other_format(path, number):
    return OtherFormat(
        f"{path} has format {number!r}, and this version of keras_pyconv reads "
        f"format {FORMAT}. Go on with the version that wrote it, or give "
        "another folder to begin anew."
    )


def set_aside(path):
    """Renames a damaged checkpoint, so that it is not one of the last few."""
    aside, number = path.with_name(f"damaged-{path.name}"), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"damaged-{number}-{path.name}")
    os.replace(path, aside)


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
        OtherFormat: as `read`, as of the two below.
        PermissionError: the newest that is not damaged may not be read.
        MemoryError: it does not fit into the memory.
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
