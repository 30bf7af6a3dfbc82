"""The signatures of a detector: detections, not raw outputs.

Where files are sent, boxes come back in pixels of each image as it was sent;
where prepared images are sent, nobody knows the sizes that they had, so boxes
are fractions. There are always as many rows as an image may have detections;
`num_detections` says how many of them are some.
"""

import dataclasses
import functools

from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.classifier import (
    checked_labels,
    default_signature,
    named,
)
from keras_pyconv.export.signatures.images import (
    example_images,
    file_signature,
    map_files,
    only_readable,
)
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.detection import DecodeDetections, stretch
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import Preprocessing

OUTPUTS = {"offsets", "logits"}
_MEANINGS = {
    "scores": "from 0 to 1, descending",
    "classes": "labels from 0, -1 behind the last detection",
    "labels": "their names",
    "num_detections": "how many rows are detections",
}


def _check(seen):
    """Refuses what is no detector."""
    output = seen.model.output
    if not isinstance(output, dict) or not OUTPUTS <= set(output):
        raise ValueError(
            "`model` must give 'offsets' and 'logits' for its default boxes, "
            f"as PyConvSSD does. Received: {seen.name!r}, which gives outputs "
            f"of shape {seen.output_shapes}"
        )


def detection_signatures(model, labels=None, preprocessing=None, **options):
    """What a server of detections takes and gives.

    Args:
        model: a `PyConvSSD` or `SSD` of a fixed image size, channels last.
        labels: names of the classes, the background left out; None gives
            their numbers as text.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default ImageNet's.
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
    labels = checked_labels(labels, model.output["logits"].shape[-1] - 1)
    layer = DecodeDetections.for_model(model, **options)
    height, width = shape = tuple(layer.settings["image_shape"])
    rule = preprocessing or Preprocessing()
    record = Recorded(
        dataclasses.replace(rule, size=height, resize=height),
        labels,
        steps=f"stretched to {height} x {width} pixels with antialiasing",
    )

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

    def of_files(served, files):
        batch, sides, readable = map_files(files, prepare, (*shape, 3), (2,))
        found = answer(served(batch))
        boxes = tf.clip_by_value(found["boxes"], 0.0, 1.0)
        found["boxes"] = boxes * tf.tile(sides, [1, 2])[:, tf.newaxis]
        return only_readable(found, readable)

    corners = "ymin, xmin, ymax, xmax"
    return [
        default_signature(
            seen,
            answer,
            {"boxes": f"{corners} as fractions", **_MEANINGS},
            "Prepared images: what the network itself takes, see Pictures.",
        ),
        file_signature(
            of_files,
            functools.partial(
                example_images, height=2 * height, width=2 * width + 16
            ),
            meaning="Files of pictures, JPEG or PNG, of any size. One that "
            "cannot be read has -1 detections.",
            outputs={"boxes": f"{corners} in pixels of it", **_MEANINGS},
            recorded=record,
        ),
    ]
