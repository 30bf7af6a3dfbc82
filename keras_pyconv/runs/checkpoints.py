"""Checkpoints: one file each, whole or not there at all, the last few kept.

A NumPy `.npz` archive without pickled objects: the arrays of a state, and the
rest of it in JSON. Zip has no checksums of its directory and headers, so the
archive's comment holds the SHA-256 of all bytes before it.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil

import numpy as np

from keras_pyconv.reading import check_file
from keras_pyconv.runs.plain import decode, encode
from keras_pyconv.writing import replacing

FORMAT = 3
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


def path_of(folder, step):
    """The file of the checkpoint of that step."""
    return pathlib.Path(folder) / f"step-{step:09d}.npz"


def _step_of(path):
    return int(NAME.fullmatch(path.name)[1])


def found(folder):
    """Paths of the checkpoints in a folder, newest first."""
    folder = pathlib.Path(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    paths = [folder / name for name in names if NAME.fullmatch(name)]
    return sorted(paths, key=_step_of, reverse=True)


def remove_partial(folder):
    """Removes what a process that was killed while writing left behind."""
    for path in pathlib.Path(folder).glob(".*-step-*.npz"):
        path.unlink(missing_ok=True)


def save(folder, state, keep):
    """Writes a checkpoint and removes those before the last `keep`."""
    arrays, step = {}, state["step"]
    record = {name: encode(one, arrays, name) for name, one in state.items()}
    text = np.array(json.dumps({"format": FORMAT, **record}))
    try:
        with replacing(path_of(folder, step)) as beside:
            # To be read again for its checksum.
            with open(beside, "w+b") as file:
                np.savez(file, **{RECORD: text}, **arrays)
                _seal(file)
    except OSError as error:
        raise OSError(
            error.errno,
            f"The checkpoint of step {step} could not be written "
            f"({error.strerror or error}). {_room(folder, arrays)}",
        ) from error
    for old in found(folder)[keep:]:
        # A folder of such a name is nothing that training should end for.
        with contextlib.suppress(IsADirectoryError):
            old.unlink(missing_ok=True)


def _room(folder, arrays):
    """What a checkpoint needs, what is free, and what is left to go on from."""
    needed = sum(array.nbytes for array in arrays.values()) / 1e6
    free = "the folder is not there"
    with contextlib.suppress(OSError):
        free = f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    names = [path.name for path in found(folder)] or ["none"]
    return (
        f"It needs {needed:.1f} MB and {free} in {folder}. The last good one, "
        f"from which the same command goes on, is {names[0]}."
    )


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


def read(path):
    """The state that a checkpoint holds; only `DamagedCheckpoint` is final."""
    path = pathlib.Path(path)
    try:
        with open(check_file(path), "rb") as file:
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
    size = file.seek(0, os.SEEK_END) - SEAL_BYTES
    file.seek(max(size, 0))
    if file.read() != _seal_of(file, size):
        raise DamagedCheckpoint("its SHA-256 is not that of its content")
    file.seek(0)
    archive = np.load(file, allow_pickle=False)
    record = json.loads(str(archive[RECORD]))
    if (number := record.pop("format")) != FORMAT:
        raise OtherFormat(
            f"{path} has format {number!r}, but this version of keras_pyconv "
            f"reads format {FORMAT}. Resume with the version that wrote it, or "
            "use another folder to start a new run."
        )
    if record["step"] != _step_of(path):
        raise DamagedCheckpoint(f"its record says step {record['step']!r}")
    return {name: decode(kept, archive) for name, kept in record.items()}


def latest(folder, say=print, tidy=False):
    """`(path, state)` of the newest that can be read; None where is none.

    `say` is told of every damaged one. With `tidy` these are renamed, so that
    they are none of the last few.
    """
    paths = found(folder)
    for number, path in enumerate(paths):
        try:
            state = read(path)
        except DamagedCheckpoint as error:
            say(f"{path} is damaged and passed over ({error}).")
            continue
        for damaged in paths[:number] if tidy else ():
            _set_aside(damaged)
        return path, state
    if paths:
        raise DamagedCheckpoint(
            f"None of the {len(paths)} checkpoints in {folder} can be read. "
            "Remove the folder to start again."
        )
    return None


def _set_aside(path):
    name = f"damaged-{path.name}"
    while os.path.lexists(path.with_name(name)):
        name = f"damaged-{name}"
    os.replace(path, path.with_name(name))
