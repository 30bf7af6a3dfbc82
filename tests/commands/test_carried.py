"""What a model was told travels in every file, so that it answers alone."""

import json

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv import commands, export
from keras_pyconv.commands.answering import answers
from keras_pyconv.commands.opening import open_model
from keras_pyconv.tasks import Clips
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.tasks.segmentation import Protocol
from keras_pyconv.weights.described import known
from tests.commands.conftest import classifier, detector, recognizer
from tests.tasks.test_description import GRAY, NAMES, SHOWN

pytestmark = pytest.mark.ci
ENDINGS = (".keras", "", ".tflite", ".onnx")
ASK = {
    "classification": keras_pyconv.classify,
    "detection": keras_pyconv.detect,
    "segmentation": keras_pyconv.segment,
    "video": keras_pyconv.recognize,
}


def segmenter():
    keras.utils.set_random_seed(6)
    return keras_pyconv.PyConvSegNet(
        "PyConvResNetMini", head_width=64, classes=3, input_shape=(64, 64, 3)
    )


MODELS = {
    "classification": (classifier, Preprocessing(64, 80, **GRAY)),
    "detection": (detector, SHOWN["detection"]),
    "segmentation": (
        segmenter,
        Protocol(window=64, base_size=64, flip=False, **GRAY),
    ),
    "video": (recognizer, Clips(4, 1, 32, (32, 32), 32, **GRAY)),
}


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """Function of a task and an ending to the model and its file.

    The ending of a preset is empty. Runtimes' files were compared with Keras.
    """
    place, made = tmp_path_factory.mktemp("carried"), {}

    def files(task, ending):
        if task not in made:
            make, shown = MODELS[task]
            made[task] = keras_pyconv.describe(make(), NAMES, shown)
        model, path = made[task], place / f"{task}{ending}"
        if ending == ".keras":
            model.save(path)
        elif not ending:
            keras_pyconv.save_to_preset(model, path)
        else:
            write = {".tflite": export.litert, ".onnx": export.onnx}[ending]
            for row in write(model, path).comparisons:
                assert row.difference <= row.allowed == 1e-4
        return model, path

    return files


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("task", MODELS)
def test_a_file_answers_as_the_model_without_a_word(
    carried, photos, film_folder, task, ending
):
    model, path = carried(task, ending)
    source = photos / "b.jpg"
    if task == "video":
        source = film_folder / "sound.mp4"
    opened = open_model(str(path))
    assert (opened.task, opened.class_names) == (task, NAMES)
    ((_, found, reason),) = answers(opened, [str(source)], top=3)
    wanted = ASK[task](model, source)
    assert not reason and found.class_names == NAMES
    if task == "segmentation":
        assert np.mean(found.labels == wanted.labels) > 0.99
    else:
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)
    if opened.model is not None and task != "detection":
        again = ASK[task](opened.model, source)
        assert again.class_names == NAMES
        np.testing.assert_array_equal(again.labels, found.labels)


@pytest.mark.parametrize("task", MODELS)
def test_an_export_for_a_server_has_the_names(carried, tmp_path, task):
    model, path = carried(task, ".keras")
    words = ["export", str(path), str(tmp_path / "served")]
    assert not commands.main(words)
    (version,) = (tmp_path / "served").glob("*/assets.extra")
    row = json.loads((version / "keras_pyconv.json").read_text())
    assert row["labels"] == list(NAMES)
    assert row["preprocessing"]["mean"] == [0.5, 0.5, 0.5]


def test_the_folder_of_a_run_gives_its_model_the_names(tmp_path):
    made = {"variant": "PyConvResNetMini", "classes": NAMES, "data.side": 32}
    text = json.dumps({"constants": made})
    (tmp_path / "constants.json").write_text(text)
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=3, input_shape=(32, 32, 3)
    )
    model.save_weights(tmp_path / "net.weights.h5")
    image = np.zeros((40, 50, 3), "uint8")
    wanted = str(keras_pyconv.classify(model, image, NAMES))
    for one in (
        open_model(str(tmp_path)).model,
        keras_pyconv.weights.load(model, tmp_path / "net.weights.h5"),
    ):
        assert known(one).class_names == NAMES
        assert str(keras_pyconv.classify(one, image)) == wanted
    (tmp_path / "constants.json").write_text("{")
    keras_pyconv.weights.load(model, tmp_path / "net.weights.h5")
    assert known(model) is None
