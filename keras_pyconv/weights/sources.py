"""What files of weights have in common: numbers, archives and checksums."""

import contextlib
import hashlib
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_pyconv import storage
from keras_pyconv.reading import check_file, one_line, plain, short
from keras_pyconv.writing import replacing, write_atomically

_DIGEST = re.compile(rb"(?<!\w)[0-9a-fA-F]{64}(?!\w)")
_LONGEST_LIST = 1 << 16
# Weights hardly shrink; a file that swells more was made to fill the memory.
MAX_SWELLING = 64
# Kinds of NumPy's dtypes that weights may have.
REAL = "fiub"
SHORT = "it is cut short"


@dataclass(frozen=True)
class Stored:
    """An array of a file, which `read()` gives."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def from_bfloat16(bits):
    """bfloat16, given as 16-bit integers, as float32."""
    return (bits.astype("u4") << 16).view("f4")


def is_finite(array, largest=np.finfo("float32").max) -> bool:
    """Whether all real numbers are finite, and at most the `largest`."""
    if array.dtype.kind in "iub" or not array.size:
        return True
    # NaN is neither.
    return bool(-largest <= array.min() and array.max() <= largest)


@contextlib.contextmanager
def refused(path):
    """Turns any library's error into one line about the file."""
    try:
        yield
    except MemoryError:
        raise
    except ValueError as error:
        # A sentence already, with shapes that may be long.
        cause = one_line(error, 1000)
        raise ValueError(f"{os.fspath(path)!r} is refused: {cause}.") from error
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} is refused: it is cut short or damaged "
            f"({one_line(error)})."
        ) from error


class Archive(zipfile.ZipFile):
    """A zip archive that never reads more bytes than it has.

    Attributes:
        size: in bytes.
        members: the `zipfile.ZipInfo` of each, by name.
    """

    def __init__(self, path):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive, or cut short")
        super().__init__(path)
        self.size = os.path.getsize(path)
        self.members = {}
        for info in self.infolist():
            if info.filename in self.members:
                raise ValueError(f"it holds {short(info.filename)} twice")
            self.members[info.filename] = info

    def find(self, name):
        """The entry of a member that is whole in the file."""
        info = self.members.get(name)
        if info is None:
            raise ValueError(f"it lacks {plain(name)}")
        if info.header_offset + info.compress_size > self.size:
            raise ValueError(SHORT)
        if info.flag_bits & 1:
            raise ValueError(f"{plain(name)} in it is encrypted")
        return info

    def stored(self, name):
        """`find`, for a member that is not compressed."""
        info = self.find(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(
                f"{plain(name)} in it is compressed, which PyTorch never is"
            )
        if info.compress_size != info.file_size:
            raise ValueError(f"{plain(name)} in it has two sizes")
        return info

    def read(self, name):
        """The bytes of a member that is not compressed; checks its checksum."""
        content = super().read(self.stored(name))
        if len(content) != self.members[name].file_size:
            raise ValueError(f"{plain(name)} in it has another size")
        return content


# Checksums ------------------------------------------------------------------


def checksum(path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_path(path) -> str:
    """Where the checksum of a file stands: `w.npz.sha256` for `w.npz`."""
    return f"{os.fspath(path)}.sha256"


def write_checksum(path, digest=None):
    """Writes the checksum of a file beside it, as `sha256sum -c` reads it."""
    name = os.path.basename(os.fspath(path))
    content = f"{digest or checksum(path)}  {name}\n"
    write_atomically(checksum_path(path), content)


def fetched(path):
    """`storage.fetched` of a file, with its checksum where it has one."""
    return storage.fetched(path, checksum_path(path))


@contextlib.contextmanager
def replacing_with_checksum(path):
    """`replacing`, with a `.sha256` beside what was written.

    The old checksum goes first, so that an interrupted run leaves no wrong one.
    """
    with replacing(path) as beside:
        yield beside
        digest = checksum(beside)
        storage.remove(checksum_path(path))
    write_checksum(path, digest)


def is_whole(path) -> bool:
    """Whether a file has a checksum beside it that fits."""
    try:
        verify(path)
        return os.path.exists(checksum_path(path))
    except (OSError, ValueError):
        return False


def verify(path):
    """Refuses a file that has another checksum than stands beside it.

    Without a `.sha256` all is well.
    """
    beside = checksum_path(path)
    if not os.path.lexists(beside):
        return
    try:
        with open(check_file(beside), "rb") as file:
            digests = _DIGEST.findall(file.read(_LONGEST_LIST))
    except OSError as error:
        raise ValueError(f"The checksum cannot be read: {error}") from None
    if not digests:
        raise ValueError(
            f"{beside!r} holds no SHA-256, which is 64 hexadecimal digits; "
            "remove it where it is no checksum."
        )
    if checksum(path).encode() not in map(bytes.lower, digests):
        raise ValueError(
            f"{os.fspath(path)!r} is damaged or was changed: its SHA-256 is "
            f"not the one in {beside!r}. Get the file anew; where you changed "
            "it yourself, remove its .sha256."
        )
