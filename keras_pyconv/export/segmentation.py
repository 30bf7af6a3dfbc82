"""The signatures of a segmentation network: label maps, not logits.

The facts a reader would get wrong: a file's answer is a picture too, an 8-bit
gray PNG of the size of the picture as it was sent, whose values are classes
from 0; and a picture is shown whole, fitted into the square that the network
sees, not in windows at many scales, which is for `evaluate_segmentation`.
"""

import dataclasses

import keras

from keras_pyconv.export.entry_points import Signature, input_specs
from keras_pyconv.export.pictures import example_pictures, map_strings
from keras_pyconv.export.recorded import FILE as RECORD
from keras_pyconv.export.recorded import Recorded
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    decode_picture,
    normalize,
)
from keras_pyconv.tasks.segmentation.classes import names_of_classes

SIDE = 473
LARGEST = 1024  # pixels to which logits are enlarged; beyond, labels are
MOST_CLASSES = 256  # what a gray PNG can hold


def _fitted(picture, side, preprocessing):
    """The picture in the corner of a square, and its sides there.

    What remains has the mean colour, which is zero once normalized.
    """
    import tensorflow as tf

    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    inner = tf.round(side * sides / tf.reduce_max(sides))
    inner = tf.cast(tf.maximum(inner, 1.0), tf.int32)
    pixels = tf.image.resize(picture, inner, antialias=True)
    pixels = normalize(pixels, preprocessing)
    return tf.image.pad_to_bounding_box(pixels, 0, 0, side, side), inner


def _of_files(encoded, side, preprocessing):
    """Squares, the pictures' sides in them and as sent, and readability."""
    import tensorflow as tf

    def prepare(one):
        picture = decode_picture(one)
        square, inner = _fitted(picture, side, preprocessing)
        sides = tf.concat([inner, tf.shape(picture)[:2]], axis=0)
        values = [tf.reshape(square, [-1]), tf.cast(sides, tf.float32)]
        return tf.concat(values, axis=0)

    numbers = side * side * 3
    values, readable = map_strings(encoded, prepare, (numbers + 4,))
    squares = tf.reshape(values[:, :numbers], (-1, side, side, 3))
    return squares, tf.cast(values[:, numbers:], tf.int32), readable


def _mask(logits, sides):
    """The PNG of one picture's labels at the size as it was sent."""
    import tensorflow as tf

    inner, outer = sides[:2], sides[2:]
    shrink = LARGEST / tf.cast(tf.reduce_max(outer), tf.float32)
    middle = tf.cast(outer, tf.float32) * tf.minimum(shrink, 1.0)
    middle = tf.cast(tf.maximum(tf.round(middle), 1.0), tf.int32)
    logits = tf.image.resize(logits[: inner[0], : inner[1]], middle)
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
    labels = tf.cast(labels[..., tf.newaxis], tf.uint8)
    labels = tf.image.resize(labels, outer, "nearest")
    return tf.io.encode_png(labels)


def _masks(logits, sides, readable):
    """A PNG for each picture, empty for what could not be read."""
    import tensorflow as tf

    def one(element):
        logits, sides, readable = element
        return tf.cond(
            readable, lambda: _mask(logits, sides), lambda: tf.constant(b"")
        )

    return tf.map_fn(
        one, (logits, sides, readable), fn_output_signature=tf.string
    )


def _check_outputs(model):
    """Refuses a model whose output is not the logits of every pixel."""
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    given = tuple(model.inputs[0].shape)
    sides = zip(given[1:3], shapes[0][1:3])
    same = all(None in pair or pair[0] == pair[1] for pair in sides)
    if len(shapes) != 1 or len(shapes[0]) != 4 or not same:
        raise ValueError(
            "A segmentation network has one output, the logits of every pixel, "
            "of shape (batch, height, width, classes) and the image's size. "
            f"{model.name!r} takes {given} and gives outputs of shape {shapes}."
        )


def _check(model):
    _check_outputs(model)
    classes = model.outputs[0].shape[-1]
    shape = tuple(model.inputs[0].shape)[1:]
    if classes > MOST_CLASSES:
        raise ValueError(
            f"A mask's PNG holds {MOST_CLASSES} classes. The model "
            f"{model.name!r} has {classes}."
        )
    if len(shape) != 3 or shape[-1] != 3 or shape[0] != shape[1]:
        raise ValueError(
            "The model must take colour images, square or of any size. "
            f"{model.name!r} takes {shape}."
        )
    return shape[0] or SIDE


def _record(side, preprocessing, labels):
    steps = (
        f"its long side resized to {side} pixels with antialiasing (what a "
        "square then lacks below or on the right is 0 after the rest)"
    )
    made = dataclasses.replace(preprocessing, size=side, resize=side)
    return Recorded(made, labels, steps=steps)


def segmentation_signatures(model, preprocessing=None, labels=None):
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
    import tensorflow as tf

    model = inference_model(model)
    side = _check(model)
    preprocessing = preprocessing or Preprocessing()
    meaning = "classes from 0"
    if labels is not None:
        labels = names_of_classes(model.outputs[0].shape[-1], labels)
        meaning += f", named in `{RECORD}`"
    (images,) = input_specs(model)

    def logits_of(served, batch):
        (logits,) = keras.tree.flatten(served(batch))
        return logits

    def serve(served, tensors):
        logits = logits_of(served, tensors[images.name])
        labels = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return {"labels": tf.cast(labels, tf.uint8)}

    def serve_bytes(served, tensors):
        squares, sides, readable = _of_files(
            tensors["image_bytes"], side, preprocessing
        )
        logits = logits_of(served, squares)
        return {"mask_bytes": _masks(logits, sides, readable)}

    def examples(count):
        return {"image_bytes": example_pictures(count, side, side * 4 // 3)}

    return [
        Signature(
            "serving_default",
            {images.name: images},
            serve,
            meaning="Prepared images, see Pictures, to the class of every "
            "pixel.",
            outputs={"labels": meaning},
            recorded=_record(side, preprocessing, labels),
        ),
        Signature(
            "serve_bytes",
            {"image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes")},
            serve_bytes,
            examples=examples,
            meaning="JPEG or PNG files to masks of the same size.",
            outputs={
                "mask_bytes": f"a gray PNG for each, of {meaning}; empty "
                "where the file cannot be read"
            },
        ),
    ]
