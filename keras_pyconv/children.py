"""Functions of a package that are asked in processes of their own.

Workers of `multiprocessing` import the caller's main module, and TensorFlow
with it, or fork a process with threads, which breaks. This file is the program
of such a process: it needs Python alone.
"""

import importlib
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import types
import weakref
from multiprocessing.connection import Connection, Pipe

# What TensorFlow logs on the error stream, whether or not it goes well.
_LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\d |[IWEF]\d{4} |WARNING: All log|To enable the following"
)

_LOOK_SECONDS = 1.0


class ChildEnded(Exception):
    """A process ended without an answer; `output` is all that it printed."""

    def __init__(self, code, output):
        self.output = output
        lines = [line for line in output.splitlines() if line.strip()]
        telling = [line for line in lines if not _LOG_LINE.match(line)]
        last = (telling or lines or [f"exit status {code}"])[-1].strip()
        signal = f"ended by signal {-code}{' (out of memory?)' * (code == -9)}"
        super().__init__(signal if code < 0 else last)


class Child:
    """A process that answers requests with one function, in their order.

    An error in `"package.module:function"` ends it; so does the end of the
    `with` block, of the object, or of the caller. `environment` are variables
    that differ, None for one that is to be missing. A `bare` module is imported
    without the packages above it.
    """

    def __init__(
        self, function, environment=None, bare=False, keep_output=True
    ):
        environment = {**os.environ, **(environment or {})}
        kept = tempfile.TemporaryFile() if keep_output else None
        self._output = kept or open(os.devnull, "r+b")
        self._connection, theirs = Pipe()
        # -P: what lies in the working directory must not hide modules.
        command = [sys.executable, "-P", __file__, _root(function), function]
        command += [str(theirs.fileno()), str(os.getpid()), *["bare"] * bare]
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env={k: v for k, v in environment.items() if v is not None},
            )
        opened = self._connection, self._output
        self._end = weakref.finalize(self, _stop, self._process, opened)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def is_alive(self):
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, *arguments, **named):
        """Asks, without waiting for the answer."""
        try:
            self._connection.send((arguments, named))
        except OSError:
            pass  # The process has ended, and `receive` says how.

    def receive(self, timeout=None):
        """The next answer; raises `ChildEnded`, or TimeoutError and stops."""
        try:
            if self._connection.poll(timeout):
                return self._connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        self.stop()
        raise TimeoutError(f"> {timeout:.0f} s")

    def ask(self, *arguments, timeout=None, **named):
        """What the function answers; errors as for `receive`."""
        self.send(*arguments, **named)
        return self.receive(timeout)

    def stop(self):
        """Ends the process, whatever it is doing."""
        self._end()

    def _ended(self):
        code, output = self._process.wait(), b""
        if not self._output.closed:
            self._output.seek(0)
            output = self._output.read()
        return ChildEnded(code, output.decode(errors="replace"))


def _stop(process, opened):
    process.kill()
    process.wait()
    for file in opened:
        file.close()


def call(function, *arguments, environment=None, timeout=None):
    """What a function gives in a process of its own; see `Child`."""
    with Child(function, environment) as child:
        return child.ask(*arguments, timeout=timeout)


def _root(function):
    """The folder that holds the package of a function."""
    package = re.split("[.:]", function)[0]
    spec = importlib.util.find_spec(package)
    return str(pathlib.Path(spec.submodule_search_locations[0]).parent)


def _without_packages(root, module):
    """Puts empty packages in the place of those that a module stands in."""
    names = module.split(".")[:-1]
    for depth in range(1, len(names) + 1):
        package = types.ModuleType(".".join(names[:depth]))
        package.__path__ = [os.path.join(root, *names[:depth])]
        sys.modules[package.__name__] = package


def _end_with(parent):
    """Ends this process with the one that started it, also while it answers."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _main(root, function, number, parent, bare=""):
    watch = threading.Thread(target=_end_with, args=[int(parent)], daemon=True)
    watch.start()
    os.set_inheritable(int(number), False)
    connection = Connection(int(number))
    module, _, name = function.partition(":")
    if bare:
        _without_packages(root, module)
    elif root not in sys.path:
        sys.path.insert(0, root)
    function = getattr(importlib.import_module(module), name)
    while True:
        try:
            arguments, named = connection.recv()
        except EOFError:
            return
        connection.send(function(*arguments, **named))


if __name__ == "__main__":
    _main(*sys.argv[1:])
