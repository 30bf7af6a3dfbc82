"""Which default box answers for which object, and what it must predict.

The reference's rule: a default box takes the object that it overlaps most, if
that is by more than 0.5; besides, every object's best default box is its own,
the later object's if there are two. keras-cv's matcher can force those matches
too, but then also for an object that is not there.
"""

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.library import keras_cv
from keras_pyconv.typing import Tensor

VARIANCES = (0.1, 0.1, 0.2, 0.2)
_BETWEEN = {"anchor_format": "center_xywh", "box_format": "yxyx"}
LARGEST_GROWTH = 10.0  # logarithm of a box's side by its default box's
MIN_OVERLAP = 0.5
# Overlaps are computed in pixels of an image of this side: in fractions
# Keras's epsilon would make the overlap of small boxes with themselves less
# than one.
SIDE = 300.0


def corners(boxes):
    """Centre x, centre y, width, height to ymin, xmin, ymax, xmax."""
    return keras.utils.bounding_boxes.convert_format(
        boxes, source="center_xywh", target="yxyx"
    )


def check_boxes(**boxes):
    """Refuses what are no rows of four numbers."""
    for name, value in boxes.items():
        value = arguments.tensor_like(name, value)
        if value.shape[-1:] != (4,) or len(value.shape) < 2:
            arguments.refuse(name, value, "boxes, rows of four numbers")


def overlaps(default_boxes: Tensor, boxes: Tensor) -> Tensor:
    """Intersection over union, `(num_boxes, objects)` in [0, 1].

    Args:
        default_boxes, boxes: as in `encode`, `boxes` `(objects, 4)`.
    """
    check_boxes(default_boxes=default_boxes, boxes=boxes)
    return keras.utils.bounding_boxes.compute_iou(
        corners(default_boxes) * SIDE, boxes * SIDE, "yxyx"
    )


def match(overlaps: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Assigns objects to default boxes.

    Args:
        overlaps: `(num_boxes, objects)`, at least one object.
        valid: `(objects,)` bool; others are as if not there, and so is an
            object that no default box overlaps.

    Returns:
        `(num_boxes,)` int32 with the object of each box, and `(num_boxes,)`
        bool that says whether the box has one.
    """
    objects = arguments.tensor_like("overlaps", overlaps, (2,)).shape[1]
    flags = arguments.tensor_like("valid", valid, (1,))
    counts = {objects, *flags.shape} - {None}
    good = flags.dtype == bool and len(counts) < 2
    rule = f"a bool for each of the {objects} objects of `overlaps`"
    arguments.check("valid", valid, good, rule)
    overlaps = tf.where(valid, overlaps, -1.0)
    # The matcher takes what reaches its threshold; the rule is to exceed.
    above = float(np.nextafter(np.float32(MIN_OVERLAP), np.float32(1)))
    matcher = keras_cv().layers.BoxMatcher([above], [-1, 1], dtype="float32")
    columns, values = matcher(overlaps)
    objects = tf.shape(overlaps)[1]
    best = tf.argmax(overlaps, axis=0, output_type=tf.int32)
    there = tf.reduce_max(overlaps, axis=0) > 0
    owner = tf.where(there, tf.range(objects), -1)
    forced = tf.math.unsorted_segment_max(
        owner, best, num_segments=tf.shape(overlaps)[0]
    )
    # Boxes that are nobody's best get the lowest integer.
    forced = tf.maximum(forced, -1)
    return tf.where(forced >= 0, forced, columns), (forced >= 0) | (values > 0)


def encode(default_boxes: Tensor, boxes: Tensor) -> Tensor:
    """What a network must predict to turn default boxes into others.

    Args:
        default_boxes: `(num_boxes, 4)`, centre and size in fractions.
        boxes: `(num_boxes, 4)`, ymin, xmin, ymax, xmax in fractions.

    Returns:
        `(num_boxes, 4)`: differences of the centres x and y by size, and
        logarithms of the ratios of width and height, by the variances.
    """
    check_boxes(default_boxes=default_boxes, boxes=boxes)
    return keras.utils.bounding_boxes.encode_box_to_deltas(
        default_boxes,
        boxes,
        encoding_format="center_xywh",
        variance=list(VARIANCES),
        **_BETWEEN,
    )


def decode(default_boxes: Tensor, offsets: Tensor) -> Tensor:
    """The inverse of `encode`, of offsets `(..., num_boxes, 4)`."""
    check_boxes(default_boxes=default_boxes, offsets=offsets)
    # No object is so large, and no box is infinite then.
    sizes = [LARGEST_GROWTH / variance for variance in VARIANCES[2:]]
    most = np.array([np.inf, np.inf, *sizes], "float32")
    return keras.utils.bounding_boxes.decode_deltas_to_boxes(
        default_boxes,
        keras.ops.minimum(offsets, most),
        encoded_format="center_xywh",
        variance=list(VARIANCES),
        **_BETWEEN,
    )


def encode_targets(
    default_boxes: Tensor, boxes: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """The targets of one image, for the losses of `detection_losses`.

    Args:
        default_boxes: `(num_boxes, 4)`, what `default_boxes` returns.
        boxes: `(objects, 4)` float, ymin, xmin, ymax, xmax in fractions of
            the image. A box without area is left out, and so is one that no
            default box overlaps, such as one outside of the image.
        labels: `(objects,)` integers from 0.

    Returns:
        Dictionary of `"offsets"`, float32 `(num_boxes, 5)`, whose last
        column is 1 where the box has an object and 0 elsewhere, and
        `"logits"`, int32 `(num_boxes,)`, the class, 0 for the background.
    """
    check_boxes(default_boxes=default_boxes, boxes=boxes)
    arguments.tensor_like("labels", labels, (1,))
    # One object more, which is not there, so that there is always one.
    boxes = tf.concat([boxes, [[0.0, 0.0, 1.0, 1.0]]], axis=0)
    labels = tf.concat([tf.cast(labels, tf.int32), [0]], axis=0)
    sides = boxes[:, 2:] - boxes[:, :2]
    real = tf.range(tf.shape(labels)[0]) < tf.shape(labels)[0] - 1
    valid = tf.reduce_all(sides > 0, axis=1) & real
    chosen, positive = match(overlaps(default_boxes, boxes), valid)
    offsets = encode(default_boxes, tf.gather(boxes, chosen))
    flag = tf.cast(positive, tf.float32)[:, tf.newaxis]
    return {
        "offsets": tf.concat([offsets * flag, flag], axis=1),
        "logits": tf.where(positive, tf.gather(labels, chosen) + 1, 0),
    }
