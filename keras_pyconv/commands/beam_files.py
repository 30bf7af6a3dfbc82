"""Files of any file system that Apache Beam opens, and those of this machine.

`gs://`, `s3://`, `hdfs://` and others, where Beam's extra for them is
installed.
"""

import contextlib
import glob
import os
import pathlib
import posixpath
import re
import tempfile

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from keras_pyconv.commands.answering import WILD, find_files, listed
from keras_pyconv.commands.opening import newest
from keras_pyconv.listing import IMAGES, VIDEOS
from keras_pyconv.reading import decoded, one_line
from keras_pyconv.storage import GRAPH, is_remote
from keras_pyconv.writing import write_atomically

_RAW = {"compression_type": CompressionTypes.UNCOMPRESSED}


def join(folder, name) -> str:
    """The path of a name in a folder."""
    return posixpath.join(folder, name)


def names(folder) -> set[str]:
    """Names of the files that lie in a folder; none where there is none."""
    if is_remote(folder):
        return {path.rpartition("/")[2] for path in _below(folder, "*")}
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _matches(pattern):
    """Paths that fit a pattern, sorted, without markers of folders."""
    (found,) = FileSystems.match([pattern])
    paths = sorted(about.path for about in found.metadata_list)
    return [path for path in paths if not path.endswith("/")]


def _below(folder, pattern):
    """Paths that fit a pattern in a folder of any name."""
    folder = folder.rstrip("/")
    # Beam's patterns have no way to quote; any character stands for these.
    wild = re.sub(r"[*?[]", "?", folder)
    found = _matches(f"{wild}/{pattern}")
    return [path for path in found if path.startswith(f"{folder}/")]


def read(path, begin=0, length=-1) -> bytes:
    """What a file holds, or `length` bytes of it.

    Raises:
        FileNotFoundError: there is no such file.
        RuntimeError: the file system does not answer. It is no `OSError`, so
            that no file is blamed and the runner tries again.
    """
    try:
        with FileSystems.open(path, **_RAW) as file:
            file.seek(begin)
            return file.read(length)
    except Exception as error:
        if isinstance(error, FileNotFoundError) or not _exists(path):
            told = f"There is no file {path!r}."
            raise FileNotFoundError(told) from error
        told = f"{path} could not be read: {one_line(error)}"
        raise RuntimeError(told) from error


def _exists(path):
    with contextlib.suppress(Exception):
        return FileSystems.exists(path)
    return True


def write(path, text):
    """Writes a file, whole or not at all."""
    if not is_remote(path):
        write_atomically(path, text)
        return
    beside = f"{path}.{os.urandom(4).hex()}"
    try:
        with FileSystems.create(beside, **_RAW) as file:
            file.write(text.encode())
        _rename(beside, path)
    # Each file system has errors of its own.
    except Exception as error:
        with contextlib.suppress(Exception):
            FileSystems.delete([beside])
        told = f"{path} could not be written: {one_line(error)}"
        raise RuntimeError(told) from error


def _rename(source, path):
    try:
        FileSystems.rename([source], [path])
    except Exception:
        # HDFS renames only to what does not exist.
        if not FileSystems.exists(path):
            raise
        FileSystems.delete([path])
        FileSystems.rename([source], [path])


@contextlib.contextmanager
def local(path):
    """The path of a file on this machine: its own, or a copy's."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, path.rpartition("/")[2])
        copy.write_bytes(read(path))
        yield str(copy)


@contextlib.contextmanager
def local_folder(path):
    """Likewise of a folder with all that is in it."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        for source in _below(path, "**"):
            copy = pathlib.Path(folder, source.removeprefix(f"{path}/"))
            # A bucket may hold any name; a copy must not leave its folder.
            if ".." in copy.parts:
                raise ValueError(f"{source} is not copied: it has '..'.")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(read(source))
        yield folder


def saved_model(model) -> str:
    """The folder of one SavedModel: the given one, or its newest version."""
    model = os.fspath(model).rstrip("/")
    if is_remote(model):
        graphs = _below(model, GRAPH) + _below(model, f"*/{GRAPH}")
    else:
        versions = glob.glob(f"{glob.escape(model)}/*/{GRAPH}")
        graphs = filter(os.path.isfile, [f"{model}/{GRAPH}", *versions])
    folders = list(map(os.path.dirname, graphs))
    found = model if model in folders else newest(folders)
    if found is None:
        raise ValueError(
            "Beam predicts with a SavedModel, which keras-pyconv export "
            f"writes. Received: model={model!r}"
        )
    return found


def find(words, task) -> list[str]:
    """Paths of what is to be predicted, as `find_files` finds them."""
    found = []
    for word in map(os.fspath, words):
        if is_remote(word):
            found += _remote_files(word, task)
        else:
            found += find_files([word], task)
    return found


def _remote_files(word, task):
    if word.lower().endswith(".csv"):
        return listed(decoded(read(word), word), word.rpartition("/")[0])
    if set(WILD) & set(word) and not _below(word, "*"):
        return _matches(word) or [word]
    if IMAGES.matches(word) or VIDEOS.matches(word):
        return [word]
    kind = VIDEOS if task == "video" else IMAGES
    return [path for path in _below(word, "**") if kind.matches(path)]
