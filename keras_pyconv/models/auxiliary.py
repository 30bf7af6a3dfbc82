"""A network with a second classifier that works in training alone.

Segmentation networks learn with an auxiliary classifier on an inner stage,
whose loss counts 0.4 (paper, section 5).
"""

from collections.abc import Mapping
from typing import Any

import keras

from keras_pyconv import arguments
from keras_pyconv.typing import Tensor
from keras_pyconv.weights.described import Describes, note_like

AUXILIARY_WEIGHT = 0.4


@keras.saving.register_keras_serializable(package="keras_pyconv")
class AuxiliaryModel(Describes, keras.Model):
    """Functional model whose auxiliary output exists in training alone.

    `model(x, training=True)`, as in `fit`, gives `{"logits": ...,
    "aux_logits": ...}`. Every other call, `predict`, `evaluate` and an export
    give the logits alone, without computing the rest. `compile` takes one
    loss and metrics of the logits; in training the same loss of the auxiliary
    logits is added, times the loss's attribute `auxiliary_weight` where it has
    one, else 0.4.

    Args:
        inputs: Keras tensor of the images.
        outputs: `{"logits": tensor, "aux_logits": tensor}`.
        name: Name of the model.
    """

    def __init__(
        self,
        inputs: Tensor,
        outputs: Mapping[str, Tensor],
        name: str | None = None,
        **kwargs: Any
    ):
        arguments.layer_name("name", name)
        arguments.instance("outputs", outputs, dict)
        with arguments.told("outputs", outputs):
            logits, _ = outputs["logits"], outputs["aux_logits"]
        with arguments.told("inputs", inputs):
            keras.Model(inputs, logits)
        super().__init__(inputs, outputs, name=name, **kwargs)
        logits_model = keras.Model(inputs, outputs["logits"], name=self.name)
        # Held by a function, since Keras would count an attribute's layers,
        # which are this model's own, a second time.
        self._inference = lambda: logits_model

    def call(self, inputs, training=None, mask=None):
        if training:
            return super().call(inputs, training=training, mask=mask)
        return self._inference().call(inputs, training=training, mask=mask)

    def compute_output_spec(self, inputs, training=None, mask=None):
        if training:
            return super().compute_output_spec(inputs)
        return self._inference().compute_output_spec(inputs)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        logits, aux_logits = y_pred["logits"], y_pred["aux_logits"]
        loss = super().compute_loss(x, y, logits, sample_weight, training)
        function = keras.losses.get(self.loss)
        weight = getattr(function, "auxiliary_weight", AUXILIARY_WEIGHT)
        if sample_weight is None:
            return loss + weight * keras.ops.mean(function(y, aux_logits))
        auxiliary = function(y, aux_logits, sample_weight=sample_weight)
        return loss + weight * keras.ops.mean(auxiliary)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if isinstance(y_pred, dict):
            y_pred = y_pred["logits"]
        return super().compute_metrics(x, y, y_pred, sample_weight)


def inference_model(model: keras.Model) -> keras.Model:
    """The model without what works in training alone, for serving.

    Args:
        model: Any model.

    Returns:
        A functional model from the same inputs to the logits, sharing the
        layers, for an `AuxiliaryModel`; any other model as it is.
    """
    arguments.instance("model", model, keras.Model)
    if not isinstance(model, AuxiliaryModel):
        return model
    made = keras.Model(model.input, model.output["logits"], name=model.name)
    return note_like(made, model)
