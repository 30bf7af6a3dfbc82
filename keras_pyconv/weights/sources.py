"""What files of weights have in common: real numbers, and checksums beside."""

import contextlib
import hashlib
import os
import pathlib
import re

import numpy as np

from keras_pyconv.reading import check_file
from keras_pyconv.writing import replacing, write_atomically

_CHUNK = 1 << 20
_DIGEST = re.compile(rb"(?<!\w)[0-9a-fA-F]{64}(?!\w)")
_LONGEST_LIST = 1 << 16
# Kinds of NumPy's dtypes that weights may have.
REAL = "fiub"


def is_finite(array, largest=np.finfo("float32").max) -> bool:
    """Whether all numbers are finite, and stay so in a model.

    Args:
        array: of real numbers.
        largest: number of the variables' precision.
    """
    if array.dtype.kind in "iub" or not array.size:
        return True
    # NaN is neither.
    return bool(-largest <= array.min() and array.max() <= largest)


# Checksums ------------------------------------------------------------------


def checksum(path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def checksum_path(path) -> str:
    """Where the checksum of a file stands: `w.npz.sha256` for `w.npz`."""
    return f"{os.fspath(path)}.sha256"


def write_checksum(path, digest=None):
    """Writes the checksum of a file beside it, as `sha256sum -c` reads it.

    Args:
        path: of the file.
        digest: its checksum, where that is known already.
    """
    name = os.path.basename(os.fspath(path))
    content = f"{digest or checksum(path)}  {name}\n"
    write_atomically(checksum_path(path), content)


@contextlib.contextmanager
def replacing_with_checksum(path):
    """`replacing`, with a `.sha256` beside what was written.

    The old checksum goes first: what an interrupted run leaves is a file
    without a checksum, and never one with that of another.
    """
    with replacing(path) as beside:
        yield beside
        digest = checksum(beside)
        pathlib.Path(checksum_path(path)).unlink(missing_ok=True)
    write_checksum(path, digest)


def is_whole(path) -> bool:
    """Whether a file stands beside a checksum, which is its own."""
    try:
        verify(path)
        return os.path.exists(checksum_path(path))
    except (OSError, ValueError):
        return False


def verify(path):
    """Refuses a file that has another checksum than stands beside it.

    Args:
        path: of a file that is there; without a `.sha256` all is well.

    Raises:
        ValueError: the checksums differ, or the `.sha256` holds none.
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
