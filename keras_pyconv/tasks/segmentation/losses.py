"""Cross-entropy over the pixels that have a class (paper, section 5).

The fact a reader would get wrong: the mean is over the valid pixels of the
global batch. The mean of the replicas' means weighs a picture that is mostly
ignored like one that is labelled throughout, and is NaN where all is ignored.
"""

import keras
from keras import ops

from keras_pyconv import arguments
from keras_pyconv.models.auxiliary import AUXILIARY_WEIGHT
from keras_pyconv.tasks.segmentation.classes import IGNORED

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def _over_replicas(count):
    """The sum over the replicas of a distributed step."""
    if keras.backend.backend() != "tensorflow":
        return count
    if tf.distribute.in_cross_replica_context():
        return count
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return count
    return tf.distribute.get_replica_context().all_reduce("sum", count)


def check_ignored(ignored, axis, name=None):
    """Refuses what is no label, no axis or no name."""
    arguments.integer("ignored", ignored, -arguments.MOST)
    arguments.integer("axis", axis, -9, 9)
    arguments.text("name", name, optional=True)


def pixel_losses(y_true, y_pred, ignored=IGNORED, axis=-1):
    """Cross-entropy of every pixel, 0 where it is ignored, and where it counts.

    Args:
        y_true: Labels `(batch, height, width)`, or with an axis of 1 for the
            classes.
        y_pred: Logits, with an axis of the classes.
        ignored: The label that is no class.
        axis: Axis of the classes.

    Returns:
        Floats and bools `(batch, height, width)`.
    """
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

    An `AuxiliaryModel` adds its auxiliary head's loss, times
    `auxiliary_weight`, in training. Each replica's loss is its share of the
    global mean, so that the summed gradients are those of one device.

    Args:
        ignored: The label that is no class.
        auxiliary_weight: What the auxiliary head's loss counts.
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
        ignored=IGNORED,
        auxiliary_weight=AUXILIARY_WEIGHT,
        axis=-1,
        name="segmentation_loss",
        **kwargs,
    ):
        check_ignored(ignored, axis, name)
        arguments.number("auxiliary_weight", auxiliary_weight, 0)
        # `call` returns the mean itself, which no reduction changes.
        super().__init__(name=name, **{**kwargs, "reduction": "sum"})
        self.ignored = ignored
        self.auxiliary_weight = auxiliary_weight
        self.axis = axis

    def call(self, y_true, y_pred):
        losses, valid = pixel_losses(y_true, y_pred, self.ignored, self.axis)
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
