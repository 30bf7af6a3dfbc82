"""The law of arguments, and calls that are drawn to try it.

A call works, or is refused in words of ours: a ValueError, TypeError or
OSError, raised by a line of the package and not from deep inside a library,
whose message names the argument and what was received; within a second of the
processor, and 500 MB above the start. What does not fit is refused, and not
passed over in silence.
"""

import contextlib
import dataclasses
import io
import pathlib
import re
import time
import traceback
import types
import warnings

from hypothesis import strategies as st

import keras_pyconv
from keras_pyconv.arguments import plain, shown
from tests.arguments.rows import ROWS

PACKAGE = str(pathlib.Path(keras_pyconv.__file__).parent)
SECONDS = 1.0
BYTES = 500 * 2**20
REFUSALS = (ValueError, TypeError, OSError)


@dataclasses.dataclass(frozen=True, repr=False)
class Call:
    """A public callable, its arguments, and the one that does not fit."""

    name: str
    arguments: dict
    wrong: str | None = None

    def __repr__(self):
        given = ", ".join(f"{n}={v!r}" for n, v in self.arguments.items())
        note = f"  # wrong: {self.wrong}" if self.wrong else ""
        return f"{self.name}({given}){note}"


@st.composite
def calls(draw, rows=None):
    """Calls of public callables, most with one argument that does not fit."""
    rows = ROWS if rows is None else rows
    name = draw(st.sampled_from(sorted(rows)))
    row = rows[name]
    wrongs = [None] * (row.works and 1 + len(row.kinds) // 4)
    wrong = draw(st.sampled_from([*wrongs, *row.drawn]))
    arguments = {}
    for argument, kind in row.kinds.items():
        if argument == wrong:
            arguments[argument] = draw(st.sampled_from(kind.refused()))
        elif argument in row.required or kind.values and draw(st.booleans()):
            arguments[argument] = draw(kind.fitting())
    return Call(name, arguments, wrong)


def _peak(reset=False):
    """The most memory held since the last reset, in bytes."""
    with contextlib.suppress(OSError):
        if reset:
            pathlib.Path("/proc/self/clear_refs").write_text("5")
    with open("/proc/self/status") as file:
        lines = [line for line in file if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) * 1024


def _is_named(value, message):
    """Whether a message says what was received."""
    if isinstance(value, types.GeneratorType):
        return True  # The call has consumed it.
    shape = getattr(value, "shape", None)
    tokens = {shown(value)[:12], repr(value)[:10], str(value)[:10]}
    # Lists and arrays may be told as the tuples that they are taken for.
    tokens |= {repr(plain(value))[:6]}
    if shape is not None:
        tokens |= {type(value).__name__, str(tuple(shape))}
    # Models and layers go by their names.
    tokens |= {getattr(value, "name", None)}
    # Bounds write large numbers with commas; empty values show themselves.
    # Keras keeps a set as its own `TrackedSet`.
    if repr(value)[:20].lower() in message.lower() or any(
        isinstance(token, str) and token and token in message
        for token in tokens
    ):
        return True
    # Of a list an entry may be told, by its place.
    entries = value if isinstance(value, (list, tuple)) else ()
    told = re.search(r"`\w+\[\d+\]`|in row \d+|such as", message)
    return bool(told) and any(_is_named(entry, message) for entry in entries)


def _fault_of(error, call, value):
    """What is wrong with a refusal, or None."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next(f for f in reversed(frames) if "contextlib" not in f.filename)
    place = f"{last.filename.split('site-packages/')[-1]}:{last.lineno}"
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if not isinstance(error, REFUSALS) or not last.filename.startswith(PACKAGE):
        return f"a raw error at {place}: {said}"
    if call.wrong is None:
        return None
    names = ROWS[call.name].called.get(call.wrong, (call.wrong,))
    if not any(name in str(error) for name in names):
        return f"the argument is not named: {said}"
    if not _is_named(value, str(error)):
        return f"the value is not named: {said}"
    return None


def outcome(call):
    """`("works", None)`, `("refused", message)` or `("fault", words)`."""
    row = ROWS[call.name]
    made = {name: value.make() for name, value in call.arguments.items()}
    function = row.function()
    before = _peak(reset=True)
    begin = time.thread_time()
    error = None
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        try:
            row.call(function, made)
        except Exception as raised:
            error = raised
        finally:
            row.undo()
    seconds, more = time.thread_time() - begin, _peak() - before
    if error is None:
        if call.wrong is None:
            return "works", None
        return "fault", "what does not fit was passed over in silence"
    fault = _fault_of(error, call, made.get(call.wrong))
    if fault is None and call.wrong and seconds > SECONDS:
        fault = f"refused after {seconds:.1f} s"
    if fault is None and call.wrong and more > BYTES:
        fault = f"refused after {more >> 20} MB: {error}"
    if fault:
        return "fault", fault
    return "refused", str(error)
