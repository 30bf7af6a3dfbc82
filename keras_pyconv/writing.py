"""Files that are whole or not there, and locks between their writers."""

import contextlib
import errno
import math
import os
import pathlib
import secrets
import shutil

from keras_pyconv import storage
from keras_pyconv.reading import check_file, check_new_folder

# What a file system without locks answers.
_LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


def make_folder(folder) -> pathlib.Path:
    """Makes a folder and those above it, unless they are there."""
    folder = pathlib.Path(folder)
    check_new_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def replacing(path):
    """A path beside `path`, which takes its place when the block ends well.

    Otherwise it is removed, and what stood at `path` stays. What was written is
    on the disk before it is renamed, so a loss of power leaves one of the two.
    """
    if storage.is_remote(path):
        with storage.sent(os.fspath(path)) as beside:
            yield beside
        return
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder; give the name of a file in it."
        )
    make_folder(path.parent)
    # Some writers ask the ending for the format, as Keras for `.weights.h5`.
    # Threads of one process write at once too, so that its number would not do.
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def making_folder(path):
    """A new folder beside `path`, which takes its place if the block ends well.

    Otherwise it is removed. What stands at `path` may be an empty folder alone.
    """
    path = pathlib.Path(path)
    check_new_folder(path)
    if path.exists() and any(path.iterdir()):
        raise FileExistsError(
            f"{path} is not empty; name another folder, or remove it first."
        )
    make_folder(path.parent)
    beside = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    beside.mkdir()
    try:
        yield beside
        with contextlib.suppress(FileNotFoundError):
            path.rmdir()
        os.rename(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_atomically(path, content):
    """Writes text or bytes to `path`, whole or not at all."""
    if isinstance(content, str):
        content = content.encode()
    with replacing(path) as beside:
        beside.write_bytes(content)


def without_nan(value):
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def locked(path, wait=True):
    """Keeps other processes and threads that lock `path` out of the block.

    The file stays behind, empty. The system releases the lock of a process that
    dies; where the file system has no locks the block runs without. With
    `wait=False`, a lock that another holds is a BlockingIOError.
    """
    import filelock

    if os.path.exists(path):
        check_file(path)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(blocking=wait)
    except filelock.Timeout as error:
        raise BlockingIOError(f"Another process has locked {path}.") from error
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise
    try:
        yield
    finally:
        lock.release()


def renewed(path, markers, text):
    """The text of a page with `text` between its two lines of `markers`."""
    page = pathlib.Path(path).read_text(encoding="utf-8")
    begin, end = markers
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise ValueError(f"{path} must hold the markers {begin!r} and {end!r}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
