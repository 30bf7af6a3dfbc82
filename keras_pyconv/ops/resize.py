"""Bilinear resizing whose corners stay in place ("align corners").

Pixel i of m reads the input at i * (n - 1) / (m - 1), so that the first and
the last pixel of both are the same; the authors resize every map so.

The fact a reader would get wrong: `tf.image.resize` and Keras's `Resizing` have
no such rule. They align the edges of the pixels, not their centres, and a
network trained with one loses accuracy with the other.
"""

from keras import ops

from keras_pyconv.arguments import DATA_FORMATS, is_integer, one_of, refuse
from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import on_tensorflow
from keras_pyconv.ops.separable import map_axes


def corner_matrix(size, new_size):
    """The resizing of one axis as a matrix `(new_size, size)`, float32.

    Positions are whole multiples of 1 / (new_size - 1), so that neighbours are
    found in integers and the weights have one rounding.

    Args:
        size: Pixels of the axis; an integer or a scalar tensor.
        new_size: Pixels afterwards; an integer or a scalar tensor.
    """
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


def _by_matrices(inputs, size, data_format):
    return map_axes(inputs, corner_matrix, size, data_format)


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
WAYS = {"matrices": _by_matrices, "kernel": _by_kernel}


def _fastest():
    if not on_tensorflow():
        return "matrices"
    return "matrices" if tf.config.list_logical_devices("GPU") else "kernel"


def resize_align_corners(inputs, size, data_format="channels_last", way=None):
    """Resizes pictures bilinearly, with their corner pixels in place.

    Args:
        inputs: A tensor of floats. Sizes other than the channels may be
            unknown.
        size: `(new_height, new_width)`: integers or scalar tensors.
        data_format: `"channels_last"` or `"channels_first"`.
        way: One of `WAYS` instead of the fastest: `"matrices"`, or
            `"kernel"`, which TensorFlow alone has.

    Input shape:
        `(batch, height, width, channels)`, or
        `(batch, channels, height, width)` with
        `data_format="channels_first"`.

    Output shape:
        The same with the new sizes.

    Returns:
        A tensor in the dtype of `inputs`, interpolated in float32.

    Raises:
        ValueError: if the size or the way cannot be.

    Example:

    >>> maps = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> print(np.ravel(resize_align_corners(maps, (1, 5))))
    [0.  0.5 1.  1.5 2. ]
    """
    one_of("data_format", data_format, DATA_FORMATS)
    check_size(size)
    way = one_of("way", way or _fastest(), WAYS)
    inputs = ops.convert_to_tensor(inputs)
    return WAYS[way](inputs, tuple(size), data_format)


def check_size(size):
    """Refuses what is no pair of positive sizes; tensors pass."""
    good = isinstance(size, (tuple, list)) and len(size) == 2
    if not good or not all(
        is_integer(side) or ops.is_tensor(side) for side in size
    ):
        rule = "two positive integers, the new height and width"
        refuse("size", size, rule)


def resize_rows(inputs, height, width, first, count):
    """Some rows of a map that is resized bilinearly, edges aligned.

    Those of `tf.image.resize` and OpenCV, which align the edges of pixels
    (not their corners' centres), without computing the other rows.

    Args:
        inputs: `(old_height, old_width, channels)`, float32.
        height: Of the whole resized map.
        width: Of the whole resized map.
        first: The first row to compute.
        count: How many.

    Returns:
        `(count, width, channels)`.
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
