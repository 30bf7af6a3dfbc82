"""Pixel accuracy and mean IoU from one confusion matrix (paper, section 5).

The fact a reader would get wrong: both are of the whole set. The mean of the
pictures' accuracies, or of their IoUs, is another and larger number.
"""

import keras
import numpy as np
from keras import ops

from keras_pyconv import arguments
from keras_pyconv.tasks.segmentation.classes import IGNORED
from keras_pyconv.tasks.segmentation.losses import check_ignored, pixel_losses

ABSENT = ("skip", "zero")


def _square(matrix):
    found = arguments.array("matrix", matrix, 2).astype("float64")
    if len(found) != found.shape[1]:
        arguments.refuse("matrix", matrix, "square")
    return found


def class_iou(matrix) -> np.ndarray:
    """Intersection over union of every class, NaN where it never occurs.

    Args:
        matrix: `(classes, classes)` counts of pixels, by truth and
            prediction.
    """
    matrix = _square(matrix)
    hits = np.diag(matrix)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    return np.divide(
        hits, union, out=np.full_like(hits, np.nan), where=union > 0
    )


def mean_iou(matrix, absent: str = "skip") -> float:
    """The mean of `class_iou`.

    Args:
        matrix: As in `class_iou`.
        absent: `"skip"` leaves out classes that occur neither in truth nor
            in prediction; `"zero"` counts them 0, as the authors' code does.
            On a set that has every class, such as ADE20K's validation, it is
            the same.

    Raises:
        ValueError: if `absent` is another word.
    """
    arguments.one_of("absent", absent, ABSENT)
    ious = class_iou(matrix)
    if absent == "zero":
        return float(np.nan_to_num(ious).mean())
    occurring = ious[~np.isnan(ious)]
    return float(occurring.mean()) if occurring.size else float("nan")


def pixel_accuracy(matrix) -> float:
    """Right pixels over all valid ones."""
    matrix = _square(matrix)
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def _check_labels(classes, ignored, axis, name=None):
    # Its square is counted in 32 bits.
    arguments.integer("classes", classes, at_most=2**15)
    check_ignored(ignored, axis, name)


def confusion_counts(truth, answers, classes, ignored=IGNORED, axis=-1):
    """Pixels by truth and prediction, without those that have no class.

    Args:
        truth: Labels `(..., height, width)`, or with an axis of 1 for the
            classes.
        answers: Logits or probabilities with an axis of `classes`, or labels
            of the shape of the truth's.
        classes: Number of classes.
        ignored: The label that is no class; other labels outside of the
            classes are left out too.
        axis: Axis of the classes.

    Returns:
        int32 tensor `(classes, classes)`.
    """
    _check_labels(classes, ignored, axis)
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

    Float32 would stop counting at 16.8 million pixels, and a validation set
    has hundreds of millions.

    Args:
        classes: Number of classes.
        ignored: The label that is no class. Other labels outside of the
            classes are left out too.
        axis: Axis of the classes in the logits.
        name: Name of the metric.

    Call arguments:
        y_true: Labels `(..., height, width)`, or with an axis of 1 for the
            classes.
        y_pred: Logits or probabilities with an axis of `classes`, or labels
            of the shape of the truth's.

    Returns:
        From `result`: `{"pixel_accuracy": ..., "mean_iou": ...}`, the mean
        over the classes that occur. The counts are in `matrix`.
    """

    def __init__(
        self, classes, ignored=IGNORED, axis=-1, name="confusion", **kwargs
    ):
        _check_labels(classes, ignored, axis, name)
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
        del sample_weight
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


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PixelLoss(keras.metrics.Mean):
    """Mean cross-entropy over the valid pixels of a whole set.

    `SegmentationLoss` over a set is the mean of its batches' means, in which
    the pixels of a batch with few valid ones count more.

    Args:
        ignored: The label that is no class.
        axis: Axis of the classes in the logits.
        name: Name of the metric.

    Call arguments:
        y_true: Labels `(batch, height, width)`, or with an axis of 1 for the
            classes.
        y_pred: Logits `(batch, height, width, classes)`.
    """

    def __init__(self, ignored=IGNORED, axis=-1, name="pixel_loss", **kwargs):
        check_ignored(ignored, axis, name)
        super().__init__(name=name, **kwargs)
        self.ignored = ignored
        self.axis = axis

    def update_state(self, y_true, y_pred, sample_weight=None):
        del sample_weight
        losses, valid = pixel_losses(y_true, y_pred, self.ignored, self.axis)
        return super().update_state(losses, ops.cast(valid, losses.dtype))

    def get_config(self):
        config = {"ignored": self.ignored, "axis": self.axis}
        return {**super().get_config(), **config}
