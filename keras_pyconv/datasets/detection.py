"""Batches of images with boxes, for detectors to learn from and be judged.

Crowds teach nothing, so that what they cover counts as background. An image
without objects has no loss.
"""

from collections.abc import Sequence

from keras_pyconv import arguments
from keras_pyconv.datasets.augmentation import Distortion, distorting
from keras_pyconv.datasets.broken import BrokenPictures
from keras_pyconv.datasets.detection_sets import DetectionSet
from keras_pyconv.datasets.stream import (
    apart,
    map_or_substitute,
    training_stream,
)
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.detection import encode_targets, stretch
from keras_pyconv.tasks.detection.matching import check_boxes
from keras_pyconv.tasks.image import decode_window
from keras_pyconv.tasks.preprocessing import Preprocessing, normalize
from keras_pyconv.tasks.resizing import resize
from keras_pyconv.typing import Array, Batches, Shard

# The overlap that every object must exceed; None is any, and "whole" leaves
# the image as it is.
CHOICES = ("whole", 0.1, 0.3, 0.5, 0.7, 0.9, None)
SIDES = (0.3, 1.0)  # of a window, as fractions of the image's
ASPECT = (0.5, 2.0)  # of a window's fractions, width by height
# All windows are drawn at once. One in seven is the whole image, so that more
# would be wanted once in 20,000 images.
ATTEMPTS = 64
BRIGHTNESS = (0.875, 1.125)
CONTRAST = (0.5, 1.5)
SATURATION = (0.5, 1.5)
HUE = 0.5 / 360  # of the circle, either way; as trained, not as first written
# What the seed of an example, and that of its window, are for.
_CROP, _COLOUR, _FLIP, _DISTORT = range(4)
_CHOICE, _WINDOW = range(2)


# Augmentation ----------------------------------------------------------------
#
# Boxes and windows are float32 `(..., 4)` ymin, xmin, ymax, xmax as fractions
# of the image; seeds are int64 tensors `(2,)`.


def overlaps(windows, boxes):
    """Intersection over union, `(windows, boxes)`."""
    first, second = windows[:, tf.newaxis], boxes[tf.newaxis]
    low = tf.maximum(first[..., :2], second[..., :2])
    high = tf.minimum(first[..., 2:], second[..., 2:])
    common = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    areas = [
        tf.reduce_prod(one[..., 2:] - one[..., :2], axis=-1)
        for one in (first, second)
    ]
    return common / (areas[0] + areas[1] - common)


def centres_inside(windows, boxes):
    """Whether a box's centre lies in a window, `(windows, boxes)`."""
    centres = (boxes[tf.newaxis, :, :2] + boxes[tf.newaxis, :, 2:]) / 2.0
    windows = windows[:, tf.newaxis]
    inside = (centres > windows[..., :2]) & (centres < windows[..., 2:])
    return tf.reduce_all(inside, axis=-1)


def random_window(boxes, seed):
    """The window `(4,)` that an image is cropped to, whole if nothing fits."""
    choice = tf.random.stateless_uniform(
        [ATTEMPTS], apart(seed, _CHOICE), 0, len(CHOICES), tf.int32
    )
    draws = tf.random.stateless_uniform([ATTEMPTS, 4], apart(seed, _WINDOW))
    sides = SIDES[0] + (SIDES[1] - SIDES[0]) * draws[:, :2]
    corners = draws[:, 2:] * (1.0 - sides)
    windows = tf.concat([corners, corners + sides], axis=1)
    least = [x if isinstance(x, float) else -1.0 for x in CHOICES]
    least = tf.gather(tf.constant(least), choice)
    aspect = sides[:, 1] / sides[:, 0]
    fits = (aspect >= ASPECT[0]) & (aspect <= ASPECT[1])
    fits &= tf.reduce_all(overlaps(windows, boxes) > least[:, None], axis=1)
    fits &= tf.reduce_any(centres_inside(windows, boxes), axis=1)
    whole = [0.0, 0.0, 1.0, 1.0]
    is_whole = (choice == CHOICES.index("whole"))[:, tf.newaxis]
    windows = tf.where(is_whole, whole, windows)
    fits |= is_whole[:, 0]
    return tf.where(tf.reduce_any(fits), windows[tf.argmax(fits)], whole)


def in_pixels(window, height, width):
    """A window as int32 pixels of an image, of which at least one is left."""
    limits = tf.cast(tf.stack([height, width]), tf.float32)
    low = tf.minimum(tf.round(window[:2] * limits), limits - 1.0)
    high = tf.maximum(tf.round(window[2:] * limits), low + 1.0)
    return tf.cast(tf.concat([low, high], axis=0), tf.int32)


def crop_boxes(boxes, labels, window):
    """Boxes of the objects whose centre lies in a window, clipped to it."""
    kept = centres_inside(window[tf.newaxis], boxes)[0]
    boxes, labels = tf.boolean_mask(boxes, kept), tf.boolean_mask(labels, kept)
    low, high = tf.tile(window[:2], [2]), tf.tile(window[2:], [2])
    return tf.clip_by_value((boxes - low) / (high - low), 0.0, 1.0), labels


