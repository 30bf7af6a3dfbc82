"""The examples in the docstrings of training run as they are printed."""

import doctest
import inspect
import re

import pytest

from keras_pyconv import training
from tests.datasets import mask_folders, pictures


def _documented():
    """Every public object of training and its public methods, by name."""
    for name in training.__all__:
        thing = getattr(training, name)
        yield name, thing
        for inner, method in (
            vars(thing).items() if inspect.isclass(thing) else ()
        ):
            if not inner.startswith("_") and callable(method):
                yield f"{name}.{inner}", method


def _examples(thing):
    """The blocks of code, and the lines with a prompt and their answers."""
    text = inspect.getdoc(thing) or ""
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    return blocks, doctest.DocTestParser().get_examples(text)


WITH_EXAMPLE = {
    name: thing for name, thing in _documented() if any(_examples(thing))
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the examples read: `photos` with classes, `masks` as ADE20K's."""
    pictures.write_folder(tmp_path / "photos", train=2, val=2)
    mask_folders.write(tmp_path / "masks", "training")
    mask_folders.write(tmp_path / "masks", "validation")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_the_example_runs(name, folder):
    blocks, prompts = _examples(WITH_EXAMPLE[name])
    for block in blocks:
        exec(compile(block, f"example of {name}", "exec"), {})
    lines = doctest.DocTest(prompts, {}, name, None, None, None)
    assert doctest.DocTestRunner().run(lines).failed == 0


def test_the_entrance_to_training_has_an_example():
    assert "Run" in WITH_EXAMPLE
