"""An exported video network answers clips and the files of their frames."""

import io

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import video_signatures
from keras_pyconv.export.signatures import recorded
from keras_pyconv.tasks.preprocessing import (
    imagenet_preprocessing,
    prepare_picture,
)

LABELS = ("run", "jump", "swim")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    return keras_pyconv.build_video_classifier(
        "PyConvResNet3DMini", input_shape=(3, 32, 32, 3), classes=3
    )


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return keras_pyconv.export.saved_model(
        model,
        tmp_path_factory.mktemp("root") / "actions",
        signatures=video_signatures(model, LABELS, top_k=2),
        batch_sizes=(1, 2),
    )


@pytest.fixture(scope="module")
def served(exported):
    import tensorflow as tf

    return tf.saved_model.load(exported)


def pictures(number):
    random = np.random.default_rng(number)
    return random.integers(0, 256, (3, 40, 52, 3)).astype("uint8")


def files(frames):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    encoded = []
    for frame in frames:
        stream = io.BytesIO()
        image.fromarray(frame).save(stream, "PNG")
        encoded.append(stream.getvalue())
    return encoded


def test_frames_as_files_get_the_answer_of_their_clip(model, served):
    clips = [pictures(1), pictures(2)]
    rule = imagenet_preprocessing(32)
    prepared = np.stack(
        [[prepare_picture(frame, rule) for frame in clip] for clip in clips]
    )
    wanted = np.asarray(model(prepared))
    answer = served.signatures["serve_frames"](
        frame_bytes=np.array([files(clip) for clip in clips], object)
    )
    best = np.argsort(-wanted, axis=1)[:, :2]
    np.testing.assert_array_equal(answer["classes"], best)
    assert answer["labels"].numpy()[0, 0].decode() == LABELS[best[0, 0]]
    plain = served.signatures["serving_default"](clips=prepared)
    np.testing.assert_allclose(plain["probabilities"], wanted, atol=1e-4)


def test_a_clip_with_a_broken_frame_has_no_answer_and_others_have(served):
    good, broken = files(pictures(1)), files(pictures(1))
    broken[1] = b"no picture"
    answer = served.signatures["serve_frames"](
        frame_bytes=np.array([broken, good], object)
    )
    assert answer["classes"].numpy()[0].tolist() == [-1, -1]
    assert answer["labels"].numpy()[0].tolist() == [b"", b""]
    assert answer["classes"].numpy()[1].min() >= 0


def test_an_export_records_how_its_frames_are_prepared(exported):
    note = recorded.read(exported)
    assert note.preprocessing == imagenet_preprocessing(32)
    assert (note.labels, note.top_k) == (LABELS, 2)
    page = (exported.parent / "README.md").read_text()
    assert "short side resized to 37 pixels" in page
    assert "clip with an unreadable frame gets class -1" in page


@pytest.mark.slow
def test_the_checker_knows_the_names_of_an_export(exported, model):
    report = keras_pyconv.export.check(exported, model=model)
    assert report.passed, str(report)


def test_a_model_that_is_no_classifier_is_refused(model):
    clips = keras.Input((3, 8, 8, 3))
    maps = keras.layers.Conv3D(4, 1)(clips)
    with pytest.raises(ValueError, match="A classifier has one output"):
        video_signatures(keras.Model(clips, maps))
    with pytest.raises(ValueError, match="3 classes. Received 2 labels"):
        video_signatures(model, LABELS[:2])


def test_a_model_of_open_sizes_is_refused():
    model = keras_pyconv.build_video_classifier(
        "ResNet3DMini", input_shape=(None, 32, 32, 3), classes=3
    )
    with pytest.raises(ValueError, match="square clips of a fixed size"):
        video_signatures(model)


def test_a_request_for_nothing_gets_nothing(served, nothing):
    assert set(nothing(served).values()) == {0}
