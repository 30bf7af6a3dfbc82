"""Processes that decode videos, so that no file can harm the run.

A codec that crashes on a file takes its process along and nothing else; one
that hangs is stopped after a while. Either counts as a reason why the file
cannot be read, and another process takes its place.

The fact a reader would get wrong: these are no `multiprocessing` workers,
which would import TensorFlow, half a gigabyte each, or fork it, which breaks.
"""

import contextlib
import os
import pickle
import queue
import select
import subprocess
import sys
import weakref

from keras_pyconv.tasks.video import files

TIMEOUT_SECONDS = 120.0  # without an answer
# Makes the packages importable without what their __init__ would import.
_CHILD = """
import os, pathlib, sys, types
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what a library prints must not reach the answers
folder = pathlib.Path(sys.argv[1])
for name, path in (
    ("keras_pyconv", folder.parents[1]),
    ("keras_pyconv.tasks", folder.parent),
    ("keras_pyconv.tasks.video", folder),
):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(path)]
from keras_pyconv.tasks.video import decoding
decoding.end_with(int(sys.argv[2]))
decoding.serve(sys.stdin.buffer, answers)
"""


def _start():
    return subprocess.Popen(
        # -P: what lies in the working directory must not hide modules.
        [
            *(sys.executable, "-P", "-c", _CHILD),
            *(os.path.dirname(__file__), str(os.getpid())),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _stop(process):
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def _stop_all(alive):
    for process in list(alive):
        _stop(process)
    alive.clear()


class Decoders:
    """A number of decoding processes; threads may share it.

    Started when first asked, and stopped when the object is gone.

    Args:
        processes: how many; None for the number of processors.
        timeout: seconds that one file may take.
    """

    def __init__(self, processes=None, timeout=TIMEOUT_SECONDS):
        if processes is not None and processes < 1:
            raise ValueError(
                f"`processes` must be positive. Received: {processes}"
            )
        self.processes = processes or os.cpu_count() or 1
        self.timeout = timeout
        self._alive = set()
        self._idle = queue.SimpleQueue()
        for _ in range(self.processes):
            self._idle.put(None)
        self._finalizer = weakref.finalize(self, _stop_all, self._alive)

    def __call__(self, task, path, **arguments):
        """What `decoding`'s function of that name makes of a file.

        Returns:
            Its array, or None, and its notes.

        Raises:
            files.UnreadableVideo: if the file cannot be read.
            ImportError: if PyAV is not installed.
        """
        process = self._idle.get()
        try:
            if process is None or process.poll() is not None:
                process = self._started(process)
            array, notes = self._ask(process, (task, path, arguments))
        except BaseException:
            # It may be in the middle of an answer.
            self._end(process)
            process = None
            raise
        finally:
            self._idle.put(process)
        if isinstance(notes, str):
            raise files.UnreadableVideo(notes)
        return array, notes

    def close(self):
        """Stops the processes; the next call starts others."""
        _stop_all(self._alive)

    def _started(self, ended):
        self._end(ended)
        # Where PyAV is missing, the user hears of it and not the process.
        files.require_av()
        process = _start()
        self._alive.add(process)
        return process

    def _end(self, process):
        if process is not None:
            self._alive.discard(process)
            _stop(process)

    def _ask(self, process, request):
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(request, process.stdin, protocol=5)
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self.timeout)
        if not ready:
            raise files.UnreadableVideo(
                f"decoding took more than {self.timeout:.0f} seconds"
            )
        try:
            return pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            raise files.UnreadableVideo("the decoder crashed") from None
