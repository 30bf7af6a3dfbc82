"""Images and masks in step: the augmentation that the paper's networks saw.

OpenCV's nearest pixel, which the authors use for labels, is up to half a pixel
off its bilinear one; here the two agree. keras-cv turns both. Its other layers
do not serve (docs/segmentation.md).
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.datasets.augmentation import Distortion, distorting
from keras_pyconv.datasets.mask_sets import MaskSet
from keras_pyconv.datasets.stream import (
    apart,
    evaluation_batches,
    map_or_substitute,
    training_stream,
)
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.library import keras_cv
from keras_pyconv.tasks.preprocessing import (
    LARGEST_PIXEL,
    Preprocessing,
    normalize,
    of_rows,
)
from keras_pyconv.tasks.segmentation.classes import IGNORED
from keras_pyconv.typing import Batches, Shard

SIDE = 473
SCALES = (0.5, 2.0)
TURN = 10.0  # degrees, to either side
BLUR = 5  # pixels, the side of the kernel
BLUR_DEVIATION = 1.1  # pixels, as OpenCV derives it for 5
HALF = 0.5
# What the seed of an example is for.
_SCALE, _TURN, _BLUR, _FLIP, _CROP, _DISTORT = range(6)


def _draws(seed, use, count):
    return tf.unstack(tf.random.stateless_uniform([count], apart(seed, use)))


def random_scale(image, labels, seed, scales=SCALES):
    """Resizes by a uniform factor: bilinear, and the nearest label."""
    (draw,) = _draws(seed, _SCALE, 1)
    factor = scales[0] + (scales[1] - scales[0]) * draw
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    size = tf.cast(tf.maximum(tf.round(sides * factor), 1.0), tf.int32)
    labels = tf.image.resize(labels[..., tf.newaxis], size, "nearest")
    return tf.image.resize(image, size), labels[..., 0]


@functools.cache
def _rotation(method, fill):
    """keras-cv's layer; it gets its angles as labels, and draws none."""
    layers = keras_cv("A random turn", on_any_backend=True).layers

    class Rotation(layers.RandomRotation):
        def get_random_transformation_batch(self, batch_size, labels, **_):
            return {"angles": labels}

    options = {"seed": 1, "fill_value": fill, "dtype": "float32"}
    with tf.init_scope():
        return Rotation(0.0, "constant", method, **options)


def _turned(values, angle, method, fill):
    """`(height, width, channels)` turned about the middle, in float32."""
    # As an image, a mask too: its own way makes a channel of each label.
    batch = {"images": tf.stack([values]), "labels": tf.stack([angle])}
    return _rotation(method, fill)(batch)["images"][0]


def random_turn(image, labels, seed, mean, turn=TURN):
    """Half of the time, turns by up to `turn` degrees about the middle."""
    chance, draw = _draws(seed, _TURN, 2)

    def turned():
        angle = (2.0 * draw - 1.0) * math.radians(turn)
        # The fill is one number for all channels.
        around = of_rows(tf.subtract, image, mean)
        around = _turned(around, angle, "bilinear", 0.0)
        beneath = _turned(labels[..., None], angle, "nearest", float(IGNORED))
        beneath = tf.cast(beneath[..., 0], labels.dtype)
        return of_rows(tf.add, around, mean), beneath

    return tf.cond(chance < HALF, turned, lambda: (image, labels))


def random_blur(image, seed):
    """Half of the time, blurs the image; labels have no blur."""
    (chance,) = _draws(seed, _BLUR, 1)
    offsets = tf.range(BLUR, dtype=tf.float32) - BLUR // 2
    kernel = tf.exp(-tf.square(offsets / BLUR_DEVIATION) / 2.0)
    kernel = kernel / tf.reduce_sum(kernel)
    margin = BLUR // 2
    # What lies beyond the border is its mirror image, where there is enough.
    fits = tf.reduce_all(tf.shape(image)[:2] > margin)

    def blurred():
        pads = [[margin, margin], [margin, margin], [0, 0]]
        x = tf.pad(image, pads, "REFLECT")[tf.newaxis]
        for shape in ((BLUR, 1), (1, BLUR)):
            filters = tf.reshape(kernel, (*shape, 1, 1))
            filters = tf.tile(filters, (1, 1, image.shape[-1], 1))
            x = tf.nn.depthwise_conv2d(x, filters, [1] * 4, "VALID")
        return x[0]

    return tf.cond((chance < HALF) & fits, blurred, lambda: image)


def random_flip(image, labels, seed):
    """Half of the time, the mirror image."""
    (chance,) = _draws(seed, _FLIP, 1)
    return tf.cond(
        chance < HALF,
        lambda: (tf.reverse(image, [1]), tf.reverse(labels, [1])),
        lambda: (image, labels),
    )


