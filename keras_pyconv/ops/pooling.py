"""Max pooling of clips, symmetrically padded.

The fact a reader would get wrong: a window in space and time is one in space,
then one in time. TensorFlow's own `max_pool3d` walks all of it at once and
takes many times as long on a CPU.
"""

import functools

import keras

from keras_pyconv.ops.graph import frame_by_frame, sizes_of

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def _lowest(dtype):
    return tf.as_dtype(dtype).min


def _pool_frames(frames, window, strides):
    pads = [(0, 0), *((size // 2, size // 2) for size in window), (0, 0)]
    frames = tf.pad(frames, pads, constant_values=_lowest(frames.dtype))
    return tf.nn.max_pool2d(frames, window, strides, "VALID")


def _pool_time(inputs, size, stride):
    """The maximum of `size` frames around every `stride`-th one."""
    pad = size // 2
    steps = (sizes_of(inputs)[1] + 2 * pad - size) // stride + 1
    pads = [(0, 0), (pad, pad), (0, 0), (0, 0), (0, 0)]
    padded = tf.pad(inputs, pads, constant_values=_lowest(inputs.dtype))
    taps = (
        padded[:, tap : tap + stride * (steps - 1) + 1 : stride]
        for tap in range(size)
    )
    return functools.reduce(tf.maximum, taps)


def _keras_pool(inputs, window, strides):
    pads = [(0, 0), *((size // 2, size // 2) for size in window), (0, 0)]
    lowest = float("-inf")
    padded = keras.ops.pad(inputs, pads, constant_values=lowest)
    return keras.ops.max_pool(
        padded, window, strides, "valid", data_format="channels_last"
    )


def max_pool_3d(inputs, window, strides, data_format="channels_last"):
    """Max pooling over time, height and width.

    Padding is half the window on both sides of every axis, as the authors'
    networks have it, at every stride; what pads is never the maximum.

    Args:
        inputs: A tensor of floats. All sizes but the channels may be unknown.
        window: Three odd sizes, that of time first.
        strides: Three strides.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape:
        `(batch, frames, height, width, channels)`, or
        `(batch, channels, frames, height, width)` with
        `data_format="channels_first"`.

    Output shape:
        The same, of every size `(size - 1) // stride + 1`.

    Returns:
        A tensor in the dtype of `inputs`.

    Example:

    >>> clips = keras.random.normal((1, 8, 28, 28, 16))
    >>> max_pool_3d(clips, (3, 3, 3), (2, 2, 2)).shape
    (1, 4, 14, 14, 16)
    """
    if data_format == "channels_first":
        inputs = keras.ops.transpose(inputs, (0, 2, 3, 4, 1))
    if keras.backend.backend() != "tensorflow":
        outputs = _keras_pool(inputs, window, strides)
    else:
        outputs = frame_by_frame(
            functools.partial(
                _pool_frames, window=window[1:], strides=strides[1:]
            ),
            tf.convert_to_tensor(inputs),
        )
        if window[0] > 1 or strides[0] > 1:
            outputs = _pool_time(outputs, window[0], strides[0])
    if data_format == "channels_first":
        outputs = keras.ops.transpose(outputs, (0, 4, 1, 2, 3))
    return outputs
