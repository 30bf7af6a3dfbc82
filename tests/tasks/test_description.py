"""A model keeps its class names and preprocessing, in its files too."""

import json
import zipfile

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import serving_form
from keras_pyconv.models import PyConvSegNet
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.tasks import Clips, describe, detection_model
from keras_pyconv.tasks.description import task_of_model
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.tasks.segmentation import Protocol
from keras_pyconv.weights.described import known
from tests.kept.networks import FOLDER

NAMES = ("ant", "bee", "cow")
GRAY = {"mean": (0.5,) * 3, "deviation": (0.5,) * 3}
SHOWN = {
    "classification": Preprocessing(16, 20, **GRAY),
    "detection": Preprocessing(**GRAY, exif=False),
    "segmentation": Protocol(window=16, base_size=16, flip=False, **GRAY),
    "video": Clips(2, 1, 16, (16, 16), 16, **GRAY),
}


def of_images(*outputs):
    """A model of images 16 x 16 with one of PyConv's layers."""
    images = keras.Input((16, 16, 3))
    x = keras_pyconv.PyConv(4, (3, 5), groups=1)(images)
    for layer in outputs:
        x = layer(x)
    return keras.Model(images, x)


def classifier():
    pool = keras.layers.GlobalAveragePooling2D()
    return of_images(pool, keras.layers.Dense(3, "softmax"))


def recognizer():
    clips = keras.Input((2, 16, 16, 3))
    x = keras_pyconv.PyConv3D(4, (3,), groups=1)(clips)
    x = keras.layers.GlobalAveragePooling3D()(x)
    return keras.Model(clips, keras.layers.Dense(3, "softmax")(x))


def detector():
    return keras_pyconv.PyConvSSD(
        "PyConvResNetMini", input_shape=(64, 64, 3), classes=4
    )


MODELS = {
    "classification": classifier,
    "detection": detector,
    "segmentation": lambda: of_images(keras.layers.Conv2D(3, 1)),
    "video": recognizer,
}


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("detection", marks=pytest.mark.ci),
        *("classification", "segmentation", "video"),
    ],
)
def test_it_comes_back_from_a_file_of_keras(task, tmp_path):
    model = MODELS[task]()
    assert task_of_model(model) == task and known(model) is None
    held = model.layers[1]
    assert describe(model, NAMES, SHOWN[task]) is model
    assert model.layers[1] is held
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert known(again) == known(model)
    assert type(SHOWN[task])(**known(again).shown) == SHOWN[task]
    assert known(again).class_names == NAMES


def test_a_described_model_trains_and_is_copied_like_any_other():
    model = describe(classifier(), NAMES)
    x = np.random.default_rng(0).random((4, 16, 16, 3)).astype("float32")
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.zeros(4), verbose=0)
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin(x), model(x))
    assert known(serving_form(model, target="portable")).class_names == NAMES


def test_tasks_ask_the_model_itself():
    image = np.zeros((20, 30, 3), "uint8")
    rule = SHOWN["classification"]
    model, other = classifier(), classifier()
    other.set_weights(model.get_weights())
    found = keras_pyconv.classify(describe(model, NAMES, rule), image)
    wanted = keras_pyconv.classify(other, image, NAMES, rule)
    assert found.to_dict() == wanted.to_dict()
    network = MODELS["segmentation"]()
    given = {"protocol": SHOWN["segmentation"], "class_names": NAMES}
    wanted = keras_pyconv.segment(network, image, **given).to_dict()
    describe(network, NAMES, SHOWN["segmentation"])
    assert keras_pyconv.segment(network, image).to_dict() == wanted


@pytest.mark.ci
def test_a_detector_and_its_decoded_twin_answer_alike():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3))
    model = detector()
    wanted = keras_pyconv.detect(model, image, NAMES, SHOWN["detection"])
    describe(model, NAMES, SHOWN["detection"])
    for one in (model, detection_model(model)):
        found = keras_pyconv.detect(one, image)
        assert found.class_names == NAMES
        np.testing.assert_array_equal(found.boxes, wanted.boxes)


@pytest.mark.ci
def test_a_network_with_a_second_classifier_keeps_it(tmp_path):
    model = PyConvSegNet(
        "PyConvResNetMini", head_width=64, classes=3, input_shape=(48, 48, 3)
    )
    describe(model, NAMES)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert known(inference_model(again)).class_names == NAMES


def test_names_and_preprocessing_are_told_apart_and_stay():
    model = describe(classifier(), NAMES)
    describe(model, preprocessing=SHOWN["classification"])
    assert known(model).class_names == NAMES
    describe(model, ("x", "y", "z"))
    assert known(model).shown["size"] == 16
    source = classifier()
    for layer, other in zip(source.layers, model.layers):
        layer.name = other.name
    keras_pyconv.weights.load(model, source)
    assert known(model).class_names == ("x", "y", "z")


@pytest.mark.parametrize(
    "make, told, message",
    [
        (classifier, {"class_names": ("a", "b")}, "3 classes. Received 2"),
        (classifier, {"preprocessing": Clips()}, "a `Preprocessing`, as of"),
        (
            lambda: keras.Sequential(
                [keras.Input((3,)), keras.layers.Dense(2)]
            ),
            {},
            "functional model of classification",
        ),
        (
            lambda: keras.Model(
                x := keras.Input((8, 4)), keras.layers.ReLU()(x)
            ),
            {},
            "functional model of classification",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, told, message):
    with pytest.raises((ValueError, TypeError), match=message):
        describe(make(), **told)


def changed(path, change):
    """Rewrites the configuration in a file of Keras."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config["config"])
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "row", [{"task": "cooking"}, {"task": "video", "class_names": 3}, {}, 7]
)
def test_a_damaged_description_is_refused(tmp_path, row):
    path = tmp_path / "net.keras"
    describe(classifier(), NAMES).save(path)
    changed(path, lambda config: config.update(description=row))
    with pytest.raises(ValueError, match="description is damaged"):
        keras.models.load_model(path)


def test_damaged_preprocessing_is_refused_where_it_is_used(tmp_path):
    path = tmp_path / "net.keras"
    describe(classifier(), NAMES).save(path)
    row = {"task": "classification", "shown": {"sise": 3}}
    changed(path, lambda config: config.update(description=row))
    model = keras.models.load_model(path)
    with pytest.raises(ValueError, match="description of .* is damaged"):
        keras_pyconv.classify(model, np.zeros((9, 9, 3), "uint8"))


@pytest.mark.ci
def test_files_from_before_have_none():
    model = keras.models.load_model(FOLDER / "detector.keras")
    assert known(model) is None
