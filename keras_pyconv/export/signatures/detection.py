"""The signatures of a detector: detections, not raw outputs.

Each image has as many rows as it may have detections.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.classifier import (
    checked_labels,
    default_signature,
    named,
)
from keras_pyconv.export.signatures.images import example_images, file_signature
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.detection import DecodeDetections, stretch
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import Preprocessing, normalization_of

OUTPUTS = {"offsets", "logits"}
_MEANINGS = {
    "scores": "from 0 to 1, descending",
    "classes": "class numbers from 0; -1 after the last detection",
    "labels": "names of these classes",
    "num_detections": "number of detections",
}


def _check(seen):
    output = seen.model.output
    if not isinstance(output, dict) or not OUTPUTS <= set(output):
        raise ValueError(
            "`model` must give 'offsets' and 'logits' for its default boxes, "
            f"as PyConvSSD does. Received: {seen.name!r}, which gives outputs "
            f"of shape {seen.output_shapes}"
        )


def detection_signatures(
    model: keras.Model,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    **options: Any,
) -> list[Signature]:
    """What a server of detections takes and gives.

    Args:
        model: a `PyConvSSD` or `SSD` of a fixed image size, channels last.
        labels: names of the classes, the background left out; None takes
            the model's own (`describe`), or their numbers as text.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default the model's own, or ImageNet's.
        **options: of `DecodeDetections`.

    Returns:
        List of `Signature`: `serving_default` takes prepared images and
        gives boxes as fractions, `serve_bytes` takes JPEG or PNG files and
        gives boxes in pixels of each. Boxes are ymin, xmin, ymax, xmax.

    Raises:
        ValueError: the model is no detector of a fixed size, or there is not
            one label for each class.

    Example:

    >>> signatures = detection_signatures(model, COCO_NAMES)
    >>> keras_pyconv.export.saved_model(
    ...     model, "saved_models/ssd", signatures=signatures
    ... )
    """
    seen = inspect(model)
    _check(seen)
    classes = model.output["logits"].shape[-1] - 1
    labels = checked_labels(labels, classes, model)
    layer = DecodeDetections.for_model(model, **options)
    height, width = shape = tuple(layer.settings["image_shape"])
    rule = preprocessing or Preprocessing(**normalization_of(model))
    sized = dataclasses.replace(rule, size=height, resize=height)
    steps = f"stretched to {height} x {width} pixels with antialiasing"
    record = Recorded(sized, labels, steps=steps)

    def answer(outputs):
        found = layer(outputs)
        classes = tf.cast(found["labels"], tf.int64)
        return {
            "boxes": found["boxes"],
            "scores": found["scores"],
            "classes": classes,
            "labels": tf.where(classes < 0, "", named(classes, labels)),
            "num_detections": found["count"],
        }

    def prepare(file):
        image = decode_image(file, exif=rule.exif)
        sides = tf.cast(tf.shape(image)[:2], tf.float32)
        return stretch(image, *shape, rule), sides

    def of_files(served, images, sides):
        found = answer(served(images))
        boxes = tf.clip_by_value(found["boxes"], 0.0, 1.0)
        found["boxes"] = boxes * tf.tile(sides, [1, 2])[:, tf.newaxis]
        return found

    corners = "ymin, xmin, ymax, xmax"
    return [
        default_signature(
            seen,
            answer,
            {"boxes": f"{corners} as fractions", **_MEANINGS},
            "Preprocessed images, see Preprocessing.",
        ),
        file_signature(
            of_files,
            prepare,
            [(*shape, 3), (2,)],
            lambda count: example_images(count, 2 * height, 2 * width + 16),
            meaning="JPEG or PNG files of any size. An unreadable file gets -1 "
            "detections.",
            outputs={"boxes": f"{corners} in pixels of the file", **_MEANINGS},
            recorded=record,
        ),
    ]
