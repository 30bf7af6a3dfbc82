"""Presets of all four tasks come back alike, from folders and from hubs."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv import commands
from keras_pyconv.commands.opening import open_model
from keras_pyconv.weights.described import known
from tests.tasks.test_description import MODELS, NAMES, SHOWN, classifier

# Loads every preset of a folder, and keeps what it answers and knows.
LOADED = """
import json, pathlib, sys, numpy as np, keras_pyconv
from keras_pyconv.weights.described import known
for folder in pathlib.Path(sys.argv[1]).iterdir():
    model = keras_pyconv.from_preset(folder)
    x = np.random.default_rng(0).random((2, *model.input_shape[1:]), "float32")
    answer = model(x, training=False)
    answer = answer if isinstance(answer, dict) else {"answer": answer}
    np.savez(f"{folder}.npz", **answer)
    print(json.dumps(known(model).to_json()))
assert "keras_hub" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The preset of a described classifier."""
    folder = tmp_path_factory.mktemp("presets") / "pets"
    model = keras_pyconv.describe(classifier(), NAMES, SHOWN["classification"])
    assert keras_pyconv.save_to_preset(model, folder) == folder
    return folder


@pytest.mark.ci
def test_all_tasks_come_back_in_a_fresh_process(tmp_path):
    models = {}
    for task, make in MODELS.items():
        models[task] = keras_pyconv.describe(make(), NAMES, SHOWN[task])
        keras_pyconv.save_to_preset(models[task], tmp_path / task)
    run = [sys.executable, "-c", LOADED, tmp_path]
    told = subprocess.run(run, check=True, capture_output=True, text=True)
    rows = map(json.loads, told.stdout.splitlines())
    found = {row["task"]: row for row in rows}
    for task, model in models.items():
        wanted = json.loads(json.dumps(known(model).to_json()))
        assert found[task] == wanted
        shape = (2, *model.input_shape[1:])
        x = np.random.default_rng(0).random(shape, "float32")
        answer = model(x, training=False)
        answer = answer if isinstance(answer, dict) else {"answer": answer}
        with np.load(tmp_path / f"{task}.npz") as arrays:
            for name, value in answer.items():
                np.testing.assert_array_equal(arrays[name], value)


def test_the_folder_is_as_kerashub_has_it(folder):
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "metadata.json", "model.weights.h5"),
    }
    config = json.loads((folder / "config.json").read_text())
    assert {"module", "class_name", "config", "registered_name"} == set(config)
    about = json.loads((folder / "metadata.json").read_text())
    assert about["parameter_count"] == classifier().count_params()
    assert about["keras_version"] == keras.version()


@pytest.mark.ci
def test_kerashub_loads_it(folder, tmp_path):
    hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    images = keras.Input((16, 16, 3))
    x = keras_pyconv.PyConv(4, (3, 5), groups=1)(images)
    features = keras.Model(images, x)
    keras_pyconv.save_to_preset(features, tmp_path / "features")
    model = hub.models.ImageClassifier.from_preset(
        str(tmp_path / "features"), num_classes=5
    )
    assert model.output_shape == (None, 5)
    batch = np.random.default_rng(0).random((2, 16, 16, 3), "float32")
    np.testing.assert_array_equal(model.backbone(batch), features(batch))


def test_the_command_takes_a_preset(folder, tmp_path):
    opened = open_model(str(folder))
    assert (opened.task, opened.class_names) == ("classification", NAMES)
    path = tmp_path / "pets.tflite"
    assert not commands.main(["export", str(folder), str(path)])
    assert open_model(str(path)).class_names == NAMES


def test_a_preset_of_another_file_system_is_read_but_not_written(folder):
    place = "ram://presets/pets"
    for path in folder.iterdir():
        tf.io.gfile.copy(str(path), f"{place}/{path.name}")
    assert known(keras_pyconv.from_preset(place)).class_names == NAMES
    assert open_model(place).class_names == NAMES
    with pytest.raises(ValueError, match="`folder` must be a path on this"):
        keras_pyconv.save_to_preset(classifier(), place)


def test_sequential_models_are_saved_too(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    keras_pyconv.save_to_preset(model, tmp_path / "net")
    x = np.ones((1, 4), "float32")
    again = keras_pyconv.from_preset(tmp_path / "net")
    np.testing.assert_array_equal(again(x), model(x))


def test_a_folder_that_holds_something_is_left_alone(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        keras_pyconv.save_to_preset(classifier(), tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    keras_pyconv.save_to_preset(classifier(), tmp_path / "empty")


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    model = classifier()

    def fail(path):
        pathlib.Path(path).write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setattr(model, "save_weights", fail)
    with pytest.raises(OSError, match="full"):
        keras_pyconv.save_to_preset(model, tmp_path / "net")
    assert not os.listdir(tmp_path)


def with_code():
    inputs = keras.Input((4,))
    layer = keras.layers.Lambda(lambda x: 2 * x, output_shape=(4,))
    return keras.Model(inputs, layer(inputs))


def test_what_could_not_be_loaded_again_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="loaded again .*[Ll]ambda"):
        keras_pyconv.save_to_preset(with_code(), tmp_path / "net")
    assert not os.listdir(tmp_path)


# What is not trusted ---------------------------------------------------------


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the preset, and a function that changes its configuration."""
    place = tmp_path / "copy"
    place.mkdir()
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())

    def change(config):
        row = json.loads((place / "config.json").read_text())
        config(row)
        (place / "config.json").write_text(json.dumps(row))
        return place

    return change


