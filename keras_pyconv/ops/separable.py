"""Linear maps over the two axes of a picture, one matrix an axis.

Resizing and pooling are such maps: the matrices are small, their products run
fast on every device and under XLA, and gradients need no scattering.

The fact a reader would get wrong: weights like 1/7 are not numbers of bfloat16.
Products are taken in float32 and rounded once.
"""

import keras
from keras import ops

from keras_pyconv.arguments import DATA_FORMATS, one_of


def spatial_axes(data_format: str) -> tuple[int, int]:
    """The axes of height and width.

    Raises:
        ValueError: if the format is unknown.
    """
    one_of("data_format", data_format, DATA_FORMATS)
    return (1, 2) if data_format == "channels_last" else (2, 3)


def map_axes(inputs, matrix, sizes, data_format="channels_last"):
    """A linear map along the height, then one along the width, per channel.

    Args:
        inputs: Tensor of rank 4.
        matrix: From the old and the new size of an axis, integers or scalar
            tensors, to `(new, old)` numbers in float32.
        sizes: The new height and width.
        data_format: Where the channels are.

    Returns:
        A tensor in the dtype of `inputs`.
    """
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
