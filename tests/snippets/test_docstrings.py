"""The examples in docstrings run, and give the answers printed there."""

import doctest
import importlib

import keras
import numpy as np
import pytest

import keras_pyconv
from tests.snippets import found, running, scenes
from tests.snippets.scenes import DOCSTRINGS, Scene

SAME = "import keras, keras_pyconv, numpy as np\n"
NAMES = {"keras": keras, "keras_pyconv": keras_pyconv, "np": np}
RUN = [
    pytest.param(name, marks=DOCSTRINGS.get(name, Scene()).mark or ())
    for name in found.DOCSTRINGS
]


class Checker(doctest.OutputChecker):
    """An answer that is not printed may be any."""

    def check_output(self, want, got, flags):
        return not want or super().check_output(want, got, flags)


@pytest.mark.parametrize("name", RUN)
def test_an_example_runs(name, tmp_path, monkeypatch):
    scene, one = DOCSTRINGS.get(name, Scene()), found.DOCSTRINGS[name]
    scenes.set_up(scene, tmp_path, monkeypatch)
    if scene.alone:
        code = "".join(line.source for line in one.lines)
        printed = running.alone(f"{SAME}{scene.before}{code}", tmp_path)
        assert printed == "".join(line.want for line in one.lines)
        return
    names = {**vars(importlib.import_module(one.module)), **NAMES}
    exec(scene.before, names)
    for block in found.blocks(one.text):
        exec(compile(block.text, name, "exec"), names)
    example = doctest.DocTestParser().get_doctest(
        one.text, names, name, one.module, one.line
    )
    runner = doctest.DocTestRunner(Checker())
    assert runner.run(example, clear_globs=False).failed == 0
    scenes.check_files(scene, tmp_path)


def test_what_has_a_scene_is_a_docstring():
    assert {*DOCSTRINGS} <= {*found.DOCSTRINGS}
