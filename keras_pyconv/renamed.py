"""Names that go with a coming version, and what to use instead."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
# The version without them.
GOES = "0.3.0"


def warn(message):
    """Warns whoever called the caller that a name goes."""
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def keywords(**names: str) -> Callable[[Function], Function]:
    """Lets a function take keywords by old names too: `keywords(old="new")`."""

    def decorate(function):
        @functools.wraps(function)
        def called(*args, **kwargs):
            for old in names.keys() & kwargs.keys():
                new = names[old]
                if new in kwargs:
                    raise TypeError(f"`{old}` is the old name of `{new}`.")
                warn(f"`{old}` goes with version {GOES}; use `{new}`.")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return called

    return decorate


def former(module, names):
    """The `__getattr__` of a module that had other names before.

    `names` has for each what to use instead, in words, and what gives it.
    """

    def getattr_of_module(name):
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        instead, get = names[name]
        warn(f"`{module}.{name}` goes with version {GOES}; use {instead}.")
        return get()

    return getattr_of_module
