"""Cross-entropy of classes, given as numbers or as rows of shares."""

from typing import Any

import keras
from keras import ops

from keras_pyconv import arguments


@keras.saving.register_keras_serializable(package="keras_pyconv")
class Crossentropy(keras.losses.Loss):
    """Keras's cross-entropy with label smoothing, for either form of target.

    A network that learns from mixed images, whose targets are rows, is
    evaluated by numbers with the same loss.

    Args:
        label_smoothing: share of a target, in [0, 1), spread over all classes.
        name: name of the loss.
        **kwargs: those of `keras.losses.Loss`.

    Call arguments:
        y_true: class numbers `(batch,)` or `(batch, 1)`, or shares
            `(batch, classes)`.
        y_pred: probabilities `(batch, classes)`.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        name: str | None = "crossentropy",
        **kwargs: Any
    ):
        arguments.rate("label_smoothing", label_smoothing)
        arguments.text("name", name, optional=True)
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        if len(y_true.shape) < len(y_pred.shape):
            # Keras has made floating-point numbers of them.
            y_true = ops.cast(y_true, "int32")
            if not self.label_smoothing:
                return keras.losses.sparse_categorical_crossentropy(
                    y_true, y_pred
                )
            y_true = ops.one_hot(y_true, y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            y_true, y_pred, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
