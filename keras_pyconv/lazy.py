"""TensorFlow, imported when it is first used: other backends load none."""

import importlib
from typing import TYPE_CHECKING

__all__ = ["tf"]


class _Lazy:
    def __getattr__(self, name):
        return getattr(importlib.import_module("tensorflow"), name)


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _Lazy()
