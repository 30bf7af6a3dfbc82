"""The examples in docstrings give the answers that are printed there.

Those of networks, tasks and exports read files of the reader's own; those of
training have a test beside its other ones.
"""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest

import keras_pyconv

ROOMS = ("complexity", "layers", "networks", "ops")
NAMES = {"keras": keras, "keras_pyconv": keras_pyconv, "np": np}


def _examples():
    for room in ROOMS:
        package = importlib.import_module(f"keras_pyconv.{room}")
        for found in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{found.name}"
            module = importlib.import_module(name)
            for one in doctest.DocTestFinder().find(module, extraglobs=NAMES):
                if one.examples:
                    yield pytest.param(one, id=one.name)


@pytest.mark.parametrize("example", [*_examples()])
def test_the_example_gives_what_is_printed(example):
    assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
