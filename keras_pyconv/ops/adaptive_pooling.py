"""Average pooling to a given number of bins, as PyTorch divides them.

The fact a reader would get wrong: bins overlap where the size is no multiple
of their number. Bin i of n covers the pixels from floor(i * size / n) to
ceil((i + 1) * size / n), the last one excluded; so 60 pixels in 9 bins are 7 or
8 pixels each, and a map smaller than the bins repeats its pixels.
"""

from keras import ops

from keras_pyconv.arguments import is_integer, refuse
from keras_pyconv.ops.separable import map_axes


def bin_matrix(size, bins: int):
    """The averages over bins as a matrix `(bins, size)`, float32.

    Args:
        size: Pixels of the axis; an integer, or a scalar tensor where the
            size is unknown until the call.
        bins: How many averages.
    """
    numbers = ops.expand_dims(ops.arange(bins, dtype="int32"), -1)
    pixels = ops.expand_dims(ops.arange(size, dtype="int32"), 0)
    begins = numbers * size // bins
    ends = ((numbers + 1) * size + bins - 1) // bins
    inside = ops.logical_and(pixels >= begins, pixels < ends)
    lengths = ops.cast(ends - begins, "float32")
    return ops.cast(inside, "float32") / lengths


def adaptive_average_pool(inputs, bins, data_format="channels_last"):
    """Averages a picture over `bins` x `bins` parts of nearly equal size.

    Args:
        inputs: A tensor of floats. Sizes other than the channels may be
            unknown.
        bins: A positive integer, or two: along the height and the width.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape:
        `(batch, height, width, channels)`, or
        `(batch, channels, height, width)` with
        `data_format="channels_first"`.

    Output shape:
        The same with the bins for height and width.

    Returns:
        A tensor in the dtype of `inputs`, summed in float32.

    Raises:
        ValueError: if `bins` are no positive integers.

    Example:

    >>> maps = keras.random.normal((2, 60, 60, 16))
    >>> print(adaptive_average_pool(maps, 9).shape)
    (2, 9, 9, 16)
    """
    return map_axes(inputs, bin_matrix, check_bins(bins), data_format)


def check_bins(bins) -> tuple[int, int]:
    """`bins` along the height and the width."""
    pair = (bins, bins) if is_integer(bins) else bins
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not all(map(is_integer, pair))
    ):
        rule = "a positive integer, or two: along the height and the width"
        refuse("bins", bins, rule)
    return int(pair[0]), int(pair[1])
