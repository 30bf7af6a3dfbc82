"""The signatures of a detector: detections, not raw outputs.

Where files are sent, boxes come back in pixels of each image as it was sent;
where prepared images are sent, nobody knows the sizes that they had, so boxes
are fractions. There are always as many rows as an image may have detections;
`num_detections` says how many of them are some.
"""

import dataclasses

from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.classifier import default_signature
from keras_pyconv.export.signatures.images import decode_sized, image_signature
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.detection import DecodeDetections, stretch
from keras_pyconv.tasks.preprocessing import Preprocessing

OUTPUTS = {"offsets", "logits"}
_MEANINGS = {
    "scores": "from 0 to 1, descending",
    "classes": "labels from 0, -1 behind the last detection",
    "labels": "their names",
    "num_detections": "how many rows are detections",
}


def _check(seen, labels):
    """Refuses what is no detector, and labels that are not its own."""
    output = seen.model.output
    if not isinstance(output, dict) or not OUTPUTS <= set(output):
        raise ValueError(
            "A detector gives 'offsets' and 'logits' for its default boxes, "
            f"as PyConvSSD does. {seen.name!r} gives outputs of shape "
            f"{seen.output_shapes}."
        )
    classes = output["logits"].shape[-1] - 1
    if labels is not None and len(labels) != classes:
        raise ValueError(
            f"The detector tells {classes} classes from the background. "
            f"Received {len(labels)} labels."
        )


def _answer(found, labels):
    """A server's outputs from those of `DecodeDetections`."""
    classes = tf.cast(found["labels"], tf.int64)
    names = tf.strings.as_string(classes)
    if labels is not None:
        names = tf.gather(tf.constant(list(labels)), tf.maximum(classes, 0))
    return {
        "boxes": found["boxes"],
        "scores": found["scores"],
        "classes": classes,
        "labels": tf.where(classes < 0, "", names),
        "num_detections": found["count"],
    }


def _unreadable(found, readable):
    """Nothing found, and -1 detections, where no picture could be read."""
    row = readable[:, tf.newaxis]
    return {
        "boxes": tf.where(row[..., tf.newaxis], found["boxes"], 0.0),
        "scores": tf.where(row, found["scores"], 0.0),
        "labels": tf.where(row, found["labels"], -1),
        "count": tf.where(readable, found["count"], -1),
    }


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
    _check(seen, labels)
    layer = DecodeDetections.for_model(model, **options)
    height, width = shape = tuple(layer.settings["image_shape"])
    preprocessing = preprocessing or Preprocessing()
    record = Recorded(
        dataclasses.replace(preprocessing, size=height, resize=height),
        None if labels is None else tuple(labels),
        steps=f"stretched to {height} x {width} pixels with antialiasing",
    )

    def prepare(picture):
        sides = tf.cast(tf.shape(picture)[:2], tf.float32)
        return stretch(picture, *shape, preprocessing), sides

    def of_files(served, files):
        batch, sides, readable = decode_sized(
            files, prepare, (*shape, 3), 2, preprocessing.exif
        )
        found = _unreadable(layer(served(batch)), readable)
        boxes = tf.clip_by_value(found["boxes"], 0.0, 1.0)
        found["boxes"] = boxes * tf.tile(sides, [1, 2])[:, tf.newaxis]
        return _answer(found, labels)

    corners = "ymin, xmin, ymax, xmax"
    return [
        default_signature(
            seen,
            lambda output: _answer(layer(output), labels),
            {"boxes": f"{corners} as fractions", **_MEANINGS},
            "Prepared images: what the network itself takes, see Pictures.",
        ),
        image_signature(
            of_files,
            (2 * height, 2 * width + 16),
            "Files of pictures, JPEG or PNG, of any size. One that cannot be "
            "read has -1 detections.",
            {"boxes": f"{corners} in pixels of it", **_MEANINGS},
            recorded=record,
        ),
    ]
