"""The page on weights says what the code says, and its examples run."""

import pathlib
import re

import numpy as np
import pytest

from keras_pyconv.tables import pages
from keras_pyconv.weights import files, torch_names, torch_shapes
from tests.reference import rule

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "weights.md"


def test_the_table_of_the_page_is_the_catalogue():
    assert pages.current(PAGE) == PAGE.read_text(), "run `make tables`"


def _shapes(model):
    names, shapes = torch_names(model), {}
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            shape = (shape[-1], shape[-2], *shape[:-2])
        if variable.path in names:
            shapes[names[variable.path]] = shape
    return shapes


@pytest.mark.slow
def test_the_examples_of_the_page_run(cache, tmp_path, monkeypatch, capsys):
    from PIL import Image

    import keras_pyconv

    segmenter = keras_pyconv.PyConvSegNet("PyConvResNet50")
    shapes = {
        "pyconvresnet50_imagenet": torch_shapes("PyConvResNet50"),
        "pyconvresnet50_imagenet_cutmix": torch_shapes("PyConvResNet50"),
        "pyconvsegnetpyconvresnet50_ade20k": _shapes(segmenter),
    }
    for name, one in shapes.items():
        files.write_arrays(cache / f"{name}.npz", rule.weights(one))
    names = [(f"n{i:08}", f"thing {i}") for i in range(1000)]
    monkeypatch.setattr(
        keras_pyconv.tasks.classification,
        "imagenet_names",
        lambda: names,
    )
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((300, 200, 3), "uint8")).save("dog.jpg")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), {})
    assert "thing" in capsys.readouterr().out
