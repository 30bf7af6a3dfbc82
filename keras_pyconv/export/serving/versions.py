"""The folders that TF Serving reads: `<root>/<version>/`, all or nothing.

The server loads a version as soon as its numeric folder appears. So a version
is written beside its place, flushed to the disk and renamed.
"""

import contextlib
import os
import pathlib
import re
import secrets
import shutil
import socket

LARGEST_VERSION = 2**63 - 1  # the server's versions are int64
# This machine's name, without what a file name cannot hold.
HOST = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname()) or "host"
# Folders by a file in them, which are no place for versions.
_OTHERS = {"saved_model.pb": "SavedModel", "metadata.json": "preset"}
# What may lie in a folder of versions beside them; hidden files may, too.
_OWN = re.compile(r"\..*|README\.md|tmp-.*")
_SHOWN = 3  # names of other files that a message has
STAGING = re.compile(rf"tmp-{re.escape(HOST)}-(?P<process>\d+)-[0-9a-f]{{8}}")


def taken_versions(root):
    """Version numbers below `root`; the server ignores larger ones."""
    names = os.listdir(root) if os.path.isdir(root) else []
    numbers = {int(name) for name in names if re.fullmatch("[0-9]+", name)}
    return {number for number in numbers if number <= LARGEST_VERSION}


def next_version(root):
    """One more than the largest version, which is what the server serves."""
    version = max(taken_versions(root), default=0) + 1
    if version > LARGEST_VERSION:
        raise ValueError(
            f"Version {LARGEST_VERSION} exists in {root}, and servers accept "
            "no larger one. Pass a free number as `version`."
        )
    return version


def check_destination(root, version=None, size_bytes=0):
    """Refuses a destination that cannot be written, without touching it."""
    root = pathlib.Path(root)
    existing = next(p for p in (root, *root.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise NotADirectoryError(
            f"Versions are written below a folder, but {existing} is a file."
        )
    for name, kind in _OTHERS.items():
        if (root / name).exists():
            raise ValueError(
                f"{root} is itself a {kind}. Pass a folder for the numbered "
                "versions."
            )
    if version is None:
        next_version(root)
    elif version in taken_versions(root):
        raise FileExistsError(
            f"Version {version} exists in {root} and is never overwritten. "
            f"The next free version is {next_version(root)}."
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"The folder {existing} is not writable.")
    free = shutil.disk_usage(existing).free
    if free < size_bytes:
        raise OSError(
            f"The export needs {size_bytes / 1e6:.0f} MB and the disk of "
            f"{existing} has {free / 1e6:.0f} MB left."
        )


def check_no_others(root):
    """Refuses a folder without versions that holds what no export put there."""
    root = pathlib.Path(root)
    names = (
        [] if taken_versions(root) or not root.is_dir() else os.listdir(root)
    )
    names = sorted(name for name in names if not _OWN.fullmatch(name))
    if names:
        more = len(names) - _SHOWN
        shown = names[:_SHOWN] + [f"{more} more"] * (more > 0)
        raise ValueError(
            f"{root} holds no version of a model, but other files: "
            f"{', '.join(shown)}. Pass a new folder, such as "
            f"saved_models/{root.absolute().name}."
        )


def _remove_stale(root):
    """Removes what exports that were killed on this machine left behind."""
    # On other systems signal 0 is a real signal, so nothing is removed.
    for entry in root.iterdir() if os.name == "posix" else ():
        if match := STAGING.fullmatch(entry.name):
            try:
                os.kill(int(match["process"]), 0)
            except ProcessLookupError:
                shutil.rmtree(entry, ignore_errors=True)
            except OSError:
                pass  # It runs for another user.


def _flush(path):
    """Brings a file or a folder to the disk."""
    if os.name == "posix" or not path.is_dir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(staging, root, version):
    """Renames to the version asked for, or to the next that is free."""
    while True:
        place = root / str(version or next_version(root))
        # os.rename would replace an empty folder without a word.
        if not place.exists():
            try:
                os.rename(staging, place)
                return place
            except OSError:
                if not place.exists():
                    raise
        if version is not None:
            raise FileExistsError(f"Version {version} appeared in {root}.")


def publish(root, version, write):
    """Makes `<root>/<version>/` appear complete, or not at all.

    `version` is None for one more than the largest. `write` fills a new folder;
    if it raises, all that was made is removed. Returns the version's folder.
    """
    root = pathlib.Path(root)
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(parents=True, exist_ok=True)
    _remove_stale(root)
    staging = root / f"tmp-{HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        staging.mkdir(parents=True)
        write(staging)
        for path in sorted(staging.rglob("*")):
            _flush(path)
        place = _move_into_place(staging, root, version)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        # Those that somebody else fills meanwhile stay.
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    _flush(root)
    return place