def random_flip(picture, boxes, seed):
    """Left and right exchanged, half of the time."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    flipped = tf.stack([ymin, 1.0 - xmax, ymax, 1.0 - xmin], axis=1)
    return tf.cond(
        tf.random.stateless_uniform([], seed) < 0.5,
        lambda: (tf.reverse(picture, [1]), flipped),
        lambda: (picture, boxes),
    )


def colour_jitter(picture, seed):
    """Random brightness, contrast, saturation and hue, in [0, 255]."""
    draws = tf.unstack(tf.random.stateless_uniform([4], seed))
    ranges = (BRIGHTNESS, CONTRAST, SATURATION, (-HUE, HUE))
    brightness, contrast, saturation, hue = [
        low + (high - low) * draw for (low, high), draw in zip(ranges, draws)
    ]
    middle = 127.5
    picture = (picture * brightness - middle) * contrast + middle
    # Saturation and hue are defined for colours that exist.
    picture = tf.clip_by_value(picture, 0.0, 255.0) / 255.0
    picture = tf.image.adjust_saturation(picture, saturation)
    picture = tf.image.adjust_hue(picture, hue)
    return tf.clip_by_value(picture, 0.0, 1.0) * 255.0


# Batches ---------------------------------------------------------------------


def usable_objects(example):
    """Boxes and labels of an example, without crowds and boxes of no area."""
    boxes = example["boxes"]
    sides = boxes[:, 2:] - boxes[:, :2]
    used = tf.reduce_all(sides > 0, axis=1) & ~example["crowds"]
    labels = tf.boolean_mask(example["labels"], used)
    return tf.boolean_mask(boxes, used), labels


def augmented(
    encoded,
    boxes,
    labels,
    seed,
    shape,
    preprocessing,
    orientation=None,
    flip=True,
    distort=None,
):
    """A random view of an image, and boxes and labels of what is left in it."""
    window = random_window(boxes, apart(seed, _CROP))
    picture, cut, sides = decode_window(
        encoded, lambda *sides: in_pixels(window, *sides), orientation
    )
    # Where a window of whole pixels really is.
    window = tf.cast(cut, tf.float32) / tf.cast(tf.tile(sides, [2]), tf.float32)
    boxes, labels = crop_boxes(boxes, labels, window)
    picture = resize(picture, shape)
    picture = colour_jitter(picture, apart(seed, _COLOUR))
    if flip:
        picture, boxes = random_flip(picture, boxes, apart(seed, _FLIP))
    picture = tf.ensure_shape(picture, (*shape, 3))
    if distort:
        picture, boxes, labels = distort.with_boxes(
            picture, boxes, labels, apart(seed, _DISTORT)
        )
    return normalize(picture, preprocessing), boxes, labels


def training_scenes(
    scenes: DetectionSet,
    default_boxes: Array,
    shape: Sequence[int],
    preprocessing: Preprocessing | None = None,
    *,
    batch_size: int,
    seed: int,
    augment: bool = True,
    flip: bool = True,
    distort: Distortion | None = None,
    broken: BrokenPictures | None = None,
    shuffle_buffer: int | None = 4096,
    shard: Shard = (0, 1),
) -> Batches:
    """Batches to train a detector on, which can begin at any step.

    SSD's random crop, stretched to the network's size, colours and a flip. An
    image that TensorFlow does not decode is decoded by Pillow and taken as it
    is. One that nothing decodes keeps its place as the mean colour without
    objects, and `broken` counts it.

    Args:
        scenes: the `DetectionSet`.
        default_boxes: what `keras_pyconv.tasks.default_boxes(model)` gives.
        shape: height and width of the network's images.
        preprocessing: its mean and deviation are taken; None for ImageNet's.
        batch_size, seed, shard: as in `training_stream`.
        augment: whether to crop, flip and change colours.
        flip: whether that mirrors half of the images; not where those show
            other objects, as of text.
        distort: what follows them, such as `rand_augment()`, or None.
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
    arguments.flag("flip", flip)
    distorting(distort)
    check_boxes(default_boxes=default_boxes)
    shape = arguments.integers("shape", shape, 2)
    broken = broken or BrokenPictures.among(scenes)
    # Else they are shuffled by their names already.
    are_bytes = not (scenes.are_files or scenes.are_parts)

    def prepare(example, seed):
        boxes, labels = usable_objects(example)
        if augment:
            picture, boxes, labels = augmented(
                scenes.encoded(example),
                *(boxes, labels, seed, shape, preprocessing),
                example.get("orientation"),
                flip,
                distort,
            )
        else:
            picture = stretch(scenes.decoded(example), *shape, preprocessing)
        return picture, encode_targets(default_boxes, boxes, labels)

    def substitute(example, seed):
        decoded = broken.decode(scenes, example, preprocessing)
        decoded = scenes.turned(decoded, example)
        boxes, labels = usable_objects(example)
        # One pixel stands for an image that nothing decodes.
        count = tf.where(tf.size(decoded) > 3, tf.size(labels), 0)
        picture = stretch(decoded, *shape, preprocessing)
        boxes, labels = boxes[:count], labels[:count]
        return picture, encode_targets(default_boxes, boxes, labels)

    return training_stream(
        scenes.examples,
        scenes.count,
        prepare,
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer if are_bytes else None,
        shard=shard,
        substitute=substitute,
        digest=scenes.digest,
    )


def evaluation_scenes(
    scenes: DetectionSet,
    shape: Sequence[int],
    preprocessing: Preprocessing | None = None,
    *,
    batch_size: int,
    broken: BrokenPictures | None = None,
) -> "tf.data.Dataset":
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
