"""The paper's error rates as Keras metrics."""

import keras
from keras import ops

from keras_pyconv import arguments


@keras.saving.register_keras_serializable(package="keras_pyconv")
class TopKError(keras.metrics.Mean):
    """The share of images whose class is not among the k that score highest.

    Scores that are no numbers are wrong. Images of weight 0 do not count; Keras
    passes weights on where the metric is one of `weighted_metrics`.

    Args:
        k: int, how many classes may be named.
        name: string; `top1_error`, `top5_error` and so on by default.

    Call arguments:
        y_true: classes as ints `(batch,)` or `(batch, 1)`, or one-hot rows
            `(batch, classes)`, of which the largest entry counts.
        y_pred: probabilities or logits `(batch, classes)`.

    Example:

    ```python
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        weighted_metrics=[TopKError(1), TopKError(5)],
    )
    ```
    """

    def __init__(self, k=1, name=None, **kwargs):
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
