"""Which files in the folders of a data set are data, decided in one place.

It needs Python alone: clients of a server and processes that decode use it.
"""

import collections
import dataclasses
import logging
import os
import re

log = logging.getLogger(__name__)

# Folders that systems and servers make by themselves, beside hidden ones.
_OF_SYSTEMS = "__MACOSX @eaDir $RECYCLE.BIN lost+found __pycache__".split()
# In a name that is not UTF-8 Python puts halves of characters.
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
# Reasons that are asked about.
BESIDE = "beside the folders of the classes"
NOT_TEXT = "with a name that is not UTF-8"
OTHER = "of other kinds"
_LOOKED_AT = 16  # bytes of a file without an ending
_SHOWN = 4  # endings that a message names


def _is_remote(path):
    # As `storage` says it, which clients of a server do not have.
    return "://" in os.fspath(path)


def _beginning(path):
    if _is_remote(path):
        from keras_pyconv import storage

        return storage.read(path, _LOOKED_AT)
    with open(path, "rb") as file:
        return file.read(_LOOKED_AT)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of data file, by its ending, or its first bytes without one."""

    endings: tuple[str, ...]
    beginning: re.Pattern = dataclasses.field(repr=False)

    def matches(self, path) -> bool:
        """Whether a file is of this kind."""
        ending = os.path.splitext(path)[1].lower()
        if ending:
            return ending in self.endings
        try:
            return bool(self.beginning.match(_beginning(path)))
        except OSError:
            return False


# What Pillow can read of what is found in such folders.
IMAGES = Kind(
    (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm")
    + (".tif", ".tiff", ".webp"),
    re.compile(
        rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\x00|MM\x00\*"
        rb"|P[2356]\s",
        re.DOTALL,
    ),
)
VIDEOS = Kind(
    (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
    + (".ogv", ".webm", ".wmv"),
    re.compile(
        rb"....ftyp|RIFF....AVI |\x1aE\xdf\xa3|FLV|\x00\x00\x01[\xba\xb3]|OggS"
        rb"|\x30\x26\xb2\x75",
        re.DOTALL,
    ),
)


def _printable(path):
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def _is_hidden(name):
    return name.startswith(".") or name in _OF_SYSTEMS


class Listing:
    """Lists the data files of some kinds in the folders of a set, each once.

    Left out, by reason in `left_out`, are: hidden files and folders, and those
    that systems make; links that lead nowhere, back into the listed folders or
    above them; pipes, devices and sockets; names that are not UTF-8; and files
    of other kinds. A folder that this user may not list is a PermissionError.
    """

    def __init__(self, root, *kinds):
        self.root, self.kinds = os.fspath(root), kinds
        self.left_out = collections.defaultdict(list)
        self._listed = [os.path.realpath(root)]

    def folders(self) -> list[str]:
        """Names of the folders that lie directly in the root, sorted."""
        files, folders = self._entries(self.root)
        loose = [file.path for file in files if self._kind(file.path)]
        if loose:
            self.leave_out(BESIDE, *loose)
        for path in filter(os.path.isdir, self.left_out.get(NOT_TEXT, ())):
            raise ValueError(
                f"The name of the folder {_printable(path)} is not UTF-8, and "
                "it would name a class. Rename it."
            )
        return [entry.name for entry in folders]

    def directly(self) -> list[str]:
        """Paths of the data files that lie directly in the root, sorted."""
        return _paths([next(self.walk())])

    def files(self, place=None) -> list[str]:
        """Paths of the data files of a folder, however deep, sorted."""
        return _paths(self.walk(place))

    def walk(self, place=None):
        """Yields each folder, top down, and its data files' names by kind."""
        waiting = [os.fspath(place or self.root)]
        while waiting:
            place = waiting.pop()
            files, folders = self._entries(place)
            found = {kind: [] for kind in self.kinds}
            for entry in files:
                if kind := self._kind(entry.path):
                    found[kind].append(entry.name)
                else:
                    self.leave_out(OTHER, entry.path)
            yield place, found
            for entry in reversed(folders):
                if entry.is_symlink():
                    self._listed.append(os.path.realpath(entry.path))
                waiting.append(entry.path)

    def _kind(self, path):
        return next((k for k in self.kinds if k.matches(path)), None)

    def leave_out(self, reason, *paths):
        """Counts files that are no data, such as "of other kinds"."""
        self.left_out[reason] += paths

    def _entries(self, place):
        """Sorted entries of a folder: regular files, and folders."""
        try:
            entries = self._listed_in(place)
        except PermissionError:
            raise PermissionError(
                "You have no permission to list the folder "
                f"{_printable(place)}; change its permissions, or move it out "
                "of the data set."
            ) from None
        files, folders = [], []
        for entry in entries:
            if reason := self._reason(entry):
                self.leave_out(reason, entry.path)
            else:
                (folders if entry.is_dir() else files).append(entry)
        return files, folders

    @staticmethod
    def _listed_in(place):
        if _is_remote(place):
            from keras_pyconv import storage

            return storage.entries(place)
        with os.scandir(place) as entries:
            return sorted(entries, key=lambda entry: entry.name)

    def _reason(self, entry):
        """Why an entry is not listed; None where it is."""
        if _is_hidden(entry.name):
            return "hidden or of the system"
        if _NOT_UTF8.search(entry.name):
            return NOT_TEXT
        try:
            is_data = entry.is_file() or entry.is_dir()
        except OSError:
            is_data = False
        if not is_data:
            nowhere = entry.is_symlink() and not os.path.exists(entry.path)
            return "links to nothing" if nowhere else "pipes or devices"
        if entry.is_symlink() and self._leads_back(entry.path):
            return "links to what is listed already"
        return None

    def _leads_back(self, link):
        target = os.path.realpath(link)
        for folder in self._listed:
            parts = os.path.relpath(target, folder).split(os.sep)
            # What lies in a hidden folder is listed by links to it alone.
            if {*parts} <= {".", ".."} or not any(map(_is_hidden, parts)):
                return True
        return False

    @property
    def problems(self) -> dict[str, int]:
        """How many were left out, by reason."""
        return {
            f"left out, {reason}": len(paths)
            for reason, paths in self.left_out.items()
        }

    def __str__(self):
        """What was left out, in one line; empty where nothing was."""
        said = [
            f"{len(paths)} {reason} ({self._example(reason, paths)})"
            for reason, paths in self.left_out.items()
        ]
        count = sum(map(len, self.left_out.values()))
        return f"{count} entries left out: {', '.join(said)}" if said else ""

    def _example(self, reason, paths):
        if reason != OTHER:
            return f"such as {_printable(os.path.relpath(paths[0], self.root))}"
        endings = collections.Counter(
            os.path.splitext(path)[1].lower() or "no ending" for path in paths
        )
        return ", ".join(ending for ending, _ in endings.most_common(_SHOWN))

    def say(self, name=None):
        """Logs what was left out, if anything; `name` is that of the set."""
        if self.left_out:
            log.warning("%s: %s", _printable(name or self.root), self)
        return self


def _paths(walked):
    return sorted(
        os.path.join(folder, name)
        for folder, found in walked
        for names in found.values()
        for name in names
    )
