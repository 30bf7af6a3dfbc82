"""Random crops, colours and flips of images with boxes, as SSD has them.

The overlap that all objects must have with a window is drawn anew with each
window, as in the reference. Boxes and windows are float32 `(..., 4)` ymin,
xmin, ymax, xmax as fractions of the image; seeds are int64 tensors `(2,)`.
"""

import tensorflow as tf

from keras_pyconv.datasets.stream import apart

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
_CHOICE, _WINDOW = range(2)


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
    flips = tf.random.stateless_uniform([], seed) < 0.5
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=1)
    flipped = tf.stack([ymin, 1.0 - xmax, ymax, 1.0 - xmin], axis=1)
    return (
        tf.where(flips, picture[:, ::-1], picture),
        tf.where(flips, flipped, boxes),
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
