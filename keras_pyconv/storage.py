"""Files of this machine, and of file systems that `tf.io.gfile` serves.

A path such as `gs://bucket/folder` stays text: `pathlib` would make one slash
of two. What TensorFlow says of a file becomes an `OSError` of one line.
"""

import contextlib
import os
import pathlib
import posixpath
import re
import secrets
import tempfile
from glob import glob as local_glob
from typing import NamedTuple

from keras_pyconv.lazy import tf

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
# A name appears there when the file is whole, and folders are parts of names,
# which end in a slash where they are listed.
_OF_OBJECTS = ("gs://", "s3://")
GRAPH = "saved_model.pb"  # what makes a folder a SavedModel
PRESET = "config.json"  # likewise a preset
_LONGEST = 300  # characters of what TensorFlow says


def is_remote(path) -> bool:
    """Whether a path names another file system than this machine's."""
    is_path = isinstance(path, (str, os.PathLike))
    return is_path and bool(_SCHEME.match(os.fspath(path)))


def place(path):
    """A path without a slash at its end: text where it is remote."""
    if is_remote(path):
        return os.fspath(path).rstrip("/")
    return pathlib.Path(path)


@contextlib.contextmanager
def told(path, what="read"):
    """Turns TensorFlow's errors of files into the system's, of one line."""
    # What is local needs no TensorFlow, and there may be none.
    if not is_remote(path):
        yield
        return
    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(f"There is nothing at {path!r}.") from error
    except tf.errors.OpError as error:
        refusals = (
            tf.errors.PermissionDeniedError,
            tf.errors.UnauthenticatedError,
        )
        kind = PermissionError if isinstance(error, refusals) else OSError
        said = " ".join(str(error.message).split())[:_LONGEST]
        raise kind(f"{path} cannot be {what}: {said}") from error


def _is_folder(path):
    """Whether a remote path is a folder; None where nothing is."""
    with contextlib.suppress(FileNotFoundError), told(path):
        return tf.io.gfile.stat(path).is_directory
    return None


def join(folder, path) -> str:
    """A path that begins at a folder, unless it is whole by itself."""
    return path if is_remote(path) else os.path.join(folder, path)


def exists(path) -> bool:
    """Whether something is at a path."""
    if is_remote(path):
        return _is_folder(path) is not None
    return os.path.exists(path)


def is_folder(path) -> bool:
    """Whether a folder is at a path."""
    return bool(_is_folder(path)) if is_remote(path) else os.path.isdir(path)


def is_model(folder) -> bool:
    """Whether a folder is a SavedModel or a preset."""
    return any(exists(f"{folder}/{name}") for name in (GRAPH, PRESET))


class Entry(NamedTuple):
    """What lies in a remote folder, as `os.DirEntry` says it."""

    name: str
    path: str
    is_folder: bool

    def is_dir(self):
        return self.is_folder

    def is_file(self):
        return not self.is_folder

    def is_symlink(self):
        return False


def entries(folder) -> list:
    """What lies in a folder, by name; it is listed once."""
    if not is_remote(folder):
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    with told(folder, "listed"):
        listed = {*tf.io.gfile.listdir(folder)} - {"", "/"}
    names = sorted(listed)
    # A bucket may hold any name; a copy must not leave its folder by one.
    if {"./", "../", ".", ".."} & listed:
        raise ValueError(f"{folder} has a file named '.' or '..'; remove it.")
    # To ask about each of thousands of files would take minutes.
    says = folder.startswith(_OF_OBJECTS)
    found = []
    for name in names:
        path = posixpath.join(folder, name.rstrip("/"))
        is_inner = name.endswith("/") if says else _is_folder(path)
        if is_inner is not None:
            found.append(Entry(name.rstrip("/"), path, is_inner))
    return found


def glob(pattern) -> list[str]:
    """Paths that fit a pattern, sorted."""
    if not is_remote(pattern):
        return sorted(local_glob(pattern, recursive=True))
    with told(pattern, "listed"):
        return sorted(tf.io.gfile.glob(pattern))


