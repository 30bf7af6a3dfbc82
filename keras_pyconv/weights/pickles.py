"""Reads pickles that hold plain containers, numbers, text and known names.

A pickle is a program. Python's own machine for them runs it here, in its form
that is written in Python, with a few of its instructions, those that PyTorch
writes. What would name, make or change objects is replaced: nothing is called
but the functions that are given. And there are bounds for what a program of any
length could still do with those:

- Keys of dictionaries are text and numbers. A tuple that holds another one
  twice, and that the next, has 2 ** 60 members where it is hashed.
- What comes out holds itself nowhere, and is not deep, so that nobody can be
  led into a recursion without end.
- Nothing is as long as the file says, only as long as what is there.
"""

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keras_pyconv.reading import one_line, plain

# A checkpoint of 1,000 tensors takes 40,000 steps and 150,000 bytes.
MAX_STEPS = 400_000
MAX_BYTES = 1 << 25
MAX_DEPTH = 64
_LONGEST_NAME = 256
# Integers below it all have different hashes.
_LARGEST_KEY = 2**60
_KEYS = (str, int, float, bool, bytes, type(None))


class UnsafeError(ValueError):
    """A file that names something other than tensors and plain containers."""


class Inert:
    """Stands for what a file may hold and nobody here reads."""

    def __repr__(self):
        return "<left unread>"


INERT = Inert()


def inert(*_):
    """In the place of a function whose result nobody reads."""
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


def _height(value, heights, above=0):
    """How many containers stand in each other at most; few, or refused."""
    if not isinstance(value, (tuple, list, dict)):
        return 0
    if id(value) not in heights:
        # What holds itself is as high as can be.
        heights[id(value)] = MAX_DEPTH + 1
        parts = value.values() if isinstance(value, dict) else value
        if above <= MAX_DEPTH:
            inner = (_height(part, heights, above + 1) for part in parts)
            heights[id(value)] = 1 + max(inner, default=-1)
    if above + heights[id(value)] > MAX_DEPTH:
        raise ValueError(
            f"it holds containers more than {MAX_DEPTH} deep in each other"
        )
    return heights[id(value)]


class _Program:
    """The bytes of a pickle, as a file that has an end."""

    def __init__(self, read):
        self._read, self._left = read, MAX_BYTES

    def read(self, count):
        self._left -= count
        if self._left < 0:
            raise ValueError(
                f"its pickle has more than {MAX_BYTES:,} bytes; save "
                "`model.state_dict()` alone"
            )
        return self._read(count)

    def readline(self):
        """A line, of no more than a name has."""
        found = bytearray()
        while not found.endswith(b"\n"):
            found += self.read(1)
            if len(found) > _LONGEST_NAME:
                raise ValueError(
                    "it holds a Python name of more than "
                    f"{_LONGEST_NAME} characters"
                )
        return bytes(found)


class _Instructions(dict):
    """What each instruction does; there is a number of steps to take."""

    left = MAX_STEPS

    def __getitem__(self, code):
        self.left -= 1
        if self.left < 0:
            raise ValueError(
                f"its pickle takes more than {MAX_STEPS:,} steps; save "
                "`model.state_dict()` alone"
            )
        return super().__getitem__(code)

    def __missing__(self, code):
        raise ValueError(
            f"it has the pickle instruction {code:#04x}, which PyTorch does "
            "not write"
        )


class Machine(pickle._Unpickler):
    """Runs one pickle.

    Args:
        read: Function from a count to so many bytes, which raises EOFError
            where there are fewer.
        names: From `(module, name)` to functions of plain values; any other
            name ends the reading.
        load: Function of a persistent id, a tuple; by default there are none.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        names: Mapping[tuple[str, str], Callable],
        load: Callable | None = None,
    ):
        super().__init__(_Program(read))
        self._names, self._load = names, load
        self.dispatch = _Instructions(_INSTRUCTIONS)

    def run(self):
        """The value of the pickle.

        Raises:
            EOFError: it is cut short.
            ValueError: it is none, or unsafe; the message has one line.
        """
        try:
            value = self.load()
        except (EOFError, ValueError, MemoryError):
            raise
        # Of a value that is not there, or of another kind than is needed.
        except Exception as error:
            raise ValueError(
                f"its pickle is damaged: {one_line(error)}"
            ) from None
        _height(value, {})
        return value

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
        """Text of Python 2, which did not tell it from bytes."""
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content

    def _top(self, kind):
        """The topmost value, into which more is put."""
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

    def _text(self, form):
        (count,) = struct.unpack(form, self.read(struct.calcsize(form)))
        self.append(self.read(count).decode())

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
        """What would be set on an object, which here has no attributes."""
        self.stack.pop()
        self._top(dict)

    def _drop_members(self):
        self.pop_mark()
        self._top(Inert)


# Python's own.
_KEPT = (
    *("PROTO", "MARK", "STOP", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
    *("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"),
    *("EMPTY_LIST", "EMPTY_DICT", "GLOBAL", "STACK_GLOBAL", "BINPERSID"),
    *("BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET"),
)
_OWN = {
    # Says how many bytes are read ahead, which nobody does here.
    pickle.FRAME: lambda m: m.read(8),
    pickle.BINUNICODE: lambda m: m._text("<I"),
    pickle.SHORT_BINUNICODE: lambda m: m._text("<B"),
    pickle.APPEND: lambda m: m._extend([m.stack.pop()]),
    pickle.APPENDS: lambda m: m._extend(m.pop_mark()),
    pickle.SETITEM: lambda m: m._update([m.stack.pop(), m.stack.pop()][::-1]),
    pickle.SETITEMS: lambda m: m._update(m.pop_mark()),
    # Nothing that is read is a set.
    pickle.EMPTY_SET: lambda m: m.append(INERT),
    pickle.ADDITEMS: Machine._drop_members,
    pickle.REDUCE: Machine._call,
    pickle.NEWOBJ: Machine._call,
    pickle.BUILD: Machine._drop_state,
}
_INSTRUCTIONS = {
    **{code[0]: action for code, action in _OWN.items()},
    **{
        code[0]: pickle._Unpickler.dispatch[code[0]]
        for code in (getattr(pickle, name) for name in _KEPT)
    },
}
