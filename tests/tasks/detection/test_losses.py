"""The loss is the reference's, picture by picture, and safe in every corner."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.detection import ClassLoss, OffsetLoss, detection_losses

BOXES, CLASSES = 40, 5


def batch(positives, seed=3):
    """Targets with so many positives a picture, and raw outputs."""
    rng = np.random.default_rng(seed)
    size = len(positives)
    classes = np.zeros((size, BOXES), "int32")
    for row, count in zip(classes, positives):
        row[rng.permutation(BOXES)[:count]] = rng.integers(1, CLASSES, count)
    flag = (classes > 0)[..., None]
    offsets = rng.normal(size=(size, BOXES, 4)) * flag
    true = {
        "offsets": np.concatenate([offsets, flag], -1).astype("float32"),
        "logits": classes,
    }
    raw = {
        "offsets": 2 * rng.normal(size=(size, BOXES, 4)),
        "logits": 3 * rng.normal(size=(size, BOXES, CLASSES)),
    }
    return true, {name: x.astype("float32") for name, x in raw.items()}


def slow_losses(true, raw):
    """Both parts of every picture, one box at a time."""
    for offsets, classes, box, logits in zip(
        true["offsets"], true["logits"], raw["offsets"], raw["logits"]
    ):
        where = np.flatnonzero(classes)
        if not len(where):
            yield 0.0, 0.0
            continue
        distance = np.abs(offsets[where, :4] - box[where])
        smooth = np.where(distance < 1, distance**2 / 2, distance - 0.5).sum()
        entropy = [
            np.log(np.exp(row - row.max()).sum()) + row.max() - row[one]
            for row, one in zip(logits.astype("float64"), classes)
        ]
        negative = sorted((entropy[i] for i in np.flatnonzero(classes == 0)))
        hardest = sum(negative[::-1][: 3 * len(where)])
        total = sum(entropy[i] for i in where) + hardest
        yield smooth / len(where), total / len(where)


@pytest.mark.parametrize(
    "positives",
    [(3, 1), (0, 4), (0, 0), (BOXES, 2), (30, 11)],
    ids=["some", "one empty", "empty", "full", "too few negatives"],
)
def test_each_picture_counts_as_in_the_reference(positives):
    true, raw = batch(positives)
    wanted = np.array(list(slow_losses(true, raw)))
    for column, (name, loss) in enumerate(detection_losses().items()):
        found = loss.call(true[name].astype("float32"), raw[name])
        np.testing.assert_allclose(found, wanted[:, column], rtol=1e-5)
        mean = loss(true[name], raw[name])
        np.testing.assert_allclose(mean, wanted[:, column].mean(), rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_gradients_are_finite_and_few_without_objects(jit_compile):
    true, raw = batch((0, 2))
    variables = {name: tf.Variable(value) for name, value in raw.items()}

    @tf.function(jit_compile=jit_compile)
    def gradients():
        with tf.GradientTape() as tape:
            total = sum(
                loss(true[name], variables[name])
                for name, loss in detection_losses().items()
            )
        return tape.gradient(total, variables)

    for name, gradient in gradients().items():
        gradient = gradient.numpy()
        assert np.isfinite(gradient).all() and gradient[1].any()
        assert not gradient[0].any()
        touched = np.abs(gradient[1]).sum(-1) > 0
        assert touched.sum() == {"offsets": 2, "logits": 2 + 6}[name]


def test_half_precision_outputs_give_float32_losses():
    true, raw = batch((2, 5))
    for name, loss in detection_losses().items():
        half = loss(true[name], tf.cast(raw[name], tf.float16))
        assert half.dtype == tf.float32
        np.testing.assert_allclose(half, loss(true[name], raw[name]), rtol=1e-2)


def test_two_replicas_give_the_loss_of_one():
    true, raw = batch((2, 0, 7, 1))
    for name, loss in detection_losses().items():
        halves = [loss(true[name][i::2], raw[name][i::2]) for i in (0, 1)]
        whole = loss(true[name], raw[name])
        np.testing.assert_allclose(np.mean(halves), whole, rtol=1e-6)


def test_losses_are_saved_with_their_model():
    for loss in (OffsetLoss(), ClassLoss()):
        config = keras.losses.serialize(loss)
        assert type(keras.losses.deserialize(config)) is type(loss)
