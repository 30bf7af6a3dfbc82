"""PyConv networks as backbones of keras-cv's tasks."""

import os
import subprocess
import sys
import zipfile

import keras
import keras_cv
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv.neighbours import retinanet_signatures
from keras_pyconv.tasks.preprocessing import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
)

SHAPE = (128, 128, 3)
ROW = "PyConvResNetMini"
pytestmark = [
    # keras-cv's RetinaNet and Keras 3.15 are not of one mind.
    pytest.mark.filterwarnings("ignore:The structure of `inputs`"),
    pytest.mark.filterwarnings("ignore:`compile.*` was not called as part"),
]
LOADED = """
import sys, keras, numpy as np, keras_pyconv
assert "keras_cv" not in sys.modules
model = keras.models.load_model(sys.argv[1])
found = model.predict(np.load(sys.argv[2]), verbose=0)
found = found if isinstance(found, dict) else {"answer": found}
np.savez(sys.argv[3], **found)
"""


def images(count=2, shape=SHAPE):
    random = np.random.default_rng(0)
    return random.random((count, *shape)).astype("float32")


def backbone(**options):
    return keras_pyconv.keras_cv_backbone(
        ROW, **{"input_shape": SHAPE, **options}
    )


@pytest.mark.parametrize("row", [ROW, "ResNetMini"])
def test_its_features_are_ours_on_the_same_weights(row, tmp_path):
    path = tmp_path / "model.weights.h5"
    model = keras_pyconv.build_classifier(
        row, include_top=False, input_shape=SHAPE
    )
    model.save_weights(path)
    theirs = keras_pyconv.keras_cv_backbone(row, path, SHAPE)
    assert isinstance(theirs, keras_cv.models.Backbone)
    assert theirs.name == f"{row.lower()}_backbone"
    names = theirs.pyramid_level_inputs
    assert list(names) == ["P1", "P2", "P3", "P4", "P5"]
    ours = keras.Model(
        model.input, [x.output for x in keras_pyconv.features(model)]
    )
    maps = [theirs.get_layer(name).output for name in names.values()]
    found = keras.Model(theirs.input, maps).predict(images(), verbose=0)
    wanted = ours.predict(images(), verbose=0)
    for level, (one, other) in enumerate(zip(found, wanted), 1):
        assert one.shape[1] == -(-SHAPE[0] // 2**level)
        np.testing.assert_array_equal(one, other)


def test_sizes_may_be_open_and_pixels_may_be_bytes():
    raw = backbone(input_shape=(None, None, 3), include_rescaling=True)
    prepared = backbone(input_shape=(None, None, 3))
    prepared.set_weights(raw.get_weights())
    pixels = 255 * images(shape=(65, 96, 3))
    normal = (pixels / 255 - IMAGENET_MEAN) / np.array(IMAGENET_DEVIATION)
    np.testing.assert_allclose(
        raw.predict(pixels, verbose=0),
        prepared.predict(normal.astype("float32"), verbose=0),
        atol=1e-3,
    )


def test_it_is_made_again_from_its_configuration():
    made = backbone(include_rescaling=True)
    twin = type(made).from_config(made.get_config())
    twin.set_weights(made.get_weights())
    np.testing.assert_array_equal(
        twin.predict(images(), verbose=0), made.predict(images(), verbose=0)
    )


def test_an_unknown_network_is_refused_by_name():
    with pytest.raises(ValueError, match="'ResNet50', .*'Nothing'"):
        keras_pyconv.keras_cv_backbone("Nothing")


def classifier():
    model = keras_cv.models.ImageClassifier(backbone(), num_classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model, np.array([0, 2])


def segmenter():
    model = keras_cv.models.DeepLabV3Plus(backbone(), num_classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model, np.ones(((2, *SHAPE[:2])), "int32")


def detector():
    decoder = keras_cv.layers.MultiClassNonMaxSuppression(
        "xywh", from_logits=True, confidence_threshold=0.0, max_detections=9
    )
    model = keras_cv.models.RetinaNet(
        backbone(),
        num_classes=3,
        bounding_box_format="xywh",
        prediction_decoder=decoder,
    )
    losses = {"classification_loss": "focal", "box_loss": "smoothl1"}
    model.compile(optimizer=keras.optimizers.SGD(1e-4), **losses)
    boxes = [[[10.0, 10, 40, 40]], [[20.0, 20, 50, 50]]]
    return model, {"boxes": np.array(boxes), "classes": np.ones((2, 1))}


TASKS = {"classifier": classifier, "masks": segmenter, "boxes": detector}


def answers(model):
    found = model.predict(images(), verbose=0)
    return found if isinstance(found, dict) else {"answer": found}


@pytest.mark.ci
@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_and_is_loaded_in_a_fresh_process(task, tmp_path):
    keras.utils.set_random_seed(1)
    model, wanted = TASKS[task]()
    before = [np.array(w) for w in model.trainable_weights[:1]]
    model.fit(images(), wanted, verbose=0)
    assert not np.array_equal(before[0], model.trainable_weights[0])
    model.save(tmp_path / "model.keras")
    assert zipfile.is_zipfile(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images())
    names = "model.keras", "images.npy", "found.npz"
    subprocess.run(
        [sys.executable, "-c", LOADED, *(tmp_path / name for name in names)],
        check=True,
        env=dict(os.environ),
    )
    found = np.load(tmp_path / "found.npz")
    for name, array in answers(model).items():
        np.testing.assert_allclose(found[name], array, atol=1e-4)


@pytest.mark.ci
@pytest.mark.parametrize("task", TASKS)
def test_an_export_answers_as_predict_does(task, tmp_path):
    keras.utils.set_random_seed(1)
    model, _ = TASKS[task]()
    signatures = retinanet_signatures(model) if task == "boxes" else None
    folder = keras_pyconv.export.saved_model(
        model, tmp_path / "model", signatures=signatures
    )
    report = keras_pyconv.export.check(folder, model, signatures)
    assert report.passed, str(report)
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = served.structured_input_signature[1]
    found = served(**{name: tf.constant(images())})
    wanted = answers(model)
    if task == "boxes":
        assert (wanted["num_detections"] > 0).all()
        wanted["scores"] = wanted.pop("confidence")
    elif task == "classifier":
        wanted = {"probabilities": wanted["answer"]}
    else:
        wanted = dict(zip(found, wanted.values()))
    for key, array in wanted.items():
        np.testing.assert_allclose(found[key], array, atol=1e-4)


def test_a_retinanet_without_a_size_and_other_models_are_refused():
    with pytest.raises(ValueError, match="must be a keras_cv.models.RetinaNet"):
        retinanet_signatures(backbone())


def test_the_import_of_the_package_brings_no_keras_cv():
    program = "import sys, keras_pyconv; sys.exit('keras_cv' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
