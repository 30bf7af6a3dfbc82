"""Kinds of arguments: small values that fit, and what must be refused."""

import dataclasses
import fractions
import math
import pathlib
from collections.abc import Callable

import keras
import numpy as np
from hypothesis import strategies as st


@dataclasses.dataclass(frozen=True, repr=False)
class Value:
    """A value under a name, made when a call needs it."""

    name: str
    make: Callable

    def __repr__(self):
        return self.name


def value(item):
    """A value that is not consumed, under its own representation."""
    return Value(" ".join(repr(item).split())[:60], lambda: item)


class Plain:
    """An object that nothing knows."""

    def __repr__(self):
        return "<Plain>"


# What callers pass by mistake; every kind accepts some of it at most.
HOSTILE = [
    *map(value, (None, True, False, 0, 1, 2, 3, -1, 10**12, 2**31, 2**63)),
    *map(value, (-(2**63), 10**400, 1.5, 1e308, -0.5, 2.0, 0.3, 1j)),
    *map(value, (math.nan, math.inf, -math.inf, "", " ", "x", "a/b", "10")),
    *map(value, ("\0", "no/such/file", ".", "é\n", "x" * 5000, b"x", b"")),
    *map(value, ([], (), {}, set(), [1], [None], [[]], (1, 2, 3, 4, 5, 6, 7))),
    *map(value, ((-1, -1), (2**31, 2**31), [1e308], ["x"], ("x", ""), [[1]])),
    *map(value, ({"a": 1}, {1: None}, range(0), ..., int, len, print)),
    *map(value, (fractions.Fraction(1, 3), Plain(), Plain, keras.Model)),
    value(pathlib.Path("missing.png")),
    value(pathlib.Path(".")),
    value(keras.layers.Dense),
    value(np.float32(1.5)),
    value(np.int64(3)),
    value(np.bool_(True)),
    value(np.float64("nan")),
    value(np.zeros(())),
    value(np.array(3)),
    value(np.array([])),
    value(np.array([True, False])),
    value(np.array(["x"])),
    value(np.zeros((2, 3))),
    value(np.zeros((1,) * 9)),
    value(np.array([None, 1])),
    value(np.zeros((0, 4, 4, 3))),
    Value("a generator", lambda: (number for number in (1, 2))),
    Value("a layer", lambda: keras.layers.Dense(2)),
    Value("an empty model", keras.Sequential),
    Value("a Keras tensor", lambda: keras.Input((5,))),
]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Values that fit, and a rule for those of others.

    Attributes:
        values: that fit.
        accepts: whether a call may also take a value of `HOSTILE`.
        wrong: more values that must be refused.
    """

    values: tuple
    accepts: Callable = lambda found: False
    wrong: tuple = ()

    def fitting(self):
        return st.sampled_from(self.values)

    def refused(self):
        return [v for v in HOSTILE if not self.accepts(v.make())] + [
            *self.wrong
        ]


def kind(*items, accepts=lambda found: False, wrong=(), optional=False):
    """A `Kind` of plain items, or of `Value`s.

    Args:
        optional: whether None is accepted too.
    """
    items = (None, *items) if optional else items
    made = [i if isinstance(i, Value) else value(i) for i in items]
    wrong = [i if isinstance(i, Value) else value(i) for i in wrong]

    def rule(found):
        return optional and found is None or bool(accepts(found))

    return Kind(tuple(made), rule, tuple(wrong))


def or_none(of):
    """The kind that takes None too."""
    return dataclasses.replace(
        of,
        values=(value(None), *of.values),
        accepts=lambda found: found is None or of.accepts(found),
    )


def is_whole(found):
    numbers = (int, np.integer)
    return isinstance(found, numbers) and not isinstance(found, bool)


def is_count(found):
    return is_whole(found) and 1 <= found <= 2**20


def is_real(found):
    reals = (int, float, np.integer, np.floating, fractions.Fraction)
    good = isinstance(found, reals) and not isinstance(found, bool)
    return good and (isinstance(found, int) or math.isfinite(found))


def is_flag(found):
    return isinstance(found, (bool, np.bool_))


def is_text(found):
    return isinstance(found, str) and bool(found.strip())


def is_path(found):
    """Of what can be written to."""
    text = isinstance(found, (str, pathlib.Path))
    return text and str(found) not in ("", "\0")


COUNT = kind(1, 2, 3, np.int64(2), accepts=is_count)
WHOLE = kind(0, 1, 5, accepts=lambda v: is_whole(v) and 0 <= v <= 2**20)
FLAG = kind(True, False, np.bool_(True), accepts=is_flag)
RATE = kind(0.0, 0.25, 0, accepts=lambda v: is_real(v) and 0 <= v < 1)
POSITIVE = kind(0.1, 1, 2.5, accepts=lambda v: is_real(v) and v > 0)
NOT_NEGATIVE = kind(0, 0.1, 1, accepts=lambda v: is_real(v) and v >= 0)
NAME = kind(
    "mine", optional=True, accepts=lambda v: is_text(v) and "/" not in v
)
FORMAT = kind("channels_last", "channels_first", optional=True)
ANYTHING = kind(1, accepts=lambda found: True)


def choice(*options, optional=False):
    """One of some texts or numbers."""
    return kind(
        *options,
        optional=optional,
        accepts=lambda v: any(
            v is o or type(v) is type(o) and v == o for o in options
        ),
    )


def array(*shape, dtype="float32", accepts=None, wrong=(), high=1.0):
    """Arrays of one rank; the values vary."""

    def make():
        rng = np.random.default_rng(1)
        return (rng.random(shape) * high).astype(dtype)

    def same_rank(found):
        good = isinstance(found, np.ndarray) and found.dtype.kind in "fiub"
        return good and found.ndim == len(shape)

    name = f"an array of shape {shape}, {dtype}"
    return kind(Value(name, make), accepts=accepts or same_rank, wrong=wrong)
