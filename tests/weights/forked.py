"""A call in a process of its own, with bounds of memory and time.

So that a test sees what a file does to a process: an answer, an error, a
crash, or no end. It works where processes fork and memory can be bounded.
"""

import os
import pickle
import resource
import signal
import sys
import warnings

import pytest

SECONDS = 20
MEMORY = 1 << 29

here = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes do not fork here"
)


def _bounded(seconds, memory):
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Ends the process, also where Python has no turn.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)


def _answer(call):
    try:
        return "returned", call()
    except BaseException as error:
        return "raised", type(error).__name__, str(error)


def outcome(call, seconds=SECONDS, memory=MEMORY):
    """How a call ends.

    Args:
        call: Function without arguments; what it returns can be pickled.
        seconds: that it may take.
        memory: bytes that it may need beyond what there is.

    Returns:
        `("returned", value)`, `("raised", name, message)` or
        `("died", name of the signal)`.
    """
    source, sink = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of other threads, which the child does not need.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.close(source)
            _bounded(seconds, memory)
            with os.fdopen(sink, "wb") as file:
                pickle.dump(_answer(call), file)
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        content = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "died", signal.Signals(os.WTERMSIG(status)).name
    return pickle.loads(content) if content else ("died", "without a word")
