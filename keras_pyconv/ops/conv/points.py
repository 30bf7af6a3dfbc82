"""Every tap as a convolution of 1x1 with the pixels that it meets, added.

For a single image TensorFlow leaves deep kernels as they are stored, with
which oneDNN multiplies points at its full rate, and larger kernels at half of
it or less. Taps that meet padding cost nothing: of a dilated kernel many do.
"""

import itertools

from keras_pyconv.lazy import tf
from keras_pyconv.ops.conv.dense import Window
from keras_pyconv.ops.graph import barrier, with_gradients_of


def points(inputs, kernel, window, groups, convolver):
    """The sum of what the taps make; the slices are not kept for gradients."""
    rank = len(window.strides)
    sizes = inputs.shape[1:-1]
    if None in sizes:
        return convolver.without("points", inputs, kernel, window, groups)
    one = (1,) * rank
    alone = Window((0,) * rank, one, one)
    meetings = [
        [_meeting(tap, size, taps, *moves) for tap in range(taps)]
        for size, taps, *moves in zip(sizes, kernel.shape, *window)
    ]

    def compute(inputs, kernel):
        terms = []
        for place in itertools.product(*map(range, kernel.shape[:rank])):
            met = [axis[tap] for axis, tap in zip(meetings, place)]
            if None in met:
                continue
            pixels, edges = zip(*met)
            seen = inputs[(slice(None), *pixels)]
            tap = kernel[tuple(slice(tap, tap + 1) for tap in place)]
            made = convolver.without("points", seen, tap, alone, groups)
            if any(map(any, edges)):
                made = barrier(tf.pad(made, [(0, 0), *edges, (0, 0)]))
            terms.append(made)
        return tf.add_n(terms)

    return with_gradients_of(compute, compute, inputs, kernel)


def _meeting(tap, size, taps, pad, stride, dilation):
    """The pixels that a tap meets on an axis, and the outputs around theirs.

    None if it meets nothing but padding.
    """
    shift = tap * dilation - pad
    outputs = (size + 2 * pad - (taps - 1) * dilation - 1) // stride + 1
    first = max(0, -(shift // stride))
    last = min(outputs, (size - 1 - shift) // stride + 1)
    if first >= last:
        return None
    start, stop = first * stride + shift, (last - 1) * stride + shift + 1
    return slice(start, stop, stride), (first, outputs - last)
