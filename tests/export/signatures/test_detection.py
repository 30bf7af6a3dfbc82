"""An exported detector finds in files what `detect` finds in them."""

import io

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import detection_signatures
from keras_pyconv.export.signatures import recorded
from keras_pyconv.tasks.preprocessing import IMAGENET_DEVIATION
from tests.conformance.cases import DETECTOR

LABELS = ("cat", "dog", "fox")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    model = keras_pyconv.build_detector(DETECTOR, classes=4)
    # Random logits are all alike: sharper ones leave few detections.
    for layer in model.layers:
        if layer.name.endswith("_classes"):
            kernel, bias = layer.get_weights()
            layer.set_weights(
                [4 * kernel, bias + np.tile([3, 0, 0, 0], len(bias) // 4)]
            )
    return model


@pytest.fixture(scope="module")
def signatures(model):
    return detection_signatures(model, LABELS, score_threshold=0.3)


@pytest.fixture(scope="module")
def exported(model, signatures, tmp_path_factory):
    return keras_pyconv.export.saved_model(
        model,
        tmp_path_factory.mktemp("root") / "ssd",
        signatures=signatures,
        batch_sizes=(1, 2),
    )


@pytest.fixture(scope="module")
def served(exported):
    import tensorflow as tf

    return tf.saved_model.load(exported)


def _file(number, height, width):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    rng = np.random.default_rng(number)
    small = rng.integers(0, 256, (6, 9, 3)).astype("uint8")
    stream = io.BytesIO()
    image.fromarray(small).resize((width, height)).save(stream, "PNG")
    return stream.getvalue()


def test_files_get_the_boxes_that_detect_gives(model, served, tmp_path):
    files = [_file(1, 80, 120), b"no picture", _file(2, 50, 40)]
    answer = served.signatures["serve_bytes"](image_bytes=np.array(files))
    assert answer["num_detections"][1] == -1
    assert (answer["classes"].numpy()[1] == -1).all()
    assert not answer["boxes"].numpy()[1].any()
    for row in (0, 2):
        path = tmp_path / f"{row}.png"
        path.write_bytes(files[row])
        wanted = keras_pyconv.detect(model, path, LABELS, score_threshold=0.3)
        count = int(answer["num_detections"][row])
        assert count == len(wanted) > 0
        np.testing.assert_allclose(
            answer["scores"][row, :count], wanted.scores, atol=1e-4
        )
        # Almost equal scores may change places.
        found = np.sort(answer["boxes"].numpy()[row, :count], axis=0)
        np.testing.assert_allclose(
            found, np.sort(wanted.boxes, axis=0), atol=0.05
        )
        names = {
            name.decode() for name in answer["labels"][row, :count].numpy()
        }
        assert names == {wanted.name(label) for label in wanted.labels}
        assert (answer["labels"][row, count:].numpy() == b"").all()


def test_prepared_images_get_fractions(model, served):
    images = np.random.default_rng(4).normal(size=(2, 64, 64, 3)).astype("f4")
    answer = served.signatures["serving_default"](images=images)
    whole = keras_pyconv.tasks.detection_model(model, score_threshold=0.3)
    wanted = whole(images)
    np.testing.assert_array_equal(answer["num_detections"], wanted["count"])
    np.testing.assert_allclose(answer["scores"], wanted["scores"], atol=1e-4)


def test_an_export_records_how_its_images_are_prepared(exported):
    note = recorded.read(exported)
    assert note.preprocessing.deviation == IMAGENET_DEVIATION
    assert note.labels == LABELS
    page = (exported.parent / "README.md").read_text()
    assert "stretched to 64 x 64 pixels" in page
    assert f"the deviation {IMAGENET_DEVIATION}" in page


@pytest.mark.slow
def test_the_checker_takes_the_export(exported, model, signatures):
    report = keras_pyconv.export.check(
        exported, model=model, signatures=signatures
    )
    assert report.passed, str(report)


def test_a_model_that_is_no_detector_is_refused():
    images = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 1)(images)
    for outputs in (maps, {"logits": maps}):
        with pytest.raises(ValueError, match="give 'offsets' and 'logits'"):
            detection_signatures(keras.Model(images, outputs))


def test_a_label_too_few_is_refused(model):
    with pytest.raises(ValueError, match="3 classes. Received 2 labels"):
        detection_signatures(model, LABELS[:2])


def test_a_request_for_nothing_gets_nothing(served, nothing):
    assert set(nothing(served).values()) == {0}
