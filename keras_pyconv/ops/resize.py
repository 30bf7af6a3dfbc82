"""Bilinear resizing whose corners stay in place, as the authors resize.

`tf.image.resize` and Keras's `Resizing` align the edges of pixels instead, and
a network trained with one loses accuracy with the other.
"""

from keras import ops

from keras_pyconv.arguments import DATA_FORMATS, check, is_integer, one_of
from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import on_tensorflow
from keras_pyconv.ops.separable import map_axes


def corner_matrix(size, new_size):
    """The resizing of one axis as a matrix `(new_size, size)`, float32."""
    # Pixel i reads at i * (size - 1) / (new_size - 1): neighbours are found in
    # integers, and the weights have one rounding.
    last = ops.maximum(ops.cast(new_size, "int32") - 1, 1)
    # A single output pixel is the first input pixel, as in PyTorch.
    position = ops.arange(new_size, dtype="int32") * (size - 1)
    below = ops.expand_dims(position // last, -1)
    above = ops.expand_dims(position % last, -1)
    share = ops.cast(above, "float32") / ops.cast(last, "float32")
    pixels = ops.expand_dims(ops.arange(size, dtype="int32"), 0)
    low = ops.cast(ops.equal(pixels, below), "float32")
    high = ops.cast(ops.equal(pixels, below + 1), "float32")
    return low * (1.0 - share) + high * share


def _by_kernel(inputs, size, data_format):
    """TensorFlow's own kernel, whose rule version 2 leaves unreachable."""
    first = data_format == "channels_first"
    x = tf.transpose(inputs, (0, 2, 3, 1)) if first else inputs
    x = tf.raw_ops.ResizeBilinear(
        images=tf.cast(x, tf.float32), size=size, align_corners=True
    )
    x = tf.transpose(x, (0, 3, 1, 2)) if first else x
    return tf.cast(x, inputs.dtype)


# A map of 60 x 60 with 150 channels to 473 x 473 on two cores with AVX2: the
# kernel 26 ms and 180 ms with gradients, the matrices 140 and 360. On a GPU
# the kernel's gradient adds atomically, in another order every time, and XLA
# turns it into convolutions of the sizes' product.
WAYS = ("matrices", "kernel")


def _fastest():
    by_kernel = on_tensorflow() and not tf.config.list_logical_devices("GPU")
    return "kernel" if by_kernel else "matrices"


def resize_align_corners(inputs, size, data_format="channels_last", way=None):
    """Resizes images bilinearly, in float32, with their corners in place."""
    one_of("data_format", data_format, DATA_FORMATS)
    check_size(size)
    way = one_of("way", way or _fastest(), WAYS)
    inputs = ops.convert_to_tensor(inputs)
    if way == "kernel":
        return _by_kernel(inputs, tuple(size), data_format)
    return map_axes(inputs, corner_matrix, tuple(size), data_format)


def check_size(size):
    """Refuses what is no pair of positive sizes; tensors pass."""
    good = isinstance(size, (tuple, list)) and len(size) == 2
    good = good and all(is_integer(s) or ops.is_tensor(s) for s in size)
    check("size", size, good, "two positive integers, the new height and width")


def resize_rows(inputs, height, width, first, count):
    """Rows `first` to `first + count` of what `tf.image.resize` would make.

    `inputs` is one image, `(rows, columns, channels)` in float32; `height` and
    `width` are of the whole resized map.
    """
    old_height, old_width, _ = ops.shape(inputs)
    rows = ops.arange(count, dtype="int32") + first
    x = _between(inputs, rows, old_height, height, axis=0)
    columns = ops.arange(width, dtype="int32")
    return _between(x, columns, old_width, width, axis=1)


def _between(x, numbers, old_size, new_size, axis):
    """Linear interpolation at the middles of `numbers` of `new_size`."""
    scale = ops.cast(old_size, "float32") / ops.cast(new_size, "float32")
    last = ops.cast(old_size, "int32") - 1
    places = (ops.cast(numbers, "float32") + 0.5) * scale - 0.5
    places = ops.clip(places, 0.0, ops.cast(last, "float32"))
    below = ops.cast(ops.floor(places), "int32")
    shape = [1, 1, 1]
    shape[axis] = -1
    part = ops.reshape(places - ops.cast(below, "float32"), shape)
    low = ops.take(x, below, axis=axis)
    high = ops.take(x, ops.minimum(below + 1, last), axis=axis)
    return low + (high - low) * part
