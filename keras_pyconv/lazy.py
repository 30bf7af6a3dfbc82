"""TensorFlow, imported when it is first used: other backends load none."""

import importlib


class _Lazy:
    def __getattr__(self, name):
        return getattr(importlib.import_module("tensorflow"), name)


tf = _Lazy()
