"""Convolutions of clips by convolutions of images.

In "taps" a frame makes its share of as many output frames as there are taps.
In "paired" two frames make theirs of taps + 1 frames at once: a narrow group
multiplies from twice the channels, and half as many shares are added.
"""

import functools

from keras_pyconv.lazy import tf
from keras_pyconv.ops.conv.dense import dense
from keras_pyconv.ops.conv.groups import native
from keras_pyconv.ops.graph import frame_by_frame, sizes_of

_PAIR = 2


def paired(inputs, kernel, window, groups, convolver):
    """Two frames at a time, for the levels of clips with narrow groups."""
    taps, frames = kernel.shape[0], sizes_of(inputs)[1]
    pairs = convolver(
        _pairs_of_frames(inputs, groups),
        _pair_kernel(kernel, groups),
        window.trailing(),
        groups,
    )
    shares = -(-(taps - 1) // _PAIR) + 1
    shape = sizes_of(inputs)[0], (frames + 1) // _PAIR, *sizes_of(pairs)[1:3]
    width = kernel.shape[-1] // groups
    pairs = tf.reshape(pairs, (*shape, groups, shares, _PAIR, width))
    outputs = _overlapping_sum(pairs)
    # The sums begin before the first frame that is wanted.
    first = taps - 1 - window.pads[0]
    last = first + frames + 2 * window.pads[0] - (taps - 1)
    return outputs[:, first:last]


def _pairs_of_frames(clips, groups):
    """Images whose groups have the channels of both frames of a pair."""
    batch, frames, height, width, channels = sizes_of(clips)
    pairs = (frames + 1) // _PAIR
    edges = [(0, 0), (0, pairs * _PAIR - frames), *[(0, 0)] * 3]
    clips = tf.pad(clips, edges)
    shape = batch * pairs, _PAIR, height, width, groups, channels // groups
    clips = tf.transpose(tf.reshape(clips, shape), (0, 2, 3, 4, 1, 5))
    return tf.reshape(clips, (batch * pairs, height, width, _PAIR * channels))


def _pair_kernel(kernel, groups):
    """A filter for every frame to which one of a pair contributes."""
    taps, *spatial, depth, filters = kernel.shape
    # The last tap of a frame makes the first of its shares.
    kernel = tf.reshape(kernel[::-1], (taps, *spatial, depth, groups, -1))
    kernel = tf.transpose(kernel, (1, 2, 3, 4, 0, 5))
    odd = (taps - 1) % _PAIR
    copies = [
        tf.pad(kernel, [*[(0, 0)] * 4, (frame, 1 - frame + odd), (0, 0)])
        for frame in range(_PAIR)
    ]
    kernel = tf.stack(copies, axis=2)
    return tf.reshape(kernel, (*spatial, _PAIR * depth, -1))


def _overlapping_sum(pairs):
    """Frames from the shares of `(batch, pairs, ..., shares, pair, width)`."""
    shares = pairs.shape[5]
    pairs = tf.transpose(pairs, (5, 0, 1, 6, 2, 3, 4, 7))
    edges = [[(0, 0), (n, shares - 1 - n)] for n in range(shares)]
    total = tf.add_n(
        [
            tf.pad(share, [*edge, *[(0, 0)] * 5])
            for share, edge in zip(tf.unstack(pairs), edges)
        ]
    )
    batch, pairs, _, *image, groups, width = sizes_of(total)
    return tf.reshape(total, (batch, pairs * _PAIR, *image, groups * width))


def of_images(inputs, kernel, window, groups, convolver):
    """Convolutions of images alone, one a tap in time, for other runtimes."""
    if len(window.strides) < 3:
        if groups == 1:
            return dense(inputs, kernel, window, convolver.target)
        return native(inputs, kernel, window, groups, convolver)
    size = kernel.shape[0]
    (pad, *_), (stride, *_), (dilation, *_) = window
    reach = sizes_of(inputs)[1] + 2 * pad - (size - 1) * dilation
    last = stride * ((reach - 1) // stride) + 1
    inputs = tf.pad(inputs, [(0, 0), (pad, pad), *[(0, 0)] * 3])
    terms = []
    for tap in range(size):
        start = tap * dilation
        compute = functools.partial(
            of_images,
            kernel=kernel[tap],
            window=window.trailing(),
            groups=groups,
            convolver=convolver,
        )
        frames = inputs[:, start : start + last : stride]
        terms.append(frame_by_frame(compute, frames))
    return functools.reduce(tf.add, terms)
