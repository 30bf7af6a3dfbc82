"""From raw offsets and logits to detections: softmax, boxes, suppression.

The reference's settings, but that it looks at the 200 best boxes of each class;
all above the score are looked at here. XLA has no such suppression, so a model
with this layer is not compiled, and not one to train.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from keras_pyconv import arguments
from keras_pyconv.tasks.detection.default_boxes import (
    box_settings,
    boxes_of_maps,
)
from keras_pyconv.tasks.detection.matching import decode
from keras_pyconv.tasks.library import counting, keras_cv
from keras_pyconv.weights.described import note_like

SCORE = 0.05
OVERLAP = 0.5
DETECTIONS = 200


@keras.saving.register_keras_serializable(package="keras_pyconv")
class DecodeDetections(keras.layers.Layer):
    """The layer that turns a detector's raw outputs into detections.

    Scores are of the softmax over all classes, the background among them;
    labels count from 0 without it.

    Args:
        box_maps, cells, image_shape, input_size: the arguments of
            `boxes_of_maps`; `for_model` finds them.
        score_threshold: from 0 to 1; lower scores are left out.
        iou_threshold: of two boxes of a class that overlap more than this,
            the one of the lower score is left out.
        max_detections: at most so many an image, the best ones.

    Input shape:
        Dictionary of `"offsets"` `(batch, num_boxes, 4)` and `"logits"`
        `(batch, num_boxes, classes)`.

    Output shape:
        Dictionary of `"boxes"`, float32 `(batch, max_detections, 4)`: ymin,
        xmin, ymax, xmax as fractions of the image, which they may exceed;
        `"labels"`, int32 `(batch, max_detections)` from 0; `"scores"`,
        float32 of the same shape, descending; and `"count"`, int32
        `(batch,)`. Behind the last detection boxes and scores are 0 and
        labels are -1.
    """

    def __init__(
        self,
        box_maps: Sequence[Mapping[str, Any]],
        cells: Sequence[Sequence[int]],
        image_shape: Sequence[int],
        input_size: int,
        score_threshold: float = SCORE,
        iou_threshold: float = OVERLAP,
        max_detections: int = DETECTIONS,
        **kwargs: Any,
    ):
        arguments.number("score_threshold", score_threshold, 0, 1)
        arguments.number("iou_threshold", iou_threshold, 0, 1)
        arguments.integer("max_detections", max_detections)
        # Suppression knows float32 only.
        kwargs["dtype"] = "float32"
        with arguments.told_options(kwargs) as options:
            super().__init__(**options)
        self.settings: dict[str, Any] = {
            "box_maps": box_maps,
            "cells": cells,
            "image_shape": image_shape,
            "input_size": input_size,
        }
        self.score_threshold = float(score_threshold)
        self.iou_threshold = float(iou_threshold)
        self.max_detections = int(max_detections)
        self.default_boxes = boxes_of_maps(**self.settings)
        self.suppression = keras_cv().layers.MultiClassNonMaxSuppression(
            "yxyx",
            from_logits=False,
            iou_threshold=self.iou_threshold,
            confidence_threshold=self.score_threshold,
            max_detections=self.max_detections,
            max_detections_per_class=self.max_detections,
            dtype="float32",
        )
        self.supports_jit = self.suppression.supports_jit = False

    @classmethod
    def for_model(cls, model: keras.Model, **kwargs: Any) -> Self:
        """The layer that fits to a detector's outputs."""
        return cls(**box_settings(model), **kwargs)

    def call(self, inputs):
        boxes = decode(self.default_boxes, inputs["offsets"])
        scores = ops.softmax(inputs["logits"])[..., 1:]
        with counting():
            found = self.suppression(boxes, scores)
        count = ops.cast(found["num_detections"], "int32")
        rows = ops.arange(self.max_detections, dtype="int32")
        there = rows < count[:, None]
        return {
            "boxes": ops.where(there[..., None], found["boxes"], 0.0),
            "labels": ops.where(there, ops.cast(found["classes"], "int32"), -1),
            "scores": ops.where(there, found["confidence"], 0.0),
            "count": count,
        }

    def compute_output_spec(self, inputs):
        batch, rows = inputs["offsets"].shape[0], self.max_detections
        shapes = {
            "boxes": ((batch, rows, 4), "float32"),
            "labels": ((batch, rows), "int32"),
            "scores": ((batch, rows), "float32"),
            "count": ((batch,), "int32"),
        }
        return {name: keras.KerasTensor(*spec) for name, spec in shapes.items()}

    def get_config(self):
        return {
            **super().get_config(),
            **self.settings,
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
            "max_detections": self.max_detections,
        }


def detection_model(model: keras.Model, **options: float) -> keras.Model:
    """A detector that gives detections instead of raw outputs.

    Args:
        model: a model of `PyConvSSD` or `SSD` of a fixed image size; the
            new one shares its weights.
        **options: `score_threshold`, `iou_threshold`, `max_detections`.

    Returns:
        A model from the same images to the output of `DecodeDetections`.

    Raises:
        ValueError: if the model is no detector, or its image size is open.
    """
    layer = DecodeDetections.for_model(model, name="detections", **options)
    outputs, name = layer(model.output), f"{model.name}_detections"
    return note_like(keras.Model(model.input, outputs, name=name), model)
