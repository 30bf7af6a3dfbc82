"""Antialiased resizing, to the bit that of TensorFlow, in a third of its time.

TensorFlow's kernel adds up rows in long vectors, and columns three numbers at a
time, which takes eight tenths of the time. So columns are resized as rows too,
of the transposed image.
"""

from keras_pyconv.lazy import tf


def resize(images, size):
    """`tf.image.resize(images, size, antialias=True)`, in float32.

    Images are `(..., height, width, channels)` in any type of number.
    """
    sides = tf.shape(images)[-3:-1]
    scale = tf.cast(size, tf.float32) / tf.cast(sides, tf.float32)
    return resize_window(images, size, scale, tf.zeros(2))


def resize_window(images, size, scale, translation):
    """A window of the resized images; nothing outside of it is computed.

    Args:
        images: as in `resize`.
        size: height and width of the window.
        scale: float32 `(2,)`, by which the sides of an image are multiplied.
        translation: float32 `(2,)`, added to a place in a resized image.
    """
    shape = tf.shape(images)
    height, width, channels = tf.unstack(shape[-3:])
    # An image of columns `(width, channels, height)`, not of pixels: to turn
    # it, or back, is then to transpose a matrix.
    rows = tf.reshape(images, (-1, height, width * channels))
    rows = _resize_rows(rows, size[0], scale[0], translation[0])
    columns = tf.reshape(_transpose(rows), (-1, width, channels * size[0]))
    columns = _resize_rows(columns, size[1], scale[1], translation[1])
    columns = tf.reshape(columns, (-1, size[1] * channels, size[0]))
    shape = tf.concat([shape[:-3], size, [channels]], axis=0)
    known = [
        tf.get_static_value(tf.convert_to_tensor(size[axis]))
        for axis in range(2)
    ]
    sides = *images.shape[:-3], *known, images.shape[-1]
    return tf.ensure_shape(tf.reshape(_transpose(columns), shape), sides)


def _transpose(matrices):
    return tf.transpose(matrices, (0, 2, 1))


def _resize_rows(images, count, scale, translation):
    """The rows `(images, rows, numbers)` alone, as a long row of channels."""
    rows = tf.raw_ops.ScaleAndTranslate(
        images=images[:, :, tf.newaxis],
        size=tf.stack([count, 1]),
        scale=tf.stack([scale, 1.0]),
        translation=tf.stack([translation, 0.0]),
        kernel_type="triangle",
        antialias=True,
    )
    return rows[:, :, 0]