def file_names(folder) -> set[str]:
    """Names of the files that lie in a folder; none where there is none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return {entry.name for entry in entries(folder) if entry.is_file()}
    return set()


def absent(folder, paths) -> set[str]:
    """Those of some paths that name no file; they begin at a folder.

    Each folder is listed once: to ask for each file would take minutes.
    """
    there = {
        os.path.join(inner, name)
        for inner in {os.path.dirname(path) for path in paths}
        for name in file_names(join(folder, inner))
    }
    return {*paths} - there


# Reading ---------------------------------------------------------------------


def opened(path):
    """A file to read bytes from, within `told`."""
    if is_remote(path):
        return tf.io.gfile.GFile(os.fspath(path), "rb")
    return open(path, "rb")


def read(path, most=-1) -> bytes:
    """What a file holds, or its first bytes."""
    with told(path), opened(path) as file:
        return file.read(most)


def check_file(path) -> str:
    """A remote path, where it is that of a file."""
    is_inner = _is_folder(path)
    if is_inner is None:
        raise FileNotFoundError(f"There is no file {path!r}.")
    if is_inner:
        raise IsADirectoryError(f"{path!r} is a folder; a file is needed.")
    return os.fspath(path)


@contextlib.contextmanager
def fetched(path, *beside):
    """The path on this machine of a file or a model's folder, or of a copy.

    Files `beside` it come too, where they exist. Errors in the block name what
    was asked for, and not its copy.
    """
    if not is_remote(path):
        yield path
        return
    path = place(path)
    # Another folder may be a whole bucket.
    if is_folder(path) and not is_model(path):
        raise FileNotFoundError(f"{path} is no SavedModel and no preset.")
    with tempfile.TemporaryDirectory() as folder:
        with named(path.rpartition("/")[0], folder):
            for one in (path, *beside):
                if one == path or exists(one):
                    fetch(one, pathlib.Path(folder, posixpath.basename(one)))
            yield pathlib.Path(folder, posixpath.basename(path))


def fetch(path, copy, is_inner=None):
    """Copies a remote file, or a folder with all that is in it.

    `is_inner` says which it is, where that is known: to ask takes a request.
    """
    if not (is_folder(path) if is_inner is None else is_inner):
        with told(path):
            tf.io.gfile.copy(path, os.fspath(copy), overwrite=True)
        return
    copy.mkdir(parents=True, exist_ok=True)
    for entry in entries(path):
        fetch(entry.path, copy / entry.name, entry.is_folder)


@contextlib.contextmanager
def named(path, copy):
    """Says `path` where an error in the block says `copy`."""
    try:
        yield
    except Exception as error:
        error.args = tuple(
            one.replace(copy, path) if isinstance(one, str) else one
            for one in error.args
        )
        if getattr(error, "filename", None):
            error.filename = str(error.filename).replace(copy, path)
        raise


# Writing ---------------------------------------------------------------------


@contextlib.contextmanager
def sent(path):
    """A path on this machine; what the block writes there goes to `path`."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, posixpath.basename(path))
        with named(posixpath.dirname(path), folder):
            yield copy
            send(copy, path)


def send(source, path):
    """Copies a file of this machine, whole or not at all."""
    source = os.fspath(source)
    with told(path, "written"):
        if path.startswith(_OF_OBJECTS):
            tf.io.gfile.copy(source, path, overwrite=True)
            return
        folder, _, name = path.rpartition("/")
        tf.io.gfile.makedirs(folder)
        beside = f"{folder}/.{secrets.token_hex(4)}-{name}"
        try:
            tf.io.gfile.copy(source, beside)
            tf.io.gfile.rename(beside, path, overwrite=True)
        except BaseException:
            with contextlib.suppress(tf.errors.OpError):
                tf.io.gfile.remove(beside)
            raise


def remove(path):
    """Removes a file, if there is one."""
    if not is_remote(path):
        pathlib.Path(path).unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError), told(path, "removed"):
        tf.io.gfile.remove(path)


def remove_folder(path):
    """Removes what is left of a remote folder, if it lets itself."""
    with contextlib.suppress(tf.errors.OpError):
        tf.io.gfile.rmtree(path)
