"""The public callables say their types, and a checker holds users to them."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arguments.public import callables

ROOT = Path(__file__).parents[1]

PROGRAM = """
import pathlib

import numpy as np

import keras_pyconv
from keras_pyconv import datasets, export, layers, tasks, training, weights
from keras_pyconv.architectures import Architecture, Level, get_architecture
from keras_pyconv.complexity import Complexity, complexity
from keras_pyconv.typing import ImageLike

def label_of(image: ImageLike) -> str:
    model = keras_pyconv.PyConvResNet50(weights="imagenet", classes=1000)
    return keras_pyconv.classify(model, image, top=3).label

label_of("cat.jpg")
label_of(pathlib.Path("cat.jpg"))
label_of(np.zeros((32, 32, 3)))
label_of(3)  # wrong

row: Architecture = get_architecture("PyConvResNet50")
level = Level(9, 16, "1/4")
count: Complexity = complexity(row, 224)
complexity(row, "224")  # wrong
print(count.parameters + "M")  # wrong

x = keras_pyconv.PyConv(64, kernel_size=(3, 5), groups="auto", strides=2)
keras_pyconv.PyConv("64")  # wrong
keras_pyconv.PyConv(64, padding="full")  # wrong
layers.PointwiseConv2D(8)(np.zeros((1, 4, 4, 3)))

net = keras_pyconv.PyConvResNet18(classes=3, input_shape=(64, 64, 3))
keras_pyconv.PyConvResNet18(classes="3")  # wrong
keras_pyconv.PyConvResNet18(class_count=3)  # wrong
keras_pyconv.PyConvResNet3D50(pooling="mean")  # wrong
keras_pyconv.build_segmenter("PyConvSegNetResNet50", auxiliary=False)
keras_pyconv.SSD("ResNet50", classes=21, input_shape=[300, 300, 3])
keras_pyconv.SSD(classes=[21])  # wrong

photos = datasets.picture_set("photos", "train")
batches = datasets.training_pictures(photos, batch_size=4, seed=1)
datasets.training_pictures("photos", batch_size=4, seed=1)  # wrong
steps: int = batches.steps_per_epoch
with training.Run("runs/a", net, batches, epochs=2) as run:
    net.fit(**run.fit_arguments, callbacks=run.callbacks([]))
training.Run("runs/a", net, batches, epochs="2")  # wrong

def prepare(config: datasets.DigitsInPhotosConfig) -> None:
    datasets.prepare_digits_in_photos(config, data_dir="data")

datasets.prepare_digits_in_photos(7)  # wrong

path: pathlib.Path = export.saved_model(net, "models/a", labels=["a", "b"])
export.saved_model(net, 5)  # wrong
report = export.check(path)
passed: bool = report.passed
export.litert(net, "a.tflite", "int4")  # wrong
arrays: dict[str, int] = weights.read_arrays("a.npz")  # wrong
segmented = keras_pyconv.segment(net, "a.jpg", tasks.segmentation.MULTI_SCALE)
segmented.save("a.json")
segmented.shape()  # wrong
"""


def _unannotated(item):
    signature = inspect.signature(item)
    for name, parameter in signature.parameters.items():
        if (
            name not in ("self", "cls")
            and parameter.annotation is inspect._empty
        ):
            yield name
    if (
        not inspect.isclass(item)
        and signature.return_annotation is inspect._empty
    ):
        yield "return"


def test_every_public_callable_says_its_types():
    found = {
        name: missing
        for name, item in callables().items()
        # Errors have the signature of Python's.
        if not (inspect.isclass(item) and issubclass(item, Exception))
        if (missing := list(_unannotated(item)))
    }
    assert not found


def _properties(kind):
    """Public properties that a class has from the package, by name."""
    for name, value in inspect.getmembers(kind):
        getter = getattr(value, "fget", None)
        ours = getattr(getter, "__module__", "").startswith("keras_pyconv")
        if ours and not name.startswith("_"):
            yield name, getter


def test_every_public_property_says_its_type():
    found = [
        f"{name}.{attribute}"
        for name, item in callables().items()
        if inspect.isclass(item)
        for attribute, getter in _properties(item)
        if "return" not in getter.__annotations__
    ]
    assert not found


def _lines_with_errors(path):
    """Lines at which mypy finds fault, by the settings of setup.cfg."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    errors = re.findall(r"^(\S+):(\d+): error: (.*)", done.stdout, re.M)
    # The path is that of an earlier run where mypy kept what it found.
    names = {Path(file).name for file, _, _ in errors}
    assert names <= {path.name}, done.stdout
    return {int(line): text for _, line, text in errors}


def test_a_checker_takes_right_calls_and_finds_each_wrong_one(tmp_path):
    pytest.importorskip("mypy")
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    wrong = {
        number
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        if line.endswith("# wrong")
    }
    found = _lines_with_errors(path)
    assert len(wrong) > 15 and found.keys() == wrong, found
