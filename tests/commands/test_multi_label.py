"""A model of several labels names every class from a score on, or none."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_pyconv
from keras_pyconv import commands, export
from keras_pyconv.commands import answering

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def model():
    """Scores of how much of each colour there is; half is the middle."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 25.5, -5.0)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    scores = keras.layers.Dense(3, "sigmoid")
    model = keras.Model(inputs, scores(x), name="colours")
    scores.kernel.assign(np.eye(3))
    return model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    colours = {"purple": (200, 0, 250), "black": (0, 0, 0)}
    for name, colour in {**colours, "red": (140, 100, 100)}.items():
        image = np.full((8, 8, 3), colour, "uint8")
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


def found(result):
    return [result.name(label) for label in result.labels]


def test_all_classes_from_a_half_on_are_named(model, photos):
    answer = keras_pyconv.classify(model, photos / "purple.png", NAMES)
    assert found(answer) == ["blue", "red"] and answer.label == "blue"
    none = keras_pyconv.classify(model, photos / "black.png", NAMES)
    assert (found(none), none.label, none.score) == ([], "", 0.0)
    assert none.draw().shape[2] == 3 and str(none) == ""


def test_a_threshold_and_a_number_are_taken(model, photos):
    options = {"class_names": NAMES, "threshold": 0.2}
    answer = keras_pyconv.classify(model, photos / "red.png", **options)
    assert found(answer) == ["red", "green", "blue"]
    answer = keras_pyconv.classify(model, photos / "red.png", **options, top=1)
    assert found(answer) == ["red"]


@pytest.mark.parametrize("kind", ["keras", "tflite", "saved_model"])
def test_files_and_exports_answer_alike(model, photos, tmp_path, kind):
    path = tmp_path / f"colours.{kind}"
    if kind == "keras":
        model.save(path)
    elif kind == "tflite":
        pytest.importorskip("ai_edge_litert")
        export.litert(model, path, labels=NAMES)
    else:
        export.saved_model(model, path, labels=NAMES)
    named = ["--classes", ",".join(NAMES)] * (kind == "keras")
    words = ["predict", "--model", str(path), str(photos), *named]
    output = tmp_path / "answers"
    to = ["--output", str(output), "--report"]
    assert commands.main([*words, *to, "--format", "jsonl"]) == 0
    lines = (output / "answers.jsonl").read_text().splitlines()
    rows = list(map(json.loads, lines))
    names = [[one["name"] for one in row["classes"]] for row in rows]
    assert names == [[], ["blue", "red"], ["red"]]
    assert commands.main([*words, *to, "--threshold", "0.2"]) == 0
    with open(output / "answers.csv") as file:
        black, purple, red = csv.DictReader(file)
    assert black["class"] == "" and purple["class"] == "blue"
    assert red["class"] == "red" and "green" in red["others"]


def test_a_threshold_beyond_one_is_refused(capsys):
    with pytest.raises(SystemExit):
        words = ["predict", "--model", "x", "y", "--threshold", "2"]
        commands.main(words)
    assert "--threshold must be from 0 to 1" in capsys.readouterr().err


def test_a_threshold_is_for_classifiers():
    answering.check_threshold(None, "detection")
    answering.check_threshold(0.2, "classification")
    with pytest.raises(ValueError, match="this one is of detection"):
        answering.check_threshold(0.2, "detection")
