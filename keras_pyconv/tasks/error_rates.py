"""Top-1 and top-5 error of a classifier (paper, section 5).

Scores that are not a number count as wrong.
"""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pyconv import arguments
from keras_pyconv.lazy import tf

RANKS = {"top1_error": 1, "top5_error": 5}


@dataclasses.dataclass(frozen=True)
class Answers:
    """The truth of each image, the best class, `hits`, and how many classes."""

    labels: np.ndarray
    best: np.ndarray
    hits: np.ndarray
    classes: int

    def errors(self) -> dict[str, float]:
        """`{"top1_error": ..., "top5_error": ...}`, between 0 and 1."""
        return dict(zip(RANKS, (1 - self.hits.mean(axis=0)).tolist()))

    def errors_by_class(self) -> np.ndarray:
        """(classes, ranks) errors; NaN for a class without images."""
        counts = np.bincount(self.labels, minlength=self.classes)
        found = [
            np.bincount(self.labels, of_rank, self.classes)
            for of_rank in self.hits.T
        ]
        with np.errstate(invalid="ignore"):
            return 1 - np.stack(found, axis=1) / counts[:, np.newaxis]

    def confusion(self) -> np.ndarray:
        """(classes, classes) counts: rows are the truth, columns the best."""
        pairs = self.labels * self.classes + self.best
        counts = np.bincount(pairs, minlength=self.classes**2)
        return counts.reshape(self.classes, self.classes)


def hits(scores, labels):
    """Whether the true class is among the best 1 and the best 5, bools."""
    scores = tf.cast(scores, tf.float32)
    found = [tf.math.in_top_k(labels, scores, k) for k in RANKS.values()]
    return tf.stack(found, axis=1)


@keras.saving.register_keras_serializable(package="keras_pyconv")
class TopKError(keras.metrics.Mean):
    """Top-k error as a Keras metric.

    Images of weight 0 do not count; Keras passes weights on where the metric
    is one of `weighted_metrics`.

    Args:
        k: int, how many classes may be named.
        name: string; `top1_error`, `top5_error` and so on by default.

    Call arguments:
        y_true: classes as ints `(batch,)` or `(batch, 1)`, or one-hot rows
            `(batch, classes)`, of which the largest entry counts.
        y_pred: probabilities or logits `(batch, classes)`.
    """

    def __init__(self, k: int = 1, name: str | None = None, **kwargs: Any):
        arguments.integer("k", k)
        arguments.text("name", name, optional=True)
        super().__init__(name=name or f"top{k}_error", **kwargs)
        self.k = k

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true)
        if len(y_true.shape) == 2:
            one_hot = y_true.shape[-1] != 1
            y_true = ops.argmax(y_true, -1) if one_hot else y_true[:, 0]
        hits = ops.in_top_k(
            ops.cast(y_true, "int32"), ops.cast(y_pred, "float32"), self.k
        )
        errors = 1.0 - ops.cast(hits, self.dtype)
        return super().update_state(errors, sample_weight)

    def get_config(self):
        return {**super().get_config(), "k": self.k}
