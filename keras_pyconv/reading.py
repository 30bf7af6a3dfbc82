"""Files that users bring, with words for what is wrong."""

import codecs
import contextlib
import difflib
import errno
import json
import os
import re
import reprlib

from keras_pyconv import storage

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
    """Text of a file without quotes: one short line, without controls."""
    text = str(text)
    if len(text) > most:
        text = f"{text[: most - most // 4]}...{text[-(most // 4) :]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_line(error, most=_LONGEST_MESSAGE) -> str:
    """What an error of a library says, as one short line."""
    lines = [line.strip() for line in str(error)[:10_000].splitlines()]
    text = " ".join(line for line in lines if line).rstrip(".")
    return plain(text, most) or type(error).__name__


def nearest(word, known) -> str:
    """What to say of a word that is not known: the known one most like it."""
    near = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


@contextlib.contextmanager
def explained(what, errors=Exception):
    """Turns errors in the block into a ValueError that says what is wrong."""
    try:
        yield
    except errors as error:
        raise ValueError(f"{what}: {error}") from error


def is_text(value) -> bool:
    """Whether a value is text with something in it, and no control."""
    good = isinstance(value, str) and bool(value.strip())
    return good and _UNPRINTABLE.search(value) is None


def check_file(path) -> str:
    """The path as text, where it is that of a file that can be read.

    Anything else raises the kind of OSError that Python has for it.
    """
    path = os.fspath(path)
    if storage.is_remote(path):
        return storage.check_file(path)
    # To open a pipe would wait for its other end; a device may have no end.
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise _unreachable(path, error) from None
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path!r} is a folder; a file is needed.")
    if not os.path.isfile(path):
        raise OSError(f"{path!r} is a device or a pipe; a file is needed.")
    if not os.access(path, os.R_OK):
        raise PermissionError(
            f"You have no permission to read the file {path!r}."
        )
    return path


def check_new_folder(path):
    """Raises where a folder on this machine neither is nor can be made."""
    there = path = os.path.abspath(path)
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        told = f"{path!r} is no folder and cannot become one"
        told += "" if there == path else f": {there!r} is a file"
        raise NotADirectoryError(f"{told}. Name another folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"You have no permission to write in {there!r}.")


def _unreachable(path, error):
    """The error for a path at which nothing can be looked at."""
    if isinstance(error, PermissionError):
        return PermissionError(f"This user may not look at {path!r}.")
    if getattr(error, "errno", None) == errno.ELOOP:
        return OSError(f"{path!r} is a loop of links; a file is needed.")
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        why = "."
        if os.path.islink(path):
            target = plain(os.readlink(path))
            why = f": it is a link to {target}, which is not there."
        return FileNotFoundError(f"There is no file {path!r}{why}")
    cause = getattr(error, "strerror", None) or one_line(error)
    return OSError(f"{short(path)} is no path of a file: {cause}.")


def read_bytes(path) -> bytes:
    """What a file holds, of which anything else is an OSError."""
    # To ask about a remote file would double the requests.
    return storage.read(path if storage.is_remote(path) else check_file(path))


def read_text(path) -> str:
    """The text of a file in UTF-8, or in what its byte order mark says.

    A FileNotFoundError where nothing is, a ValueError for what is no text.
    """
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        read = error.strerror and f"{path} cannot be read: {error.strerror}"
        raise ValueError(read or str(error)) from error
    return decoded(content, path)


def decoded(content: bytes, name) -> str:
    """Text of a file of that name, as `read_text` gives it."""
    marked = (code for mark, code in _MARKS.items() if content.startswith(mark))
    encoding = next(marked, "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        place = min(error.start, len(content) - 1)
        line = content[:place].count(b"\n") + 1
        raise ValueError(
            f"{name} is not UTF-8 text: line {line} contains the byte "
            f"{content[place]:#04x}. Save it as UTF-8."
        ) from error


def read_json(path):
    """What a JSON file holds; errors as `read_text`."""
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
        f"{path} is not a complete JSON file: {said}. It may be truncated; "
        "copy or export it again."
    )
