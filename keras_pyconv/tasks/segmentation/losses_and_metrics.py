"""Cross-entropy, pixel accuracy and mean IoU (paper, section 5).

All are over the valid pixels of the whole batch or set. The mean of the images'
or replicas' means is another number, and NaN where all is ignored.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.models.auxiliary import AUXILIARY_WEIGHT
from keras_pyconv.tasks.segmentation.classes import IGNORED
from keras_pyconv.typing import ArrayLike, Tensor


def _check(ignored, axis, name=None, classes=1):
    arguments.integer("ignored", ignored, -arguments.MOST)
    arguments.integer("axis", axis, -9, 9)
    arguments.text("name", name, optional=True)
    # Its square is counted in 32 bits.
    arguments.integer("classes", classes, at_most=2**15)


# Losses ----------------------------------------------------------------------


def _over_replicas(count):
    """The sum over the replicas of a distributed step."""
    if (
        keras.backend.backend() != "tensorflow"
        or tf.distribute.in_cross_replica_context()
        or tf.distribute.get_strategy().num_replicas_in_sync == 1
    ):
        return count
    return tf.distribute.get_replica_context().all_reduce("sum", count)


def _pixel_losses(y_true, y_pred, ignored, axis):
    """Cross-entropy of each pixel, 0 where it is ignored, and which count."""
    if len(y_true.shape) == len(y_pred.shape):
        y_true = ops.squeeze(y_true, axis)
    logits = ops.moveaxis(y_pred, axis, -1)
    labels = ops.cast(y_true, "int32")
    valid = ops.not_equal(labels, ignored)
    losses = ops.sparse_categorical_crossentropy(
        ops.where(valid, labels, 0), logits, from_logits=True
    )
    return ops.where(valid, losses, 0.0), valid


@keras.saving.register_keras_serializable(package="keras_pyconv")
class SegmentationLoss(keras.losses.Loss):
    """Mean cross-entropy of the valid pixels of the global batch.

    Each replica's loss is its share of the global mean, so that the summed
    gradients are those of one device.

    Args:
        ignored: The label that is no class.
        auxiliary_weight: What an `AuxiliaryModel` multiplies the loss of its
            auxiliary head by, which it adds in training.
        axis: Axis of the classes in the logits.
        name: Name of the loss.

    Call arguments:
        y_true: Labels `(batch, height, width)`, or with a last axis of 1.
        y_pred: Logits `(batch, height, width, classes)`.

    Returns:
        A scalar; 0, with gradients of 0, where every pixel is ignored.
    """

    def __init__(
        self,
        ignored: int = IGNORED,
        auxiliary_weight: float = AUXILIARY_WEIGHT,
        axis: int = -1,
        name: str | None = "segmentation_loss",
        **kwargs: Any,
    ):
        _check(ignored, axis, name)
        arguments.number("auxiliary_weight", auxiliary_weight, 0)
        # `call` returns the mean itself, which no reduction changes.
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})
        self.ignored = ignored
        self.auxiliary_weight = auxiliary_weight
        self.axis = axis

    def call(self, y_true, y_pred):
        losses, valid = _pixel_losses(y_true, y_pred, self.ignored, self.axis)
        total = ops.sum(losses)
        count = _over_replicas(ops.sum(ops.cast(valid, total.dtype)))
        return total / ops.maximum(count, 1)

    def get_config(self):
        config = super().get_config()
        del config["reduction"]
        return {
            **config,
            "ignored": self.ignored,
            "auxiliary_weight": self.auxiliary_weight,
            "axis": self.axis,
        }


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PixelLoss(keras.metrics.Mean):
    """Mean cross-entropy over the valid pixels of a whole set.

    `SegmentationLoss` over a set is the mean of its batches' means, in which
    the pixels of a batch with few valid ones count more.

    Args:
        ignored, axis: As in `SegmentationLoss`, and so are call arguments.
        name: Name of the metric.
    """

    def __init__(
        self,
        ignored: int = IGNORED,
        axis: int = -1,
        name: str | None = "pixel_loss",
        **kwargs: Any,
    ):
        _check(ignored, axis, name)
        super().__init__(name=name, **kwargs)
        self.ignored = ignored
        self.axis = axis

    def update_state(self, y_true, y_pred, sample_weight=None):
        losses, valid = _pixel_losses(y_true, y_pred, self.ignored, self.axis)
        return super().update_state(losses, ops.cast(valid, losses.dtype))

    def get_config(self):
        config = {"ignored": self.ignored, "axis": self.axis}
        return {**super().get_config(), **config}


# The confusion matrix --------------------------------------------------------


def _square(matrix):
    found = arguments.array("matrix", matrix, 2).astype("float64")
    if len(found) != found.shape[1]:
        arguments.refuse("matrix", matrix, "square")
    return found


def class_iou(matrix: ArrayLike) -> np.ndarray:
    """Intersection over union of every class, NaN where it never occurs.

    Args:
        matrix: `(classes, classes)` pixels by truth and prediction.
    """
    matrix = _square(matrix)
    hits = np.diag(matrix)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    return np.divide(
        hits, union, out=np.full_like(hits, np.nan), where=union > 0
    )


def mean_iou(matrix: ArrayLike, absent: str = "skip") -> float:
    """The mean of `class_iou`.

    Args:
        matrix: As in `class_iou`.
        absent: `"skip"` leaves out classes that occur neither in truth nor
            in prediction; `"zero"` counts them 0, as the authors' code does,
            which is the same where every class occurs.

    Raises:
        ValueError: if `absent` is another word.
    """
    arguments.one_of("absent", absent, ("skip", "zero"))
    ious = class_iou(matrix)
    if absent == "zero":
        return float(np.nan_to_num(ious).mean())
    occurring = ious[~np.isnan(ious)]
    return float(occurring.mean()) if occurring.size else float("nan")


def pixel_accuracy(matrix: ArrayLike) -> float:
    """Right pixels over all valid ones."""
    matrix = _square(matrix)
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def confusion_counts(
    truth: Tensor,
    answers: Tensor,
    classes: int,
    ignored: int = IGNORED,
    axis: int = -1,
) -> Tensor:
    """Pixels by truth and prediction, without those that have no class.

    Args:
        truth: Labels `(..., height, width)`, or with an axis of 1 for the
            classes. Those outside of the classes are left out.
        answers: Logits or probabilities with an axis of `classes`, or labels
            of the shape of the truth's.
        classes: Number of classes.
        ignored: The label that is no class.
        axis: Axis of the classes.

    Returns:
        int32 tensor `(classes, classes)`.
    """
    _check(ignored, axis, classes=classes)
    arguments.tensor_like("truth", truth)
    arguments.tensor_like("answers", answers)
    truth = ops.cast(ops.convert_to_tensor(truth), "int32")
    answers = ops.convert_to_tensor(answers)
    scored = "float" in keras.backend.standardize_dtype(answers.dtype)
    rank = len(answers.shape) - scored
    more = len(truth.shape) - rank
    if more not in (0, 1) or more and truth.shape[axis] not in (1, None):
        rule = f"of the shape of `truth`, {tuple(truth.shape)}"
        arguments.refuse("answers", answers, rule)
    if scored:
        answers = ops.argmax(answers, axis=axis)
    if more:
        truth = ops.squeeze(truth, axis)
    answers = ops.reshape(ops.cast(answers, "int32"), (-1,))
    truth = ops.reshape(truth, (-1,))
    inside = ops.logical_and(truth >= 0, truth < classes)
    valid = ops.logical_and(inside, ops.not_equal(truth, ignored))
    # What does not count goes to a place of its own behind the matrix.
    index = ops.where(valid, truth * classes + answers, classes**2)
    counts = ops.segment_sum(
        ops.ones_like(index), index, num_segments=classes**2 + 1
    )
    return ops.reshape(counts[: classes**2], (classes, classes))


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ConfusionMatrix(keras.metrics.Metric):
    """Counts pixels by truth and prediction, on the device, in integers.

    Float32 would stop counting at 16.8 million pixels.

    Args:
        classes, ignored, axis: As in `confusion_counts`.
        name: Name of the metric.

    Call arguments:
        y_true, y_pred: `truth` and `answers` of `confusion_counts`.

    Returns:
        From `result`: `{"pixel_accuracy": ..., "mean_iou": ...}`, the mean
        over the classes that occur. The counts are in `matrix`.
    """

    def __init__(
        self,
        classes: int,
        ignored: int = IGNORED,
        axis: int = -1,
        name: str | None = "confusion",
        **kwargs: Any,
    ):
        _check(ignored, axis, name, classes)
        super().__init__(name=name, **kwargs)
        self.classes = int(classes)
        self.ignored = ignored
        self.axis = axis
        self.matrix = self.add_variable(
            shape=(classes, classes),
            initializer="zeros",
            dtype="int64",
            name="matrix",
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        counts = confusion_counts(
            y_true, y_pred, self.classes, self.ignored, self.axis
        )
        self.matrix.assign(self.matrix + ops.cast(counts, "int64"))

    def result(self):
        matrix = ops.cast(self.matrix, "float32")
        hits = ops.diagonal(matrix)
        truth, answer = ops.sum(matrix, axis=1), ops.sum(matrix, axis=0)
        union = truth + answer - hits
        occurring = ops.sum(ops.cast(union > 0, "float32"))
        ious = ops.divide_no_nan(hits, union)
        return {
            "pixel_accuracy": ops.divide_no_nan(ops.sum(hits), ops.sum(truth)),
            "mean_iou": ops.divide_no_nan(ops.sum(ious), occurring),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "classes": self.classes,
            "ignored": self.ignored,
            "axis": self.axis,
        }
