"""TensorFlow, imported when it is first used.

The package runs on other backends of Keras too, and there loads none of it.
"""

import importlib


class _Lazy:
    def __getattr__(self, name):
        return getattr(importlib.import_module("tensorflow"), name)


tf = _Lazy()
