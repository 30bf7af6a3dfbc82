"""Reads pickles that hold plain containers, numbers, text and known names.

A pickle is a program. This machine has few of its instructions, those that
PyTorch writes; it calls nothing but the functions that it is given, and has
bounds for what a program of any length could still do with those:

- A container that stands in another one can no longer be changed. So nothing
  ever holds itself, how deep it is is known when it is made, and no deeper
  one is made: nobody can be led into a recursion without end.
- Keys of dictionaries are text and numbers. A tuple that holds another one
  twice, and that the next, has 2 ** 60 members where it is hashed.
- Nothing is as long as the file says, only as long as what is there.
"""

import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keras_pyconv.reading import plain

# A checkpoint of 1,000 tensors takes 40,000 steps and 150,000 bytes.
MOST_STEPS = 400_000
MOST_BYTES = 1 << 25
MOST_DEPTH = 64
_LONGEST_NAME = 256
# PyTorch's own number at the beginning of a file has 10 bytes.
_WIDEST_INTEGER = 16
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


class _Node:
    """A value with its depth, and whether another value holds it."""

    __slots__ = ("value", "depth", "held")

    def __init__(self, value, depth=0):
        if depth > MOST_DEPTH:
            raise ValueError(
                f"it holds containers more than {MOST_DEPTH} deep in each other"
            )
        self.value, self.depth, self.held = value, depth, False


def check_key(key):
    """Refuses a key that could take long to hash, or to compare."""
    if type(key) not in _KEYS:
        raise ValueError(
            f"it holds a dictionary with a key of the type {type(key).__name__}"
        )
    if type(key) is int and abs(key) > _LARGEST_KEY:
        raise ValueError("it holds a dictionary with a huge integer as a key")
    return key


class Machine:
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
        self._read, self._names, self._load = read, names, load
        self._left = MOST_BYTES
        self._stack, self._outer, self._memo = [], [], {}

    def run(self):
        """The value of the pickle."""
        for _ in range(MOST_STEPS):
            code = self.take(1)
            if code == pickle.STOP:
                return self.pop().value
            action = _ACTIONS.get(code)
            if action is None:
                raise ValueError(
                    f"it has the pickle instruction {code[0]:#04x}, which "
                    "PyTorch does not write"
                )
            action(self)
        raise ValueError(
            f"its pickle takes more than {MOST_STEPS:,} steps; save "
            "`model.state_dict()` alone"
        )

    def take(self, count):
        """The next bytes of the program."""
        self._left -= count
        if self._left < 0:
            raise ValueError(
                f"its pickle has more than {MOST_BYTES:,} bytes; save "
                "`model.state_dict()` alone"
            )
        return self._read(count)

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self):
        """The bytes up to the end of a line, of no more than a name has."""
        found = bytearray()
        while (byte := self.take(1)) != b"\n":
            found += byte
            if len(found) > _LONGEST_NAME:
                raise ValueError(
                    "it holds a Python name of more than "
                    f"{_LONGEST_NAME} characters"
                )
        return found.decode()

    # The stack -----------------------------------------------------------

    def push(self, value):
        self._stack.append(_Node(value))

    def pop(self):
        if not self._stack:
            raise ValueError("its pickle takes a value where there is none")
        return self._stack.pop()

    def mark(self):
        self._outer.append(self._stack)
        self._stack = []

    def marked(self):
        """The nodes since the last mark."""
        if not self._outer:
            raise ValueError("its pickle asks for a mark where there is none")
        nodes, self._stack = self._stack, self._outer.pop()
        return nodes

    def top(self, kind):
        """The topmost node, into which more may be put."""
        node = self.pop()
        self._stack.append(node)
        if node.held or not isinstance(node.value, (kind, Inert)):
            raise ValueError(
                "its pickle puts more into a finished value, of the type "
                f"{type(node.value).__name__}"
            )
        return node

    def remember(self, index=None):
        node = self.pop()
        self._stack.append(node)
        self._memo[len(self._memo) if index is None else index] = node

    def recall(self, index):
        if index not in self._memo:
            raise ValueError("its pickle recalls a value that was never there")
        self._stack.append(self._memo[index])

    # Containers ----------------------------------------------------------

    def tuple_of(self, nodes):
        depth = 1 + max((node.depth for node in nodes), default=-1)
        made = _Node(tuple([node.value for node in nodes]), depth)
        for node in nodes:
            node.held = True
        self._stack.append(made)

    def _hold(self, owner, nodes):
        deepest = max((node.depth for node in nodes), default=-1)
        # Made anew, so that the bound of the depth is in one place.
        owner.depth = _Node(None, max(owner.depth, 1 + deepest)).depth
        for node in nodes:
            node.held = True
        if owner.held:
            raise ValueError("its pickle puts a value into itself")

    def extend(self, nodes):
        owner = self.top(list)
        self._hold(owner, nodes)
        if owner.value is not INERT:
            owner.value.extend(node.value for node in nodes)

    def update(self, nodes):
        owner = self.top(dict)
        if len(nodes) % 2:
            raise ValueError("its pickle has a key without a value")
        self._hold(owner, nodes)
        if owner.value is INERT:
            return
        for key, node in zip(nodes[::2], nodes[1::2]):
            owner.value[check_key(key.value)] = node.value

    # Names ---------------------------------------------------------------

    def name(self, module, name):
        if not (type(module) is type(name) is str):
            raise ValueError("its pickle has a name that is no text")
        call = self._names.get((module, name))
        if call is None:
            raise UnsafeError(
                f"it holds the Python object {plain(module)}.{plain(name)} "
                "beside tensors, and loading that could run code; save "
                "`model.state_dict()` instead"
            )
        self.push(Name(module, name, call))

    def call(self):
        arguments, function = self.pop(), self.pop().value
        if not isinstance(function, Name) or type(arguments.value) is not tuple:
            raise ValueError("its pickle calls what is no function")
        try:
            value = function.call(*arguments.value)
        except TypeError:
            raise ValueError(
                f"it calls {function.module}.{function.name} with other "
                "values than PyTorch does"
            ) from None
        self._stack.append(_Node(value, arguments.depth))

    def persistent(self):
        node = self.pop()
        if self._load is None or type(node.value) is not tuple:
            raise ValueError("its pickle asks for numbers from elsewhere")
        self.push(self._load(node.value))

    def drop_state(self):
        """What would be set on an object, which here has no attributes."""
        self.pop()
        self.top(dict)


