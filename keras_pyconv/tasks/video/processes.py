"""Processes that decode videos, so that no crash or hanging harms the run."""

import os
import queue
from typing import Any

from keras_pyconv import arguments
from keras_pyconv.children import Child, ChildEnded
from keras_pyconv.tasks.video import files
from keras_pyconv.tasks.video.decoding import TASKS
from keras_pyconv.typing import Array, PathLike

TIMEOUT_SECONDS = 120.0  # without an answer
_FUNCTION = "keras_pyconv.tasks.video.decoding:decode"


class Decoders:
    """A number of decoding processes; threads may share it.

    Started when first asked, and stopped when the object is gone.

    Args:
        processes: how many; None for the number of processors.
        timeout: seconds that one file may take.
    """

    def __init__(
        self, processes: int | None = None, timeout: float = TIMEOUT_SECONDS
    ):
        arguments.integer("processes", processes, at_most=1024, optional=True)
        arguments.number("timeout", timeout, above=0)
        self.processes = processes or os.cpu_count() or 1
        self.timeout = timeout
        self._alive = set()
        self._idle = queue.SimpleQueue()
        for _ in range(self.processes):
            self._idle.put(None)

    def __call__(
        self, task: str, path: PathLike, **options: Any
    ) -> tuple[Array, tuple[str, ...]]:
        """What the function of `decoding` makes of a file: array and notes.

        Raises:
            UnreadableVideo: if the file cannot be read.
            ImportError: if PyAV is not installed.
        """
        arguments.one_of("task", task, TASKS)
        path = os.fspath(arguments.path("path", path))
        process = self._idle.get()
        try:
            if process is None or not process.is_alive():
                process = self._started(process)
            array, notes = self._ask(process, task, path, options)
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

    def close(self) -> None:
        """Stops the processes; the next call starts others."""
        for process in list(self._alive):
            self._end(process)

    def _started(self, ended):
        self._end(ended)
        # Where PyAV is missing, the user hears of it and not the process.
        files.require_av()
        process = Child(_FUNCTION, bare=True, keep_output=False)
        self._alive.add(process)
        return process

    def _end(self, process):
        if process is not None:
            self._alive.discard(process)
            process.stop()

    def _ask(self, process, *request):
        try:
            return process.ask(*request, timeout=self.timeout)
        except TimeoutError:
            raise files.UnreadableVideo(
                f"decoding took more than {self.timeout:.0f} seconds"
            ) from None
        except ChildEnded:
            raise files.UnreadableVideo("the decoder crashed") from None
