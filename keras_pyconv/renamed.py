"""Names that go with the next version, and what to use instead."""

import warnings


def former(module, names):
    """The `__getattr__` of a module that had other names before.

    Args:
        module: its `__name__`.
        names: from a former name to what to use instead, in words, and a
            function without arguments that gives what it stood for.
    """

    def getattr_of_module(name):
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        instead, get = names[name]
        warnings.warn(
            f"`{module}.{name}` goes with the next version; use {instead}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return get()

    return getattr_of_module
