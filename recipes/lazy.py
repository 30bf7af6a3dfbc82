"""Packages that load when they are first used, so that `--help` is quick."""

import importlib


class _Lazy:
    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        return getattr(importlib.import_module(self._name), name)


keras, np, tf = map(_Lazy, ("keras", "numpy", "tensorflow"))
keras_pyconv = _Lazy("keras_pyconv")
datasets = _Lazy("keras_pyconv.datasets")
export = _Lazy("keras_pyconv.export")
figures = _Lazy("keras_pyconv.figures")
tasks = _Lazy("keras_pyconv.tasks")
training = _Lazy("keras_pyconv.training")
writing = _Lazy("keras_pyconv.writing")
