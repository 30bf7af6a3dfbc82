"""Files that are whole or not there: written beside, then renamed."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def replacing(path):
    """A path beside `path`, which takes its place when the block ends well.

    Otherwise it is removed, and what stood at `path` stays. What was written is
    on the disk before it is renamed, so a loss of power leaves one of the two.

    Args:
        path: of a file; its folder is made where it is missing.

    Raises:
        IsADirectoryError: `path` is a folder.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder; give the name of a file in it."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Some writers ask the ending for the format.
    beside = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(path, content):
    """Writes text or bytes to `path`, whole or not at all."""
    if isinstance(content, str):
        content = content.encode()
    with replacing(path) as beside:
        beside.write_bytes(content)


def renewed(path, markers, text):
    """The text of a page with `text` between its two markers.

    Args:
        path: of the page.
        markers: the lines before and behind, as they stand in it.
        text: what is to stand between them, with an empty line on both sides.

    Raises:
        ValueError: the page does not hold both, in order.
    """
    page = pathlib.Path(path).read_text(encoding="utf-8")
    begin, end = markers
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise ValueError(f"{path} must hold the markers {begin!r} and {end!r}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
