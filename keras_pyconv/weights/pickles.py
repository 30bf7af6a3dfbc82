"""Reads pickles that hold plain containers, numbers, text and known names.

A pickle is a program. Of instructions only those are allowed that PyTorch
writes, and Python's own machine, in its form in Python, runs them; what would
name, make or change objects is replaced. Keys of dictionaries are text and
numbers: to hash tuples in tuples can take 2 ** 60 steps. What comes out may
hold itself, and be deep.
"""

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keras_pyconv.reading import one_line, plain

# A checkpoint of 1,000 tensors takes 40,000 steps and 150,000 bytes.
MAX_STEPS = 400_000
MAX_BYTES = 1 << 25
# Integers below it all have different hashes.
_LARGEST_KEY = 2**60
_KEYS = (str, int, float, bool, bytes, type(None))


class UnsafeError(ValueError):
    """A file that names something other than tensors and plain containers."""


class Inert:
    """Takes the place of what nobody here reads."""

    def __repr__(self):
        return "<left unread>"


INERT = Inert()


def inert(*_):
    """Takes the place of a function whose result nobody reads."""
    return INERT


@dataclass(frozen=True)
class Name:
    """A Python object that a pickle names, and what is called for it."""

    module: str
    name: str
    call: Callable


def check_key(key):
    """Refuses a key that could take long to hash, or to compare."""
    if type(key) not in _KEYS:
        raise ValueError(
            f"it holds a dictionary with a key of the type {type(key).__name__}"
        )
    if type(key) is int and abs(key) > _LARGEST_KEY:
        raise ValueError("it holds a dictionary with a huge integer as a key")
    return key


class _Machine(pickle._Unpickler):
    """Runs one pickle, whose instructions are known."""

    def __init__(self, file, names, load):
        super().__init__(file)
        self._names, self._load = names, load

    def find_class(self, module, name):
        call = self._names.get((module, name))
        if call is None:
            raise UnsafeError(
                f"it holds the Python object {plain(module)}.{plain(name)} "
                "beside tensors, and loading that could run code; save "
                "`model.state_dict()` instead"
            )
        return Name(module, name, call)

    def persistent_load(self, pid):
        if self._load is None or type(pid) is not tuple:
            raise ValueError("its pickle asks for numbers from elsewhere")
        return self._load(pid)

    def _decode_string(self, content):
        """Text of Python 2, which does not distinguish it from bytes."""
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content

    def _top(self, kind):
        """The topmost value, to which something is added."""
        value = self.stack[-1]
        if not isinstance(value, (kind, Inert)):
            raise ValueError(
                "its pickle puts more into a value of the type "
                f"{type(value).__name__}"
            )
        return value

    def _call(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or type(arguments) is not tuple:
            raise ValueError("its pickle calls what is no function")
        try:
            self.append(function.call(*arguments))
        except TypeError:
            raise ValueError(
                f"it calls {function.module}.{function.name} with other "
                "values than PyTorch does"
            ) from None

    def _extend(self, items):
        owner = self._top(list)
        if owner is not INERT:
            owner.extend(items)

    def _update(self, items):
        owner = self._top(dict)
        if len(items) % 2:
            raise ValueError("its pickle has a key without a value")
        if owner is not INERT:
            for key, value in zip(items[::2], items[1::2]):
                owner[check_key(key)] = value

    def _drop_state(self):
        """Drops the state of an object: here none has attributes."""
        self.stack.pop()
        self._top(dict)

    def _drop_members(self):
        self.pop_mark()
        self._top(Inert)

    dispatch = {
        **pickle._Unpickler.dispatch,
        pickle.APPEND[0]: lambda m: m._extend([m.stack.pop()]),
        pickle.APPENDS[0]: lambda m: m._extend(m.pop_mark()),
        pickle.SETITEM[0]: lambda m: m._update(
            [m.stack.pop(), m.stack.pop()][::-1]
        ),
        pickle.SETITEMS[0]: lambda m: m._update(m.pop_mark()),
        # Nothing that is read is a set.
        pickle.EMPTY_SET[0]: lambda m: m.append(INERT),
        pickle.ADDITEMS[0]: _drop_members,
        pickle.REDUCE[0]: _call,
        pickle.NEWOBJ[0]: _call,
        pickle.BUILD[0]: _drop_state,
    }


# Those of Python's own, and those that are replaced.
_KNOWN = set(
    """PROTO FRAME MARK STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1
    BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE SHORT_BINUNICODE BINBYTES
    SHORT_BINBYTES EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 TUPLE EMPTY_LIST APPEND
    APPENDS EMPTY_DICT SETITEM SETITEMS EMPTY_SET ADDITEMS GLOBAL STACK_GLOBAL
    BINPERSID REDUCE NEWOBJ BUILD BINPUT LONG_BINPUT MEMOIZE BINGET
    LONG_BINGET""".split()
)


def _check_instructions(file):
    """Refuses a pickle that is long, or does what PyTorch's do not."""
    for step, (code, _, _) in enumerate(pickletools.genops(file)):
        if code.name not in _KNOWN:
            raise ValueError(
                f"it has the pickle instruction {code.name}, which PyTorch "
                "does not write"
            )
        if step >= MAX_STEPS:
            raise ValueError(
                f"its pickle takes more than {MAX_STEPS:,} steps; save "
                "`model.state_dict()` alone"
            )


def unpickle(
    file: io.BytesIO,
    names: Mapping[tuple[str, str], Callable],
    load: Callable | None = None,
):
    """The value of the pickle that begins where the file stands.

    `names` are functions of plain values by `(module, name)`; any other name
    ends the reading. `load` takes a persistent id, a tuple; None for no ids. A
    ValueError of one line says that it is none, or unsafe.
    """
    begin = file.tell()
    try:
        _check_instructions(file)
    except ValueError as error:
        if file.read(1):
            raise
        raise ValueError(
            f"it is cut short, or its pickle has more than {MAX_BYTES:,} bytes"
        ) from error
    file.seek(begin)
    try:
        return _Machine(file, names, load).load()
    except (ValueError, MemoryError):
        raise
    # Of a value that is not there, or of another kind than is needed.
    except Exception as error:
        raise ValueError(f"its pickle is damaged: {one_line(error)}") from None
