"""What libraries write beneath Python: into a file, away from what is ours.

TensorFlow logs to file descriptor 2 and offers no other place. Python's
own `sys.stderr`, with mistakes, tracebacks and progress, stays on the screen.
"""

import atexit
import contextlib
import faulthandler
import importlib
import logging
import os
import pathlib
import sys
import tempfile

LOG = "tensorflow.log"  # in the folder of a run
_files = []  # the one that descriptor 2 leads to


def divert():
    """Leads descriptor 2 into a file, which goes when the process ends well.

    An error that is not the user's leaves the file, and names it.
    """
    try:
        screen = os.dup(2)
    except OSError:  # It has none.
        return
    number, path = tempfile.mkstemp(".log", "keras-pyconv-")
    old = sys.stderr
    old.flush()
    sys.stderr = open(
        screen, "w", buffering=1, encoding=old.encoding, errors=old.errors
    )
    faulthandler.enable(sys.stderr)
    os.dup2(number, 2)
    os.close(number)
    _files.append(path)
    atexit.register(_end)
    # Absl has a class of its own for its logger, which it makes when imported.
    importlib.import_module("absl.logging")
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).addFilter(_is_for_the_user)


def _is_for_the_user(record):
    """Whether a record is an error; others go where descriptor 2 leads."""
    if record.levelno < logging.ERROR:
        os.write(2, f"{record.getMessage()}\n".encode())
    return record.levelno >= logging.ERROR


def keep_in(folder):
    """Where it was diverted, goes on in the folder of a run, and says so."""
    if not _files:
        return
    path, before = pathlib.Path(folder, LOG), pathlib.Path(_files.pop())
    with open(path, "ab") as file:
        file.write(before.read_bytes())
        file.flush()
        os.dup2(file.fileno(), 2)
    before.unlink()
    print(f"TensorFlow's log: {path}", flush=True)


@contextlib.contextmanager
def without_gradients():
    """Leaves out a line a function, that a graph's gradients are not loaded."""

    def tells_more(record):
        return "unsaved custom gradients" not in str(record.msg)

    log = logging.getLogger("absl")
    log.addFilter(tells_more)
    try:
        yield
    finally:
        log.removeFilter(tells_more)


def _end():
    for path in _files:
        # The interpreter sets it where an error ends the process.
        if getattr(sys, "last_value", None) is None:
            os.unlink(path)
        else:
            print(f"What TensorFlow logged is in {path}", file=sys.stderr)
