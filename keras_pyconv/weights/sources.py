"""What is common to files from elsewhere: what they are, and what is said.

Text that a file chose is never printed as it stands: it may move the cursor,
hide what stands before it, or be 5 MB long.
"""

import contextlib
import errno
import hashlib
import os
import pathlib
import re
import reprlib
import stat

import numpy as np

from keras_pyconv.writing import replacing, write_atomically

_CHUNK = 1 << 20
_LONGEST_TEXT = 100
_LONGEST_MESSAGE = 300
_DIGEST = re.compile(rb"(?<!\w)[0-9a-fA-F]{64}(?!\w)")
_LONGEST_LIST = 1 << 16
# Kinds of NumPy's dtypes that weights may have.
REAL = "fiub"
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def shown(value, most=_LONGEST_TEXT) -> str:
    """`repr` of text or numbers of a file: one line, without escape codes.

    Args:
        value: text, a number, or a tuple of numbers.
        most: characters of text, beyond which the middle is left out.
    """
    writer = reprlib.Repr()
    writer.maxstring, writer.maxtuple = most, 8
    return writer.repr(value)


def plain(text, most=_LONGEST_TEXT) -> str:
    """Text of a file without quotes: one line, without escape codes.

    What was made plain before stays as it is.
    """
    text = str(text)
    if len(text) > most:
        text = f"{text[: most - most // 4]}...{text[-(most // 4) :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_line(error, most=_LONGEST_MESSAGE) -> str:
    """What an error of a library says, as one short line."""
    lines = [line.strip() for line in str(error)[:10_000].splitlines()]
    text = " ".join(line for line in lines if line).rstrip(".")
    return plain(text, most) or type(error).__name__


def check_file(path) -> str:
    """Refuses what is no file that can be read, before it is opened.

    Opening a pipe would wait for its other end for ever.

    Args:
        path: what the user gave.

    Returns:
        The path as text.

    Raises:
        FileNotFoundError: nothing is there, or a link leads nowhere.
        IsADirectoryError: it is a folder.
        PermissionError: this user may not read it.
        OSError: it is a pipe, a device, a loop of links or the like.
    """
    path = os.fspath(path)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from None
    for is_kind, kind in _KINDS.items():
        if is_kind(mode):
            wrong = IsADirectoryError if kind == "a folder" else OSError
            raise wrong(f"{path!r} is {kind}; a file is needed.")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"This user may not read the file {path!r}.")
    return path


def _unreachable(path, error):
    """The error for a path at which nothing can be looked at."""
    number = getattr(error, "errno", None)
    if number == errno.ELOOP:
        return OSError(f"{path!r} is a loop of links; a file is needed.")
    if number == errno.EACCES:
        return PermissionError(f"This user may not look at {path!r}.")
    if number == errno.ENOENT and os.path.islink(path):
        target = plain(os.readlink(path))
        return FileNotFoundError(
            f"There is no file {path!r}: it is a link to {target}, which is "
            "not there."
        )
    if number in (errno.ENOENT, errno.ENOTDIR):
        return FileNotFoundError(f"There is no file {path!r}.")
    cause = getattr(error, "strerror", None) or one_line(error)
    return OSError(f"{shown(path)} is no path of a file: {cause}.")


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
