"""Taps of the leading axis as output channels, then shifted and added.

One grouped convolution of one rank less does all the multiplying: in 3-D what
TensorFlow can do at all on a CPU, in 2-D for levels with a few filters a
group, and everything where oneDNN is off.
"""

import functools

from keras_pyconv.lazy import tf
from keras_pyconv.ops.conv.dense import Window
from keras_pyconv.ops.graph import barrier, sizes_of
from keras_pyconv.ops.uncut import on_filled


def taps(inputs, kernel, window, groups, convolver):
    """The sum over the taps of what each makes of the rows that it meets."""
    if len(window.strides) == 1:
        (pad,), (stride,), (dilation,) = window
        window = Window((pad, 0), (stride, 1), (dilation, 1))
        image = tf.expand_dims(inputs, 2), tf.expand_dims(kernel, 1)
        return tf.squeeze(taps(*image, window, groups, convolver), 2)
    size = kernel.shape[0]
    (pad, *_), (stride, *_), (dilation, *_) = window
    reach = sizes_of(inputs)[1] + 2 * pad - (size - 1) * dilation
    steps = (reach - 1) // stride + 1
    convolve = functools.partial(
        convolver, window=window.trailing(), groups=groups
    )
    terms = []
    for phase in range(stride):
        # Output i meets tap t in row i + shift of every stride-th row.
        starts = [t * dilation - pad - phase for t in range(size)]
        meeting = [t for t in range(size) if starts[t] % stride == 0]
        known = inputs.shape[1] is not None
        if not meeting or known and phase >= inputs.shape[1]:
            continue
        rows = inputs[:, phase::stride] if stride > 1 else inputs
        some = tf.stack([kernel[t] for t in meeting])
        # Of a single row every second one, from the second on, is none.
        may_be_none = stride > 1 and rows.shape[1] is None
        tapped = _tapped(rows, some, groups, convolve, may_be_none)
        shifts = [starts[t] // stride for t in meeting]
        terms.append(_shifted_sum(tapped, shifts, steps))
    outputs = tf.add_n(terms)
    return tf.reshape(outputs, (*sizes_of(outputs)[:-2], kernel.shape[-1]))


def _tapped(rows, kernel, groups, convolve, may_be_none):
    """What each tap makes of each row: (..., groups, taps, width)."""
    taps, *spatial, depth, filters = kernel.shape
    # (taps, *spatial, depth, groups, width) -> (..., groups, taps, width)
    kernel = tf.reshape(kernel, (taps, *spatial, depth, groups, -1))
    last = len(spatial) + 3
    kernel = tf.transpose(kernel, (*range(1, last), 0, last))
    kernel = tf.reshape(kernel, (*spatial, depth, taps * filters))
    leading, inner = sizes_of(rows)[:2], sizes_of(rows)[2:]
    images = tf.reshape(rows, (-1, *inner))
    compute = functools.partial(convolve, kernel=kernel)
    outputs = on_filled(compute, images) if may_be_none else compute(images)
    channels = groups, taps, filters // groups
    return tf.reshape(outputs, (*leading, *sizes_of(outputs)[1:-1], *channels))


def _shifted_sum(tapped, shifts, steps):
    """The sum over the taps, each moved up by its shift: `steps` rows."""
    rows = sizes_of(tapped)[1]

    @tf.custom_gradient
    def differentiable(tapped):
        # Unstacking first and moving afterwards copies least; TensorFlow's
        # gradient of the two would copy every tap once more than this one.
        taps = tf.unstack(tapped, axis=-2)
        total = tf.add_n([_shifted(t, s, steps) for t, s in zip(taps, shifts)])

        def gradient(upstream):
            back = [_shifted(upstream, -shift, rows) for shift in shifts]
            return tf.stack(back, axis=-2)

        return total, gradient

    return differentiable(tapped)


def _shifted(tensor, shift, steps):
    """Rows `shift` to `shift + steps` of axis 1, zeros where there are none."""
    last = _clip(steps + shift, sizes_of(tensor)[1])
    first = _clip(shift, last)
    before = _clip(-shift, steps)
    after = steps - before - (last - first)
    # Zeros convolve to zeros: padding afterwards saves convolving them.
    edges = [(0, 0)] * len(tensor.shape)
    edges[1] = (before, after)
    # Graph optimization would add in another order than eager code does.
    return barrier(tf.pad(tensor[:, first:last], edges))


def _clip(number, most):
    """`number` within 0 and `most`, now or, where one is not known, later."""
    if isinstance(number, int) and isinstance(most, int):
        return max(0, min(number, most))
    return tf.maximum(0, tf.minimum(number, most))
