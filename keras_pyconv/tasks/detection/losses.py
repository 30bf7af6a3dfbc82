"""SSD's loss: smooth L1 for boxes, cross-entropy with hard negatives.

Both are divided, image by image, by the number of positive boxes, so that no
count is summed over replicas, and an image without objects has no loss at all.
"""

from typing import Any

import keras
from keras import ops

from keras_pyconv import arguments

NEGATIVES = 3  # for each positive box


def _by_positives(total, count):
    """`total / count`, and 0 without positives."""
    return ops.where(count > 0, total / ops.maximum(count, 1.0), 0.0)


@keras.saving.register_keras_serializable(package="keras_pyconv")
class OffsetLoss(keras.losses.Loss):
    """Smooth L1, summed over the coordinates of the positive boxes.

    `y_true`: `(batch, num_boxes, 5)`, offsets and 1 where a box is positive.
    `y_pred`: `(batch, num_boxes, 4)`, offsets.
    """

    def __init__(self, name: str | None = "offset_loss", **kwargs: Any):
        arguments.text("name", name, optional=True)
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        positive = y_true[..., 4]
        # Keras averages over the coordinates, the reference adds them up.
        distance = 4 * keras.losses.huber(y_true[..., :4], y_pred, delta=1.0)
        total = ops.sum(distance * positive, axis=1)
        return _by_positives(total, ops.sum(positive, axis=1))


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ClassLoss(keras.losses.Loss):
    """Cross-entropy of the positive boxes and of the hardest negatives.

    Three times as many negatives as positives count.

    `y_true`: `(batch, num_boxes)`, classes, 0 for the background.
    `y_pred`: `(batch, num_boxes, classes)`, logits.
    """

    def __init__(self, name: str | None = "class_loss", **kwargs: Any):
        arguments.text("name", name, optional=True)
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        entropy = keras.losses.sparse_categorical_crossentropy(
            ops.cast(y_true, "int32"), y_pred, from_logits=True
        )
        positive = ops.cast(y_true > 0, entropy.dtype)
        count = ops.sum(positive, axis=1)
        # Positives go to the end with 0, and add nothing if they are taken.
        hardest = -ops.sort(-entropy * (1 - positive), axis=1)
        boxes = y_pred.shape[1] or ops.shape(y_pred)[1]
        rank = ops.arange(boxes, dtype="int32")
        taken = ops.cast(rank, count.dtype) < NEGATIVES * count[:, None]
        total = ops.sum(entropy * positive, axis=1)
        total += ops.sum(ops.where(taken, hardest, 0.0), axis=1)
        return _by_positives(total, count)


def detection_losses() -> dict:
    """What `model.compile(loss=...)` takes for a detector."""
    return {"offsets": OffsetLoss(), "logits": ClassLoss()}
