"""Linear maps over the two axes of an image, one matrix an axis.

Resizing and pooling to bins are such maps: the matrices are small, their
products run fast on every device and under XLA, and gradients need no
scattering.
"""

import keras
from keras import ops

from keras_pyconv.arguments import DATA_FORMATS, check, is_integer, one_of


def spatial_axes(data_format: str) -> tuple[int, int]:
    """The axes of height and width."""
    one_of("data_format", data_format, DATA_FORMATS)
    return (1, 2) if data_format == "channels_last" else (2, 3)


def map_axes(inputs, matrix, sizes, data_format="channels_last"):
    """A linear map along the height, then one along the width, per channel.

    `matrix` goes from the old and the new size of an axis, integers or scalar
    tensors, to `(new, old)` numbers in float32.
    """
    # Weights like 1/7 are no numbers of bfloat16: one rounding, at the end.
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    shape, axes = ops.shape(inputs), spatial_axes(data_format)
    rows, columns = (matrix(shape[i], new) for i, new in zip(axes, sizes))
    x = ops.cast(inputs, "float32")
    if data_format == "channels_first":
        outputs = ops.matmul(ops.matmul(rows, x), ops.transpose(columns))
        return ops.cast(outputs, dtype)
    batch, height, width, channels = shape
    new_height, new_width = sizes
    x = ops.matmul(rows, ops.reshape(x, (batch, height, width * channels)))
    x = ops.reshape(x, (batch * new_height, width, channels))
    x = ops.matmul(columns, x)
    outputs = ops.reshape(x, (batch, new_height, new_width, channels))
    return ops.cast(outputs, dtype)


def bin_matrix(size, bins: int):
    """The averages over bins as a matrix `(bins, size)`, float32."""
    # Bin i covers pixels floor(i * size / bins) to ceil((i + 1) * size / bins).
    numbers = ops.expand_dims(ops.arange(bins, dtype="int32"), -1)
    pixels = ops.expand_dims(ops.arange(size, dtype="int32"), 0)
    begins = numbers * size // bins
    ends = ((numbers + 1) * size + bins - 1) // bins
    inside = ops.logical_and(pixels >= begins, pixels < ends)
    lengths = ops.cast(ends - begins, "float32")
    return ops.cast(inside, "float32") / lengths


def adaptive_average_pool(inputs, bins, data_format="channels_last"):
    """Averages images over bins, one number for both axes, or one for each."""
    return map_axes(inputs, bin_matrix, check_bins(bins), data_format)


def check_bins(bins) -> tuple[int, int]:
    """`bins` along the height and the width."""
    pair = (bins, bins) if is_integer(bins) else bins
    good = isinstance(pair, (tuple, list)) and len(pair) == 2
    good = good and all(map(is_integer, pair))
    rule = "a positive integer, or two: along the height and the width"
    check("bins", bins, good, rule)
    return int(pair[0]), int(pair[1])
