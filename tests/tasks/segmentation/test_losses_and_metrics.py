"""Loss and metrics count valid pixels, and all of them once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.segmentation import (
    ConfusionMatrix,
    SegmentationLoss,
    class_iou,
    mean_iou,
    pixel_accuracy,
)

CLASSES = 5


def batch(ignored=0.3):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(2, 7, 6, CLASSES)).astype("float32")
    labels = rng.integers(0, CLASSES, (2, 7, 6)).astype("uint8")
    labels[rng.random(labels.shape) < ignored] = 255
    return labels, logits


def slow_loss(labels, logits):
    losses = [
        np.log(np.exp(pixel).sum()) - pixel[label]
        for label, pixel in zip(
            labels.ravel(), logits.reshape(-1, CLASSES).astype("float64")
        )
        if label != 255
    ]
    return np.mean(losses)


def slow_matrix(labels, answers):
    matrix = np.zeros((CLASSES, CLASSES), int)
    for truth, answer in zip(labels.ravel(), answers.ravel()):
        if truth != 255:
            matrix[truth, answer] += 1
    return matrix


def test_the_loss_is_the_mean_over_valid_pixels():
    labels, logits = batch()
    expected = slow_loss(labels, logits)
    loss = SegmentationLoss()
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-5)
    last = float(loss(labels[..., None], logits))
    assert last == pytest.approx(expected, rel=1e-5)
    first = SegmentationLoss(axis=1)(labels, logits.transpose(0, 3, 1, 2))
    assert float(first) == pytest.approx(expected, rel=1e-5)


def test_a_picture_without_any_class_teaches_nothing():
    labels, logits = batch()
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = SegmentationLoss()(np.full_like(labels, 255), logits)
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, logits), 0)


def test_ignored_pixels_have_no_gradient():
    labels, logits = batch()
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = SegmentationLoss()(labels, logits)
    gradient = tape.gradient(value, logits).numpy()
    assert (gradient[labels == 255] == 0).all()
    assert (gradient[labels != 255] != 0).all()


def test_the_loss_survives_its_config():
    loss = SegmentationLoss(ignored=0, auxiliary_weight=0.2, axis=1)
    config = keras.saving.serialize_keras_object(loss)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == loss.get_config()


@pytest.mark.parametrize(
    "one, module",
    [(SegmentationLoss(), "losses"), (ConfusionMatrix(2), "metrics")],
    ids=["loss", "metric"],
)
def test_what_an_earlier_version_saved_is_found(one, module):
    config = keras.saving.serialize_keras_object(one)
    config["module"] = f"keras_pyconv.tasks.segmentation.{module}"
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(one)


def test_the_matrix_counts_every_valid_pixel():
    metric, expected = ConfusionMatrix(CLASSES), 0
    for part in (0.0, 0.3, 1.0):
        labels, logits = batch(part)
        metric.update_state(labels[..., None], logits)
        expected = expected + slow_matrix(labels, logits.argmax(axis=-1))
    np.testing.assert_array_equal(metric.matrix, expected)
    results = metric.result()
    assert float(results["mean_iou"]) == pytest.approx(mean_iou(expected))
    assert float(results["pixel_accuracy"]) == pytest.approx(
        pixel_accuracy(expected)
    )


def test_labels_serve_as_well_as_logits():
    labels, logits = batch()
    metric = ConfusionMatrix(CLASSES)
    metric.update_state(labels, logits.argmax(axis=-1))
    expected = slow_matrix(labels, logits.argmax(axis=-1))
    np.testing.assert_array_equal(metric.matrix, expected)


def test_counts_are_exact_beyond_what_float32_holds():
    metric = ConfusionMatrix(2)
    metric.matrix.assign([[2**24, 0], [0, 0]])
    metric.update_state(np.zeros((1, 1), int), np.zeros((1, 1), int))
    assert int(metric.matrix[0, 0]) == 2**24 + 1


def test_classes_that_never_occur_have_no_iou():
    matrix = np.array([[6, 2, 0], [0, 4, 0], [0, 0, 0]])
    np.testing.assert_allclose(class_iou(matrix), [6 / 8, 4 / 6, np.nan])
    assert mean_iou(matrix) == pytest.approx((6 / 8 + 4 / 6) / 2)
    assert mean_iou(matrix, "zero") == pytest.approx((6 / 8 + 4 / 6) / 3)
    assert pixel_accuracy(matrix) == pytest.approx(10 / 12)
    with pytest.raises(ValueError, match="'none'"):
        mean_iou(matrix, "none")


def test_nothing_counted_is_no_number():
    assert np.isnan(mean_iou(np.zeros((2, 2))))
    assert np.isnan(pixel_accuracy(np.zeros((2, 2))))


def test_the_metric_works_in_a_compiled_graph():
    labels, logits = batch()
    metric = ConfusionMatrix(CLASSES)

    @tf.function(jit_compile=True)
    def update(truth, answers):
        metric.update_state(truth, answers)

    update(tf.constant(labels), tf.constant(logits))
    expected = slow_matrix(labels, logits.argmax(axis=-1))
    np.testing.assert_array_equal(metric.matrix, expected)
