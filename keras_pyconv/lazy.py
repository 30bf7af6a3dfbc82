"""What is imported when it is used: TensorFlow, and what an extra installs.

So other backends load no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING

__all__ = ["needed", "tf"]


class _Lazy:
    def __getattr__(self, name):
        return getattr(importlib.import_module("tensorflow"), name)


def needed(module, by, name, package=None):
    """A module that not everybody has, or an error that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{by} needs {name}, which is not installed: pip install "
            f"{package or name.lower()}"
        ) from error


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _Lazy()