def test_code_in_a_preset_is_not_run(copy, tmp_path, monkeypatch):
    module = tmp_path / "from_a_stranger.py"
    trace = tmp_path / "ran"
    module.write_text(f"open({str(trace)!r}, 'w')\nclass Layer: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    lambda_layer = keras.saving.serialize_keras_object(with_code())

    def foreign(row):
        row["config"]["layers"][1].update(
            module="from_a_stranger", class_name="Layer", registered_name=None
        )

    def function(row):
        row["config"]["layers"][1]["config"]["activation"] = {
            "module": "os",
            "class_name": "function",
            "config": "system",
            "registered_name": "system",
        }

    for change in (foreign, function, lambda row: row.update(lambda_layer)):
        with pytest.raises(ValueError, match="is refused: ") as error:
            keras_pyconv.from_preset(copy(change))
        assert "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    "row", [[], {}, 7, {"class_name": "Dense", "config": {}}, "text"]
)
def test_a_damaged_configuration_is_refused(copy, row):
    place = copy(lambda config: None)
    (place / "config.json").write_text(json.dumps(row))
    with pytest.raises(ValueError, match="is refused: "):
        keras_pyconv.from_preset(place)


def test_other_weights_are_refused(copy):
    place = copy(lambda row: None)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(
        place / "model.weights.h5"
    )
    with pytest.raises(ValueError, match="holds no layer of"):
        keras_pyconv.from_preset(place)


def test_what_is_missing_or_of_another_kind_is_told(copy, tmp_path):
    with pytest.raises(FileNotFoundError, match="is no preset"):
        keras_pyconv.from_preset(tmp_path)
    place = copy(lambda row: None)
    (place / "task.json").write_text("{}")
    with pytest.raises(ValueError, match="task of KerasHub"):
        keras_pyconv.from_preset(place)
    (place / "task.json").unlink()
    (place / "model.weights.h5").unlink()
    with pytest.raises(FileNotFoundError, match="model.weights.h5"):
        keras_pyconv.from_preset(place)


# Hubs: the libraries that download are replaced ------------------------------


@pytest.mark.parametrize(
    "address, library, function, handle",
    [
        ("hf://me/pets", "huggingface_hub", "snapshot_download", "me/pets"),
        (
            "kaggle://me/pets/keras/small/1",
            "kagglehub",
            "model_download",
            "me/pets/keras/small/1",
        ),
    ],
)
def test_a_preset_comes_from_a_hub(
    folder, monkeypatch, capsys, address, library, function, handle
):
    module = pytest.importorskip(library, reason=f"{library} downloads")
    asked = []
    wanted = ["config.json", "metadata.json", "model.weights.h5", "task.json"]

    def download(name, allow_patterns=None):
        asked.append(name)
        assert allow_patterns in (None, wanted)
        return str(folder)

    monkeypatch.setattr(module, function, download)
    model = keras_pyconv.from_preset(address)
    assert asked == [handle] and known(model).class_names == NAMES
    assert open_model(address).class_names == NAMES

    def fail(name, **options):
        raise RuntimeError("404 Client Error.\nRepository not found.")

    monkeypatch.setattr(module, function, fail)
    assert commands.main(["predict", "--model", address, "a.png"]) == 2
    told = capsys.readouterr().err.strip()
    assert "404 Client Error. Repository not found" in told
    assert "\n" not in told
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=f"pip install {library}"):
        keras_pyconv.from_preset(address)


@pytest.mark.parametrize("address", ["hf://pets", "hf://a/b/c", "kaggle://a/b"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(ValueError, match="of the form"):
        keras_pyconv.from_preset(address)