def crop(image, labels, side, mean, draws=(0.5, 0.5)):
    """Cuts a square out, padded with the mean colour, where the draws say."""
    missing = tf.maximum(side - tf.shape(labels), 0)
    room = tf.cast(tf.shape(labels) + missing - side, tf.float32)
    # The middle of an odd room is rounded down, as in the authors' code.
    draws = tf.stack(draws)
    places = tf.floor(draws * (room + 1.0))
    places = tf.where(draws == 0.5, tf.floor(room / 2.0), places)
    top, left = tf.unstack(tf.cast(tf.minimum(places, room), tf.int32))
    # All of a side that is too short.
    window = np.s_[top : top + side, left : left + side]
    pads = tf.stack([missing // 2, missing - missing // 2], axis=1)
    labels = tf.pad(labels[window], pads, constant_values=IGNORED)
    pads = tf.concat([pads, [[0, 0]]], axis=0)
    image = tf.pad(of_rows(tf.subtract, image[window], mean), pads)
    image = of_rows(tf.add, image, mean)
    image = tf.ensure_shape(image, (side, side, 3))
    return image, tf.ensure_shape(labels, (side, side))


def augment(
    image,
    labels,
    seed,
    side=SIDE,
    preprocessing=Preprocessing(),
    *,
    scales=SCALES,
    turn=TURN,
    flip=True,
    distort=None,
):
    """The whole augmentation of one image, in [0, 255], and its labels.

    `flip` must be False where mirror images have other classes, as digits do.
    """
    mean = LARGEST_PIXEL * tf.constant(preprocessing.mean)
    image = tf.cast(image, tf.float32)
    image, labels = random_scale(image, labels, seed, scales)
    if turn:
        image, labels = random_turn(image, labels, seed, mean, turn)
    image = random_blur(image, seed)
    if flip:
        image, labels = random_flip(image, labels, seed)
    draws = _draws(seed, _CROP, 2)
    image, labels = crop(image, labels, side, mean, draws)
    if distort:
        seed = apart(seed, _DISTORT)
        image, labels = distort.with_mask(image, labels, seed)
    return normalize(image, preprocessing), labels


def training_masks(
    masks: MaskSet,
    side: int = SIDE,
    preprocessing: Preprocessing = Preprocessing(),
    *,
    batch_size: int,
    seed: int,
    shuffle_buffer: int | None = 4096,
    shard: Shard = (0, 1),
    distort: Distortion | None = None,
    **augmentation: Any,
) -> Batches:
    """Batches to train on, which can begin at any step.

    Args:
        masks: the `MaskSet`.
        side: of the crops, in pixels.
        preprocessing: whose mean and deviation are taken.
        batch_size, seed, shuffle_buffer, shard: as in `training_stream`.
        distort: what follows the crop, such as `rand_augment()`, or None.
        **augmentation: `scales`, `turn` and `flip` of `augment`.

    Returns:
        A function `batches(first_step=0)` to a `tf.data.Dataset` of float32
        images `(batch, side, side, 3)` and uint8 labels
        `(batch, side, side)`; see `training_stream`.
    """
    _check(masks, side, preprocessing)
    augmentation["distort"] = distorting(distort)
    if augmentation.get("turn", TURN):
        _rotation("bilinear", 0.0)  # its absence is told before the work

    def prepared(decoded):
        return lambda example, seed: augment(
            *decoded(example), seed, side, preprocessing, **augmentation
        )

    return training_stream(
        masks.examples,
        masks.count,
        prepared(masks.decoded),
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
        shard=shard,
        substitute=prepared(masks.decoded_in_python),
        digest=masks.digest,
    )


def _check(masks, side, preprocessing):
    arguments.examples("masks", masks)
    arguments.integer("side", side)
    arguments.instance("preprocessing", preprocessing, Preprocessing)


def _each(masks, shard, prepare):
    """`prepare(image, labels, name)` of this worker's images, in order."""

    def prepared(decoded):
        return lambda example: prepare(*decoded(example), example["name"])

    return map_or_substitute(
        masks.examples(None).shard(shard[1], shard[0]),
        prepared(masks.decoded),
        prepared(masks.decoded_in_python),
    )


def central_crops(
    masks: MaskSet,
    side: int = SIDE,
    preprocessing: Preprocessing = Preprocessing(),
    *,
    batch_size: int,
    shard: Shard = (0, 1),
) -> "tf.data.Dataset":
    """The middle of every image, for the validation between epochs.

    Batches are equal in size and in number for all workers: the last one is
    filled up with images of which every pixel is ignored.

    Args:
        masks, side, preprocessing: as in `training_masks`.
        batch_size: images in a batch of this worker.
        shard: `(index, workers)`; worker `index` gets every `workers`-th.

    Returns:
        `tf.data.Dataset` of images and labels as there.
    """
    _check(masks, side, preprocessing)
    arguments.integer("batch_size", batch_size)
    shard = arguments.shard(shard)
    mean = LARGEST_PIXEL * tf.constant(preprocessing.mean)

    def prepare(image, labels, name):
        image = tf.cast(image, tf.float32)
        image, labels = crop(image, labels, side, mean)
        return normalize(image, preprocessing), labels

    nothing = (
        tf.zeros((side, side, 3)),
        tf.fill((side, side), tf.constant(IGNORED, tf.uint8)),
    )
    dataset = _each(masks, shard, prepare)
    about = masks.count, batch_size, shard, nothing
    return evaluation_batches(dataset, *about).prefetch(tf.data.AUTOTUNE)


def whole_pictures(
    masks: MaskSet, shard: Shard = (0, 1)
) -> Iterator[dict[str, Any]]:
    """Every image with its labels as it is, for `evaluate_segmentation`.

    Args:
        masks: the `MaskSet`.
        shard: `(index, workers)`; worker `index` gets every `workers`-th.

    Yields:
        Dictionaries of `image` uint8 `(height, width, 3)`, `labels` uint8
        `(height, width)` and `name`.
    """
    arguments.examples("masks", masks)
    shard = arguments.shard(shard)

    def prepare(image, labels, name):
        return {"image": image, "labels": labels, "name": name}

    dataset = _each(masks, shard, prepare).prefetch(2)
    for example in dataset.as_numpy_iterator():
        yield {**example, "name": example["name"].decode()}
