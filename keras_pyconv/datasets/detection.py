"""Batches of images with boxes, for detectors to learn from and be judged.

Crowds teach nothing, so that what they cover counts as background. An image
without objects has no loss; `with_objects_only` of `detection_set` leaves it
out, as the reference does.
"""

import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.broken import BrokenPictures
from keras_pyconv.datasets.detection_augmentation import (
    colour_jitter,
    crop_boxes,
    in_pixels,
    random_flip,
    random_window,
)
from keras_pyconv.datasets.stream import (
    apart,
    map_or_substitute,
    training_stream,
)
from keras_pyconv.tasks.detection import encode_targets, stretch
from keras_pyconv.tasks.detection.matching import check_boxes
from keras_pyconv.tasks.image import decode_window
from keras_pyconv.tasks.preprocessing import Preprocessing, normalize

_CROP, _COLOUR, _FLIP = range(3)


def usable_objects(example):
    """Boxes and labels of an example, without crowds and boxes of no area."""
    boxes = example["boxes"]
    sides = boxes[:, 2:] - boxes[:, :2]
    used = tf.reduce_all(sides > 0, axis=1) & ~example["crowds"]
    labels = tf.boolean_mask(example["labels"], used)
    return tf.boolean_mask(boxes, used), labels


def _crop_of_file(encoded, boxes, labels, seed, orientation):
    """Decodes a random window; of a JPEG nothing but that window."""
    window = random_window(boxes, seed)
    picture, cut, sides = decode_window(
        encoded,
        lambda height, width: in_pixels(window, height, width),
        orientation,
    )
    # Where a window of whole pixels really is.
    sides = tf.cast(tf.tile(sides, [2]), tf.float32)
    window = tf.cast(cut, tf.float32) / sides
    return (picture, *crop_boxes(boxes, labels, window))


def augmented(
    encoded, boxes, labels, seed, shape, preprocessing, orientation=None
):
    """A random view of an image, and boxes and labels of what is left in it."""
    picture, boxes, labels = _crop_of_file(
        encoded, boxes, labels, apart(seed, _CROP), orientation
    )
    picture = tf.image.resize(picture, shape, antialias=True)
    picture = colour_jitter(picture, apart(seed, _COLOUR))
    picture, boxes = random_flip(picture, boxes, apart(seed, _FLIP))
    picture = tf.ensure_shape(picture, (*shape, 3))
    return normalize(picture, preprocessing), boxes, labels


def training_scenes(
    scenes,
    default_boxes,
    shape,
    preprocessing=None,
    *,
    batch_size,
    seed,
    augment=True,
    broken=None,
    shuffle_buffer=4096,
    shard=(0, 1),
):
    """Batches to train a detector on, which can begin at any step.

    SSD's random crop, stretched to the network's size, colours and a flip. An
    image that TensorFlow does not decode is decoded by Pillow and taken as it
    is. One that nothing decodes keeps its place as the mean colour without
    objects, and `broken` counts it.

    Args:
        scenes: the `DetectionSet`.
        default_boxes: what `keras_pyconv.tasks.default_boxes(model)` gives.
        shape: height and width of the network's images.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default ImageNet's.
        batch_size, seed, shard: as in `training_stream`.
        augment: whether to crop, flip and change colours.
        broken: a `BrokenPictures`; None makes one for this set.
        shuffle_buffer: how many encoded images of TFDS to shuffle among;
            files are shuffled all.

    Returns:
        A function `batches(first_step=0)` to a `tf.data.Dataset` of float32
        images `(batch, *shape, 3)` and targets as `encode_targets` gives
        them, each with the batch in front; see `training_stream`.
    """
    preprocessing = preprocessing or Preprocessing()
    arguments.examples("scenes", scenes)
    arguments.flag("augment", augment)
    check_boxes(default_boxes=default_boxes)
    shape = arguments.integers("shape", shape, 2)
    broken = broken or BrokenPictures.among(scenes)

    def prepare(example, seed):
        boxes, labels = usable_objects(example)
        if augment:
            picture, boxes, labels = augmented(
                scenes.encoded(example),
                *(boxes, labels, seed, shape, preprocessing),
                example.get("orientation"),
            )
        else:
            picture = stretch(scenes.decoded(example), *shape, preprocessing)
        return picture, encode_targets(default_boxes, boxes, labels)

    def substitute(example, seed):
        decoded = broken.decode(scenes, example, preprocessing)
        decoded = scenes.turned(decoded, example)
        boxes, labels = usable_objects(example)
        # One pixel stands for an image that nothing decodes.
        there = tf.fill(tf.shape(labels), tf.size(decoded) > 3)
        picture = stretch(decoded, *shape, preprocessing)
        return picture, encode_targets(
            default_boxes,
            tf.boolean_mask(boxes, there),
            tf.boolean_mask(labels, there),
        )

    return training_stream(
        scenes.examples,
        scenes.count,
        prepare,
        batch_size=batch_size,
        seed=seed,
        # Files are shuffled by their names already.
        shuffle_buffer=None if scenes.are_files else shuffle_buffer,
        shard=shard,
        substitute=substitute,
        digest=scenes.digest,
    )


def evaluation_scenes(
    scenes, shape, preprocessing=None, *, batch_size, broken=None
):
    """All images once, in their order, for `evaluate_detector`.

    Args:
        scenes, shape, preprocessing, broken: as in `training_scenes`.
        batch_size: images in a batch; the last one may be smaller.

    Returns:
        `tf.data.Dataset` of float32 images `(batch, *shape, 3)`, int64 ids
        `(batch,)`, of strings where a file's are text, and int32 heights and
        widths `(batch, 2)` in pixels.
    """
    preprocessing = preprocessing or Preprocessing()
    arguments.examples("scenes", scenes)
    shape = arguments.integers("shape", shape, 2)
    arguments.integer("batch_size", batch_size)
    broken = broken or BrokenPictures.among(scenes)

    def prepared(decoded, example):
        picture = stretch(decoded, *shape, preprocessing)
        return picture, example["id"], tf.shape(decoded)[:2]

    def prepare(example):
        return prepared(scenes.decoded(example), example)

    def substitute(example):
        decoded = broken.decode(scenes, example, preprocessing)
        return prepared(scenes.turned(decoded, example), example)

    dataset = map_or_substitute(scenes.examples(None), prepare, substitute)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
