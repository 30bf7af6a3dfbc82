"""Exports into other file systems: written on this machine, then sent."""

import contextlib
import pathlib
import tempfile

from keras_pyconv import storage
from keras_pyconv.export.serving.guide import FILE as GUIDE
from keras_pyconv.export.serving.ledger import FILE as LEDGER
from keras_pyconv.export.serving.server_files import (
    BATCHING,
    MODELS,
    MONITORING,
)
from keras_pyconv.storage import GRAPH

_SMALL = (GUIDE, BATCHING, MODELS, MONITORING, LEDGER)


@contextlib.contextmanager
def reached(root):
    """The folder to export into: the root itself, or what stands for it here.

    That has the root's versions, empty, and the small files of the root and
    of the folder of models. What the block writes is sent when it ends well.
    """
    if not storage.is_remote(root):
        yield pathlib.Path(root)
        return
    root = storage.place(root)
    above, _, name = root.rpartition("/")
    if above.endswith("/"):
        raise ValueError(f"Pass a folder in the bucket, such as {root}/digits.")
    with tempfile.TemporaryDirectory() as models, storage.named(above, models):
        folder = pathlib.Path(models, name)
        before = _brought(above, folder.parent)
        if storage.is_folder(root):
            folder.mkdir()
            before |= _brought(root, folder)
            for entry in storage.entries(root):
                if entry.is_dir():
                    (folder / entry.name).mkdir()
                elif entry.name == GRAPH:
                    (folder / GRAPH).touch()
        yield folder
        _send(folder, root, before)


def _brought(place, folder):
    """Fetches the small files of a folder: their contents by their paths."""
    found = {}
    for name in _SMALL:
        copy = folder / name
        with contextlib.suppress(FileNotFoundError):
            found[copy] = storage.read(f"{place}/{name}")
            copy.write_bytes(found[copy])
    return found


def _send(folder, root, before):
    """Sends a new version, its graph last, and then the ledger.

    A server looks for the graph, and tries again until it is there.
    """
    models, above = folder.parent, root.rpartition("/")[0]

    def send(path):
        name = path.relative_to(models).as_posix()
        storage.send(path, f"{above}/{name}")

    for version in folder.glob("[0-9]*"):
        place, files = f"{root}/{version.name}", version.rglob("*")
        files = list(filter(pathlib.Path.is_file, files))
        if files and storage.exists(place):
            raise FileExistsError(f"Version {version.name} appeared in {root}.")
        try:
            for path in sorted(files, key=lambda path: path.name == GRAPH):
                send(path)
        except BaseException:
            storage.remove_folder(place)
            raise
    for path in (where / one for where in (folder, models) for one in _SMALL):
        if path.is_file() and path.read_bytes() != before.get(path):
            send(path)
