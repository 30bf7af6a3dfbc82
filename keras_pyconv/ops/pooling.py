"""Max pooling of images and clips, padded by half the window on both sides."""

import functools

import keras

from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import (
    frame_by_frame,
    is_compiled,
    on_tensorflow,
    sizes_of,
    with_gradients_of,
)
from keras_pyconv.ops.target import TARGETS
from keras_pyconv.ops.uncut import never_empty


def _edges(window):
    """Half a window before and after each axis of a batch with channels."""
    return [(0, 0), *((size // 2, size // 2) for size in window), (0, 0)]


def _pad(images, window, target):
    """Images with as much around them as their windows reach out."""
    if target.pads_inside:
        lowest = images.dtype.min
        return tf.pad(images, _edges(window), constant_values=lowest)
    # The lowest number spoils eight bits. A window that reaches out holds the
    # pixel at the edge, which may as well be there twice.
    for axis, size in enumerate(window, 1):
        before = (slice(None),) * axis
        edges = images[(*before, slice(1))], images[(*before, slice(-1, None))]
        first, last = ([edge] * (size // 2) for edge in edges)
        images = tf.concat([*first, images, *last], axis)
    return images


def _pool_images(images, window, strides, target):
    def forward(images):
        return tf.nn.max_pool2d(images, window, strides, _edges(window))

    def other(images):
        padded = _pad(images, window, target)
        return tf.nn.max_pool2d(padded, window, strides, "VALID")

    if not target.pads(images) or is_compiled():
        return other(images)  # XLA has no other.
    # Pooling that pads by itself is three times as fast, its gradient is half
    # as fast, and it has no second one.
    return with_gradients_of(other, forward, images)


def _pool_clips(clips, window, strides, target):
    # In space, then in time: TensorFlow's own `max_pool3d` takes many times as
    # long on a CPU.
    in_space = functools.partial(
        _pool_images, window=window[1:], strides=strides[1:], target=target
    )
    clips = frame_by_frame(in_space, clips)
    if window[0] == strides[0] == 1:
        return clips
    # In time alone frames are rows, and their pixels are columns.
    batch, frames, height, width, channels = sizes_of(clips)
    rows = tf.reshape(clips, (batch, frames, height * width, channels))
    rows = _pool_images(rows, (window[0], 1), (strides[0], 1), target)
    return tf.reshape(rows, (batch, sizes_of(rows)[1], height, width, channels))


def _keras_pool(inputs, window, strides):
    lowest = float("-inf")
    padded = keras.ops.pad(inputs, _edges(window), constant_values=lowest)
    return keras.ops.max_pool(
        padded, window, strides, "valid", data_format="channels_last"
    )


def max_pool(
    inputs, window, strides, data_format="channels_last", target="here"
):
    """Max pooling by an odd window; what pads is never the maximum."""
    last = len(window) + 1
    if data_format == "channels_first":
        inputs = keras.ops.transpose(inputs, (0, *range(2, last + 1), 1))
    target = TARGETS[target]
    pool = functools.partial(_keras_pool, window=window, strides=strides)
    if on_tensorflow():
        pool = functools.partial(
            _pool_images if len(window) == 2 else _pool_clips,
            window=window,
            strides=strides,
            target=target,
        )
    outputs = never_empty(pool, inputs, target, widen=True)
    if data_format == "channels_first":
        outputs = keras.ops.transpose(outputs, (0, last, *range(1, last)))
    return outputs
