"""Files that users bring, with words for what is wrong."""

import codecs
import errno
import json
import os
import pathlib
import re
import reprlib

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Controls, which a terminal obeys, and halves of characters, which no file
# and no tensor can hold.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST_TEXT = 100
_LONGEST_MESSAGE = 300
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.maxlevel = 2


def short(value) -> str:
    """A value of a file for a message: one short line, without controls."""
    return _SHORT.repr(value)


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


def is_text(value) -> bool:
    """Whether a value is text with something in it, and no control."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and _UNPRINTABLE.search(value) is None
    )


def _kind(path):
    """What stands at a path in a file's place, or None."""
    if path.is_file() or not path.exists():
        return None
    return "a folder" if path.is_dir() else "a device or a pipe"


def open_regular(path):
    """Opens a file for its bytes; what is no file is not waited for.

    Args:
        path: of a file, or a link to one. To open a pipe would wait for
            somebody who writes, and a device may have no end.

    Raises:
        OSError: there is no file, or none that can be read.
    """
    path = pathlib.Path(path)
    if kind := _kind(path):
        raise OSError(f"{path} is {kind}, no file")
    return open(path, "rb")


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
        os.stat(path)
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from None
    if kind := _kind(pathlib.Path(path)):
        wrong = IsADirectoryError if os.path.isdir(path) else OSError
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
    return OSError(f"{short(path)} is no path of a file: {cause}.")


def read_text(path) -> str:
    """The text of a file in UTF-8, or in what its byte order mark says.

    Args:
        path: of a file.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is a folder or the like, cannot be read, or is no text.
    """
    path = pathlib.Path(path)
    if kind := _kind(path):
        raise ValueError(f"{path} is {kind}; give the path of a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        return decoded(path.read_bytes(), path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


def decoded(content: bytes, name) -> str:
    """Text in UTF-8, or in what its byte order mark says.

    Args:
        content: the bytes of a file.
        name: of the file, for the message.

    Raises:
        ValueError: it is no text.
    """
    encoding = next(
        (code for mark, code in _MARKS.items() if content.startswith(mark)),
        "utf-8-sig",
    )
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        place = min(error.start, len(content) - 1)
        line = content[:place].count(b"\n") + 1
        raise ValueError(
            f"{name} is no text in UTF-8: line {line} holds the byte "
            f"{content[place]:#04x}. Save it as UTF-8."
        ) from error


def read_json(path):
    """What a JSON file holds.

    Args:
        path: of a file.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no whole JSON file.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        said = str(error) if text.strip() else "it is empty"
    except RecursionError:
        said = "it nests too deep"
    # Python refuses to read numbers of thousands of digits.
    except ValueError:
        said = "a number in it has thousands of digits"
    raise ValueError(
        f"{path} is no whole JSON file: {said}. It may have been cut short; "
        "copy or export it again."
    )
