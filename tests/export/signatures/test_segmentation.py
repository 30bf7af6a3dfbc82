"""An exported segmentation network answers files with masks of their size."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_pyconv
from keras_pyconv.export import segmentation_signatures
from keras_pyconv.export.signatures import recorded
from keras_pyconv.tasks.preprocessing import IMAGENET_MEAN
from keras_pyconv.tasks.segmentation import Protocol, SlidingWindows
from tests.tasks.segmentation.small import network

SIDE = 32
LABELS = ("wall", "sky", "tree", "road", "bed")


@pytest.fixture(scope="module")
def model():
    return network(classes=5)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    fixed = network(classes=5, size=SIDE)
    fixed.set_weights(model.get_weights())
    return keras_pyconv.export.saved_model(
        fixed,
        tmp_path_factory.mktemp("root") / "segnet",
        signatures=segmentation_signatures(fixed, labels=LABELS),
        batch_sizes=(1, 2),
    )


@pytest.fixture(scope="module")
def served(exported):
    return tf.saved_model.load(exported)


def encoded(height, width, kind="PNG"):
    rng = np.random.default_rng(height)
    small = rng.integers(0, 256, (5, 7, 3)).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(stream, kind)
    return stream.getvalue()


def test_a_broken_file_gets_an_empty_mask_and_harms_no_other(served):
    files = [encoded(40, 70), b"no picture", encoded(90, 30, "JPEG")]
    answer = served.signatures["serve_bytes"](image_bytes=tf.constant(files))
    masks = answer["mask_bytes"].numpy()
    assert masks[1] == b""
    for mask, size in ((masks[0], (40, 70)), (masks[2], (90, 30))):
        found = Image.open(io.BytesIO(mask))
        assert found.mode == "L" and found.size == size[::-1]
        assert set(np.unique(found)) <= set(range(5))


def test_a_file_of_the_models_size_gets_the_labels_of_its_pixels(model, served):
    file = encoded(SIDE, SIDE)
    answer = served.signatures["serve_bytes"](image_bytes=tf.constant([file]))
    mask = np.asarray(Image.open(io.BytesIO(answer["mask_bytes"].numpy()[0])))
    rule = Protocol(window=SIDE, base_size=SIDE, flip=False)
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    wanted = SlidingWindows(model, rule).labels(pixels)
    assert (mask == wanted).mean() > 0.99


def test_prepared_images_get_labels(model, served):
    images = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3))
    images = images.astype("float32")
    labels = served.signatures["serving_default"](images=tf.constant(images))
    assert labels["labels"].dtype == tf.uint8
    wanted = np.asarray(model(images)).argmax(axis=-1)
    assert (labels["labels"].numpy() == wanted).mean() > 0.99


def test_a_large_picture_gets_a_mask_of_its_own_size(served):
    file = encoded(20, 1500)
    answer = served.signatures["serve_bytes"](image_bytes=tf.constant([file]))
    found = Image.open(io.BytesIO(answer["mask_bytes"].numpy()[0]))
    assert found.size == (1500, 20)


def test_an_export_records_how_its_images_are_prepared(exported):
    note = recorded.read(exported)
    assert note.preprocessing.mean == IMAGENET_MEAN
    assert note.labels == LABELS
    page = (exported.parent / "README.md").read_text()
    assert "long side resized to 32 pixels" in page
    assert f"mean {IMAGENET_MEAN} and the deviation" in page
    assert "classes from 0, named in `assets.extra/" in page
    assert "class -1" not in page


def test_a_label_too_few_is_refused(model):
    with pytest.raises(ValueError, match="5 classes. Received 4 labels"):
        segmentation_signatures(model, labels=LABELS[:4])


def test_a_model_that_cannot_be_served_so_is_refused():
    gray = keras.Input((SIDE, SIDE, 1))
    maps = keras.layers.Conv2D(5, 1)(gray)
    with pytest.raises(ValueError, match=r"takes \(32, 32, 1\)"):
        segmentation_signatures(keras.Model(gray, maps))
    with pytest.raises(ValueError, match="can hold 256 classes.* has 300"):
        segmentation_signatures(network(classes=300))


def test_a_model_without_logits_for_every_pixel_is_refused():
    images = keras.Input((SIDE, SIDE, 3))
    halves = keras.layers.Conv2D(5, 2, strides=2)(images)
    classes = keras.layers.GlobalAveragePooling2D()(halves)
    for outputs in (classes, halves, [halves, classes]):
        with pytest.raises(ValueError, match="the logits of every pixel"):
            segmentation_signatures(keras.Model(images, outputs))


def test_a_sequential_network_is_served(tmp_path):
    stack = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 1)]
    model = keras.Sequential(stack)
    path = keras_pyconv.export.saved_model(
        model,
        tmp_path / "net",
        signatures=segmentation_signatures(model),
        batch_sizes=(1,),
    )
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype("f4")
    served = tf.saved_model.load(path).signatures["serving_default"]
    np.testing.assert_array_equal(
        served(images=images)["labels"], np.argmax(model(images), axis=-1)
    )


@pytest.mark.slow
def test_pyconvsegnet_is_exported_without_its_auxiliary_head(tmp_path):
    segnet = keras_pyconv.PyConvSegNet("ResNetMini", classes=5, head="conv")
    path = keras_pyconv.export.saved_model(
        segnet,
        tmp_path / "segnet",
        signatures=segmentation_signatures(segnet),
        batch_sizes=(1,),
    )
    loaded = tf.saved_model.load(path)
    answer = loaded.signatures["serve_bytes"](
        image_bytes=tf.constant([encoded(40, 60)])
    )
    found = Image.open(io.BytesIO(answer["mask_bytes"].numpy()[0]))
    assert found.size == (60, 40)


def test_a_request_for_nothing_gets_nothing(served, nothing):
    assert set(nothing(served).values()) == {0}
