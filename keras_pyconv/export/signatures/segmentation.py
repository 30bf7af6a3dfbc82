"""The signatures of a segmentation network: label maps, not logits.

An image is shown to it whole, fitted into its square, and not in windows at
many scales as by `evaluate_segmentation`.
"""

import dataclasses
from collections.abc import Sequence

import keras

from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.classifier import (
    checked_labels,
    default_signature,
)
from keras_pyconv.export.signatures.images import example_images, file_signature
from keras_pyconv.export.signatures.recorded import FILE as RECORD
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    normalization_of,
    normalize,
)
from keras_pyconv.tasks.resizing import resize

SIDE = 473
LARGEST = 1024  # pixels to which logits are enlarged; beyond, labels are
MOST_CLASSES = 256  # what a gray PNG can hold


def _fitted(image, side, rule):
    """The image in the corner of a square, and its sides there.

    What remains has the mean colour, which is zero once normalized.
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    inner = tf.round(side * sides / tf.reduce_max(sides))
    inner = tf.cast(tf.maximum(inner, 1.0), tf.int32)
    pixels = normalize(resize(image, inner), rule)
    return tf.image.pad_to_bounding_box(pixels, 0, 0, side, side), inner


def _mask(logits, sides):
    """The PNG of the labels of one image, at its original size."""
    # Those of an image that could not be read are 0.
    inner, outer = tf.split(tf.maximum(sides, 1), 2)
    shrink = LARGEST / tf.cast(tf.reduce_max(outer), tf.float32)
    middle = tf.cast(outer, tf.float32) * tf.minimum(shrink, 1.0)
    middle = tf.cast(tf.maximum(tf.round(middle), 1.0), tf.int32)
    logits = tf.image.resize(logits[: inner[0], : inner[1]], middle)
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
    labels = tf.cast(labels[..., tf.newaxis], tf.uint8)
    return tf.io.encode_png(tf.image.resize(labels, outer, "nearest"))


def _side(seen):
    """Pixels of a side of the square that the network takes."""
    shape, shapes = seen.shapes[0], seen.output_shapes
    pairs = zip(shape[:2], shapes[0][1:3])
    same = all(None in pair or pair[0] == pair[1] for pair in pairs)
    if len(shapes) != 1 or len(shapes[0]) != 4 or not same:
        raise ValueError(
            "A segmentation network has one output, the logits of every pixel, "
            "of shape (batch, height, width, classes) and the image's size. "
            f"{seen.name!r} takes {(None, *shape)} and gives outputs of shape "
            f"{shapes}."
        )
    if shapes[0][-1] > MOST_CLASSES:
        raise ValueError(
            f"A PNG mask can hold {MOST_CLASSES} classes. The model "
            f"{seen.name!r} has {shapes[0][-1]}."
        )
    if len(shape) != 3 or shape[-1] != 3 or shape[0] != shape[1]:
        raise ValueError(
            "The model must take color images, square or of any size. "
            f"{seen.name!r} takes {shape}."
        )
    return shape[0] or SIDE


def segmentation_signatures(
    model: keras.Model,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
) -> list[Signature]:
    """What a server of label maps takes and gives.

    Args:
        model: a `PyConvSegNet`, channels last, to logits at the image's
            size; of any size or of a square.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default ImageNet's.
        labels: name of every class, which clients find in the version's
            `assets.extra/keras_pyconv.json`, or None.

    Returns:
        List of `Signature`: `serving_default` takes prepared images and
        gives `labels`, uint8 `(batch, height, width)`; `serve_bytes` takes
        JPEG or PNG files and gives `mask_bytes`, one PNG file for each, empty
        where the file cannot be read.

    Raises:
        ValueError: the model takes no colour images, gives anything but
            logits at their size, has more than 256 classes, or there is not
            one label for each.

    Example:

    >>> signatures = segmentation_signatures(model)
    >>> keras_pyconv.export.saved_model(
    ...     model, "saved_models/segnet", signatures=signatures
    ... )
    """
    seen = inspect(model)
    side = _side(seen)
    labels = checked_labels(labels, seen.output_shapes[0][-1], model)
    rule = preprocessing or Preprocessing(**normalization_of(model))
    square = dataclasses.replace(rule, size=side, resize=side)
    steps = f"its long side resized to {side} pixels with antialiasing (what a "
    steps += "square then lacks below or on the right is 0 after the rest)"
    record = Recorded(square, labels, steps=steps)
    meaning = "classes from 0" + f", named in `{RECORD}`" * bool(labels)

    def of_prepared(outputs):
        (logits,) = keras.tree.flatten(outputs)
        found = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {"labels": tf.cast(found, tf.uint8)}

    def prepare(file):
        image = decode_image(file, exif=rule.exif)
        square, inner = _fitted(image, side, rule)
        sides = tf.concat([inner, tf.shape(image)[:2]], axis=0)
        return square, tf.cast(sides, tf.float32)

    def of_files(served, squares, sides):
        (logits,) = keras.tree.flatten(served(squares))
        pairs = logits, tf.cast(sides, tf.int32)
        masks = tf.map_fn(
            lambda pair: _mask(*pair), pairs, fn_output_signature=tf.string
        )
        return {"mask_bytes": masks}

    return [
        default_signature(
            seen,
            of_prepared,
            {"labels": meaning},
            "Prepared images, see Pictures, to the class of every pixel.",
            recorded=record,
        ),
        file_signature(
            of_files,
            prepare,
            [(side, side, 3), (4,)],
            lambda count: example_images(count, side, side * 4 // 3),
            meaning="JPEG or PNG files to masks of the same size.",
            outputs={
                "mask_bytes": f"a gray PNG for each, of {meaning}; empty "
                "where the file cannot be read"
            },
        ),
    ]
