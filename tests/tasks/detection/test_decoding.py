"""Raw outputs become the detections that they encode, and nothing else."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.models import build_detector
from keras_pyconv.tasks.detection import (
    DecodeDetections,
    Detections,
    decode,
    default_boxes,
    detect,
    detection_model,
    draw_detections,
    encode,
    stretch,
)
from keras_pyconv.tasks.drawing import enlarged
from tests.conformance.cases import DETECTOR

CLASSES = 4


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(4)
    return build_detector(DETECTOR, classes=CLASSES)


@pytest.fixture(scope="module")
def whole(model):
    return detection_model(model, max_detections=20)


@pytest.fixture(scope="module")
def boxes(model):
    return default_boxes(model)


def raw_outputs(boxes, found):
    """Outputs that say (box number, target box, class, logit) and no more."""
    offsets = np.zeros((1, len(boxes), 4), "float32")
    logits = np.zeros((1, len(boxes), CLASSES), "float32")
    logits[..., 0] = 12.0
    for number, box, one, logit in found:
        target = np.array([box], "float32")
        offsets[0, number] = encode(boxes[number : number + 1], target)[0]
        logits[0, number] = 0.0
        logits[0, number, one] = logit
    return {"offsets": offsets, "logits": logits}


FIRST = (0.1, 0.2, 0.5, 0.6)
NEAR = (0.1, 0.2, 0.5, 0.58)
FAR = (0.6, 0.6, 0.9, 0.9)


@pytest.mark.parametrize(
    "found, wanted",
    [
        ([], []),
        ([(5, FIRST, 1, 8)], [(FIRST, 0)]),
        ([(5, FIRST, 3, 8), (9, NEAR, 3, 5)], [(FIRST, 2)]),
        ([(5, FIRST, 3, 5), (9, NEAR, 2, 8)], [(NEAR, 1), (FIRST, 2)]),
        ([(5, FIRST, 1, 5), (9, FAR, 1, 8)], [(FAR, 0), (FIRST, 0)]),
        ([(5, FIRST, 0, 5)], []),
    ],
    ids=["nothing", "one", "same class", "other class", "apart", "background"],
)
def test_what_was_encoded_is_found(model, boxes, found, wanted):
    layer = DecodeDetections.for_model(model)
    answer = layer(raw_outputs(boxes, found))
    count = int(answer["count"][0])
    assert count == len(wanted)
    for row, (box, label) in enumerate(wanted):
        np.testing.assert_allclose(answer["boxes"][0, row], box, atol=1e-4)
        assert answer["labels"][0, row] == label
    scores = np.array(answer["scores"][0])
    assert (np.diff(scores) <= 0).all() and (scores[:count] > 0.05).all()
    assert (np.array(answer["labels"][0, count:]) == -1).all()
    assert not scores[count:].any() and answer["boxes"].shape == (1, 200, 4)


def test_suppression_equals_a_slow_loop_class_by_class(model, boxes):
    rng = np.random.default_rng(8)
    raw = {
        "offsets": rng.normal(size=(1, len(boxes), 4)).astype("float32"),
        "logits": 3 * rng.normal(size=(1, len(boxes), CLASSES)).astype("f4"),
    }
    answer = DecodeDetections.for_model(model, score_threshold=0.3)(raw)
    corners = np.array(decode(boxes, raw["offsets"][0]))
    scores = np.array(keras.ops.softmax(raw["logits"][0]))
    kept = []
    for label in range(CLASSES - 1):
        mine = []
        order = np.argsort(-scores[:, label + 1])
        for i in order[scores[order, label + 1] > 0.3]:
            if all(_overlap(corners[i], corners[j]) <= 0.5 for j in mine):
                mine.append(i)
        kept += [(scores[i, label + 1], label, tuple(corners[i])) for i in mine]
    kept = sorted(kept, reverse=True)[:200]
    count = int(answer["count"][0])
    assert count == len(kept) > 20
    np.testing.assert_allclose(
        answer["scores"][0, :count], [score for score, *_ in kept], rtol=1e-5
    )
    np.testing.assert_array_equal(
        answer["labels"][0, :count], [label for _, label, _ in kept]
    )


def _overlap(first, second):
    low = np.maximum(first[:2], second[:2])
    high = np.minimum(first[2:], second[2:])
    common = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(box[2:] - box[:2]) for box in (first, second)]
    return common / (sum(areas) - common)


def test_a_saved_detection_model_gives_the_same(whole, tmp_path):
    images = np.random.default_rng(9).normal(size=(2, 64, 64, 3))
    whole.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    first, second = whole(images), loaded(images)
    for name, value in first.items():
        np.testing.assert_allclose(second[name], value, atol=1e-5)
        assert value.shape[1:] == whole.output[name].shape[1:]
        assert value.dtype == whole.output[name].dtype


def test_predict_goes_without_xla(whole):
    with pytest.warns(UserWarning, match="support `?jit_compile"):
        whole.compile(jit_compile=True)
    images = np.zeros((3, 64, 64, 3), "float32")
    assert whole.predict(images, verbose=0)["boxes"].shape == (3, 20, 4)


def test_half_precision_gives_about_the_same(model):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build_detector(DETECTOR, classes=CLASSES)
        half.set_weights(model.get_weights())
        layer = DecodeDetections.for_model(half)
    finally:
        keras.config.set_dtype_policy(before)
    images = np.random.default_rng(2).normal(size=(1, 64, 64, 3))
    found = layer(half(images))
    assert found["scores"].dtype == tf.float32 and found["count"][0] > 0


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (50, 90, 3)).astype("uint8")


def test_boxes_come_back_in_pixels_of_the_picture(model, picture):
    found = detect(model, picture, max_detections=15)
    images = stretch(picture, 64, 64)[None]
    raw = DecodeDetections.for_model(model, max_detections=15)(model(images))
    wanted = np.clip(raw["boxes"][0], 0, 1) * (50, 90, 50, 90)
    np.testing.assert_allclose(found.boxes, wanted[: len(found)], atol=1e-3)
    assert found.boxes[:, 2].max() <= 50 < found.boxes[:, 3].max() <= 90


def test_a_detection_model_decodes_by_its_own_settings(model, whole, picture):
    found = detect(whole, picture)
    wanted = detect(model, picture, max_detections=20)
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=1e-4)
    with pytest.raises(ValueError, match="Received: score_threshold"):
        detect(whole, picture, score_threshold=0.5)


def test_a_file_a_picture_and_an_array_are_the_same(model, picture, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    image.fromarray(picture).save(tmp_path / "a.png")
    answers = [
        detect(model, source).boxes
        for source in (
            picture,
            tmp_path / "a.png",
            image.open(tmp_path / "a.png"),
        )
    ]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-4)


def test_what_is_no_picture_is_refused(model):
    with pytest.raises(ValueError, match=r"shape \(4, 4, 7\)"):
        detect(model, np.zeros((4, 4, 7)))


@pytest.mark.parametrize("share", [None, 0.0, 0.5], ids=str)
def test_a_file_that_is_no_picture_is_named(share, model, picture, tmp_path):
    data = tf.io.encode_jpeg(picture).numpy()
    path = tmp_path / "a.jpg"
    is_text = share is None
    path.write_bytes(b"words" if is_text else data[: int(share * len(data))])
    words = {None: "no image that Pillow can read", 0: "empty .0 bytes"}
    words = words.get(share, "the JPEG file is damaged or breaks off")
    with pytest.raises(ValueError, match=f"a.jpg' cannot be read.*{words}"):
        detect(model, path)


def test_names_are_as_many_as_the_classes(model, whole, picture):
    for one in (model, whole):
        with pytest.raises(ValueError, match="3 classes .* Received 2 names"):
            detect(one, picture, ["a", "b"])


@pytest.mark.parametrize("score", [-0.1, 40, float("nan")])
def test_a_threshold_that_is_no_score_is_refused(score, model, picture):
    with pytest.raises(ValueError, match=f"0 to 1. Received: .*={score}"):
        detect(model, picture, score_threshold=score)


def test_a_drawing_changes_the_pixels_of_the_box_alone(picture, tmp_path):
    pytest.importorskip("PIL", reason="needs Pillow")
    found = Detections(
        np.array([[20.0, 30, 40, 60]]),
        np.array([1]),
        np.array([0.9]),
        ("a", "b"),
    )
    with pytest.warns(DeprecationWarning, match="is `found.draw"):
        draw_detections(picture, found)
    found = dataclasses.replace(found, image=picture)
    drawn = found.draw(tmp_path / "drawn.png")
    image, times = enlarged(picture)
    changed = (drawn != np.asarray(image)).any(-1)
    assert changed[20 * times, 55 * times] and changed[40 * times, 59 * times]
    assert (
        changed[30 * times, 30 * times] and not changed[30 * times, 45 * times]
    )
    assert not changed[45 * times :].any()
    assert (tmp_path / "drawn.png").stat().st_size > 100
    assert str(found) == "b 0.90 at [20.0, 30.0, 40.0, 60.0]"


@pytest.mark.parametrize("side, line", [(320, 2), (600, 3), (1200, 6)])
def test_a_box_has_a_dark_edge_and_is_as_wide_as_the_picture_asks(side, line):
    pytest.importorskip("PIL", reason="needs Pillow")
    found = Detections(
        np.array([[side / 2, 10, side - 10, side - 10]]),
        np.array([0]),
        np.array([0.9]),
    )
    image = np.full((side, side, 3), 200, "uint8")
    drawn = dataclasses.replace(found, image=image).draw()
    across = drawn[side * 3 // 4, : 12 + line].astype(int)
    dark = np.flatnonzero(across.sum(1) == 0)
    assert dark.tolist() == [9, 10 + line]
    assert (across[10 : 10 + line] == across[10]).all()
