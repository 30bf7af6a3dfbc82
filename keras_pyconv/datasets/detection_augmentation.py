"""Random crops, colours and flips of pictures with boxes, as SSD has them.

The crop is that of SSD's paper in the form of the reference: an overlap is
chosen first, and windows are drawn until all objects overlap with it enough.

The fact a reader would get wrong: the choice is drawn anew with every window,
so that a picture whose objects fit badly is left whole more often.
"""

import tensorflow as tf

from keras_pyconv.datasets.stream import apart

# The overlap that every object must exceed; None is any, and "whole" leaves
# the picture as it is.
CHOICES = ("whole", 0.1, 0.3, 0.5, 0.7, 0.9, None)
SIDES = (0.3, 1.0)  # of a window, as fractions of the picture's
ASPECT = (0.5, 2.0)  # of a window's fractions, width by height
# All windows are drawn at once. One in seven is the whole picture, so that
# more would be wanted once in 20,000 pictures.
ATTEMPTS = 64
BRIGHTNESS = (0.875, 1.125)
CONTRAST = (0.5, 1.5)
SATURATION = (0.5, 1.5)
HUE = 0.5 / 360  # of the circle, either way; as trained, not as first written
_CHOICE, _WINDOW = range(2)


def overlaps(windows, boxes):
    """Intersection over union, `(windows, boxes)`.

    Args:
        windows: `(windows, 4)` ymin, xmin, ymax, xmax.
        boxes: `(boxes, 4)` likewise.
    """
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
    """The window that a picture is cropped to.

    Args:
        boxes: float32 `(objects, 4)` ymin, xmin, ymax, xmax as fractions.
        seed: int64 tensor of shape `(2,)`.

    Returns:
        float32 `(4,)` ymin, xmin, ymax, xmax as fractions; that of the whole
        picture if nothing fits.
    """
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
    is_whole = choice == CHOICES.index("whole")
    fits = (
        (aspect >= ASPECT[0])
        & (aspect <= ASPECT[1])
        & tf.reduce_all(overlaps(windows, boxes) > least[:, None], axis=1)
        & tf.reduce_any(centres_inside(windows, boxes), axis=1)
    ) | is_whole
    first = tf.argmax(fits)
    whole = tf.constant([0.0, 0.0, 1.0, 1.0])
    is_whole = is_whole[first] | ~tf.reduce_any(fits)
    return tf.where(is_whole, whole, windows[first])


def in_pixels(window, height, width):
    """A window that ends between pixels, in which at least one is left.

    Args:
        window: float32 `(4,)` as fractions.
        height: of the picture in pixels, an int32 scalar.
        width: likewise.

    Returns:
        int32 `(4,)` ymin, xmin, ymax, xmax in pixels.
    """
    limits = tf.cast(tf.stack([height, width]), tf.float32)
    low = tf.minimum(tf.round(window[:2] * limits), limits - 1.0)
    high = tf.maximum(tf.round(window[2:] * limits), low + 1.0)
    return tf.cast(tf.concat([low, high], axis=0), tf.int32)


def crop_boxes(boxes, labels, window):
    """Boxes as fractions of a window, without those that are left behind.

    Args:
        boxes: `(objects, 4)` ymin, xmin, ymax, xmax as fractions.
        labels: `(objects,)`.
        window: `(4,)` in the units of the boxes.

    Returns:
        Boxes and labels of the objects whose centre lies in the window; the
        boxes are clipped to it.
    """
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
    """Random brightness, contrast, saturation and hue.

    Args:
        picture: float32 `(height, width, 3)` in [0, 255].
        seed: int64 tensor of shape `(2,)`.

    Returns:
        The same, clipped to [0, 255].
    """
    draws = tf.random.stateless_uniform([4], seed)
    factors = [
        low + (high - low) * draw
        for (low, high), draw in zip(
            (BRIGHTNESS, CONTRAST, SATURATION, (-HUE, HUE)), tf.unstack(draws)
        )
    ]
    middle = 127.5
    picture = (picture * factors[0] - middle) * factors[1] + middle
    # Saturation and hue are defined for colours that exist.
    picture = tf.clip_by_value(picture, 0.0, 255.0) / 255.0
    picture = tf.image.adjust_hue(
        tf.image.adjust_saturation(picture, factors[2]), factors[3]
    )
    return tf.clip_by_value(picture, 0.0, 1.0) * 255.0