def _integer(machine):
    width = machine.number("<B")
    if width > _WIDEST_INTEGER:
        raise ValueError(f"it holds an integer of {width} bytes")
    content = machine.take(width)
    machine.push(int.from_bytes(content, "little", signed=True))


def _old_text(content):
    """Text of Python 2, which did not tell it from bytes."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _constant(value):
    return lambda machine: machine.push(value)


def _number(form):
    return lambda machine: machine.push(machine.number(form))


def _sized(form, convert):
    """Bytes that stand behind their count."""
    return lambda machine: machine.push(
        convert(machine.take(machine.number(form)))
    )


def _last(count):
    def action(machine):
        nodes = [machine.pop() for _ in range(count)]
        machine.tuple_of(nodes[::-1])

    return action


def _named(machine):
    name, module = machine.pop().value, machine.pop().value
    machine.name(module, name)


def _drop_members(machine):
    machine.marked()
    machine.top(Inert)


def _checked_version(machine):
    if machine.number("<B") > pickle.HIGHEST_PROTOCOL:
        raise ValueError("its pickle is of a later version of Python")


_ACTIONS = {
    pickle.PROTO: _checked_version,
    # Says how many bytes are read ahead, which nobody does here.
    pickle.FRAME: lambda m: m.take(8),
    pickle.MARK: lambda m: m.mark(),
    pickle.NONE: _constant(None),
    pickle.NEWTRUE: _constant(True),
    pickle.NEWFALSE: _constant(False),
    pickle.BININT: _number("<i"),
    pickle.BININT1: _number("<B"),
    pickle.BININT2: _number("<H"),
    pickle.LONG1: _integer,
    pickle.BINFLOAT: _number(">d"),
    pickle.BINUNICODE: _sized("<I", bytes.decode),
    pickle.SHORT_BINUNICODE: _sized("<B", bytes.decode),
    pickle.BINSTRING: _sized("<I", _old_text),
    pickle.SHORT_BINSTRING: _sized("<B", _old_text),
    pickle.BINBYTES: _sized("<I", bytes),
    pickle.SHORT_BINBYTES: _sized("<B", bytes),
    pickle.EMPTY_TUPLE: _last(0),
    pickle.TUPLE1: _last(1),
    pickle.TUPLE2: _last(2),
    pickle.TUPLE3: _last(3),
    pickle.TUPLE: lambda m: m.tuple_of(m.marked()),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.APPEND: lambda m: m.extend([m.pop()]),
    pickle.APPENDS: lambda m: m.extend(m.marked()),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.SETITEM: lambda m: m.update([m.pop(), m.pop()][::-1]),
    pickle.SETITEMS: lambda m: m.update(m.marked()),
    # Nothing that is read is a set.
    pickle.EMPTY_SET: _constant(INERT),
    pickle.ADDITEMS: _drop_members,
    pickle.GLOBAL: lambda m: m.name(m.line(), m.line()),
    pickle.STACK_GLOBAL: _named,
    pickle.REDUCE: lambda m: m.call(),
    pickle.NEWOBJ: lambda m: m.call(),
    pickle.BUILD: lambda m: m.drop_state(),
    pickle.BINPERSID: lambda m: m.persistent(),
    pickle.BINPUT: lambda m: m.remember(m.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.remember(m.number("<I")),
    pickle.MEMOIZE: lambda m: m.remember(),
    pickle.BINGET: lambda m: m.recall(m.number("<B")),
    pickle.LONG_BINGET: lambda m: m.recall(m.number("<I")),
}
