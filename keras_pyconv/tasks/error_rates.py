"""Top-1 and top-5 error of a classifier, over all pictures and by class.

Top-k error (paper, section 5): the share of pictures whose class is not among
the k that score highest. The fact a reader would get wrong: scores that are
not a number count as wrong, and so does a class that no score could reach
because it ties with too many others.
"""

import dataclasses

import numpy as np

RANKS = (1, 5)


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a classifier said of pictures whose classes are known.

    Attributes:
        labels: the truth, int array of shape `(pictures,)`.
        best: the class that scores highest, of the same shape.
        hits: bool array of shape `(pictures, ranks)`: whether the truth is
            among the best 1, 5.
        classes: number of classes.
    """

    labels: np.ndarray
    best: np.ndarray
    hits: np.ndarray
    classes: int

    def errors(self) -> dict[str, float]:
        """`{"top1_error": ..., "top5_error": ...}`, between 0 and 1."""
        rates = 1 - self.hits.mean(axis=0)
        return {name: float(rate) for name, rate in zip(names(), rates)}

    def errors_by_class(self) -> np.ndarray:
        """(classes, ranks) errors; NaN for a class without pictures."""
        counts = np.bincount(self.labels, minlength=self.classes)
        with np.errstate(invalid="ignore"):
            return np.stack(
                [
                    1 - np.bincount(self.labels, of_rank, self.classes) / counts
                    for of_rank in self.hits.T
                ],
                axis=1,
            )

    def confusion(self) -> np.ndarray:
        """(classes, classes) counts: rows are the truth, columns the best."""
        pairs = self.labels * self.classes + self.best
        counts = np.bincount(pairs, minlength=self.classes**2)
        return counts.reshape(self.classes, self.classes)


def names(ranks=RANKS) -> list[str]:
    """What the errors are called."""
    return [f"top{rank}_error" for rank in ranks]


def hits(scores, labels, ranks=RANKS):
    """Whether the true class is among those that score highest.

    Args:
        scores: tensor of shape `(batch, classes)`, of probabilities or
            logits.
        labels: int64 tensor of shape `(batch,)`.
        ranks: how many classes may be named.

    Returns:
        Bool tensor of shape `(batch, len(ranks))`.
    """
    import tensorflow as tf

    scores = tf.cast(scores, tf.float32)
    return tf.stack(
        [tf.math.in_top_k(labels, scores, rank) for rank in ranks], axis=1
    )
