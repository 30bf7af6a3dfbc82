"""The ways to convolve with channel groups, and the rules that choose one.

Every way computes the same function with the same gradients. Which one is
fastest depends on rank, dtype, groups, strides and on what the installed
TensorFlow can do: `_RULES`. All see channels last, and more than one group.
"""

import dataclasses
import functools
import math

import keras

from keras_pyconv.ops.dense_conv import Window, convolve, dense
from keras_pyconv.ops.empty_batch import never_empty
from keras_pyconv.ops.frame_pairs import paired_conv
from keras_pyconv.ops.graph import (
    PURPOSE,
    barrier,
    built_for,
    frame_by_frame,
    groups_have_gradients,
    on_gpu,
    sizes_of,
    with_gradients_of,
)
from keras_pyconv.ops.output_blocks import OutputBlocks

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# The widest dense block that merging groups makes: channels in, and out.
_MERGED_CHANNELS = (16, 32)


def _native(inputs, kernel, window, groups):
    """TensorFlow's own groups: the kernel is less deep than the input.

    Fewest nodes in the graph, and the best for wide groups with oneDNN. Where
    the CPU has no gradient for it, that of `_split` is taken.
    """

    def forward(inputs, kernel):
        # Without oneDNN, graph optimization would fuse this with a bias or a
        # batch normalization behind it into a kernel that refuses groups.
        return barrier(convolve(inputs, kernel, window))

    if groups_have_gradients(inputs):
        return forward(inputs, kernel)
    return _with_gradients(forward, "split", inputs, kernel, window, groups)


def _with_gradients(forward, way, inputs, kernel, window, groups):
    """What `forward` computes, with the gradients of a way."""

    def other(inputs, kernel):
        return WAYS[way](inputs, kernel, window, groups)

    return with_gradients_of(other, forward, inputs, kernel)


def _split(inputs, kernel, window, groups):
    """One dense convolution a group: for few and wide groups."""
    inputs = tf.split(inputs, groups, axis=-1)
    kernels = tf.split(kernel, groups, axis=-1)
    return tf.concat(
        [dense(x, k, window) for x, k in zip(inputs, kernels)], axis=-1
    )


def _merged(inputs, kernel, window, groups):
    """Neighbouring groups as one wider group with zeros in its kernel.

    For narrow groups, which leave vector instructions half empty.
    """
    *spatial, depth, filters = kernel.shape
    block = depth, filters // groups
    merge = max(
        m
        for m in range(1, groups + 1)
        if groups % m == 0
        and (
            m == 1
            or all(m * n <= most for n, most in zip(block, _MERGED_CHANNELS))
        )
    )
    groups //= merge
    # (..., depth, filters) -> (..., blocks, from member, depth, to member, n)
    kernel = tf.reshape(kernel, (*spatial, 1, depth, groups, merge, -1))
    eye = tf.reshape(tf.eye(merge, dtype=kernel.dtype), (merge, 1, 1, merge, 1))
    kernel = tf.reshape(kernel * eye, (*spatial, merge * depth, filters))
    if groups == 1:
        return dense(inputs, kernel, window)
    native = can("native", window) and groups_have_gradients(inputs)
    way = _native if native else _split
    return way(inputs, kernel, window, groups)


def _taps(inputs, kernel, window, groups):
    """Taps of the leading axis as output channels, then shifted and added.

    One grouped convolution of one rank less does all the multiplying: in 3-D
    what TensorFlow can do at all on a CPU, in 2-D for levels with a few
    filters a group, and everything where oneDNN is off.
    """
    if len(window.strides) == 1:
        (pad,), (stride,), (dilation,) = window
        window = Window((pad, 0), (stride, 1), (dilation, 1))
        image = tf.expand_dims(inputs, 2), tf.expand_dims(kernel, 1)
        return tf.squeeze(_taps(*image, window, groups), 2)
    size, (pad, *_), (stride, *_), (dilation, *_) = kernel.shape[0], *window
    reach = sizes_of(inputs)[1] + 2 * pad - (size - 1) * dilation
    steps = (reach - 1) // stride + 1
    terms = []
    for phase in range(stride):
        # Output i meets tap t in row i + shift of every stride-th row.
        starts = [t * dilation - pad - phase for t in range(size)]
        taps = [t for t in range(size) if starts[t] % stride == 0]
        if not taps or not _reaches(inputs, phase):
            continue
        rows = inputs[:, phase::stride] if stride > 1 else inputs
        some = tf.stack([kernel[t] for t in taps])
        # Of a single row every second one, from the second on, is none.
        none = stride > 1 and rows.shape[1] is None
        tapped = _tapped(rows, some, window.trailing(), groups, none)
        shifts = [starts[t] // stride for t in taps]
        terms.append(_shifted_sum(tapped, shifts, steps))
    outputs = tf.add_n(terms)
    return tf.reshape(outputs, (*sizes_of(outputs)[:-2], kernel.shape[-1]))


def _reaches(inputs, row):
    """Whether `inputs` may have a row of that number."""
    return inputs.shape[1] is None or row < inputs.shape[1]


def _paired(inputs, kernel, window, groups):
    """Two frames at a time, for the levels of clips with narrow groups."""
    return paired_conv(best, inputs, kernel, window, groups)


def _tapped(rows, kernel, window, groups, none):
    """What each tap makes of each row: (..., groups, taps, width).

    There may be no rows if `none`.
    """
    taps, *spatial, depth, filters = kernel.shape
    # (taps, *spatial, depth, groups, width) -> (..., groups, taps, width)
    kernel = tf.reshape(kernel, (taps, *spatial, depth, groups, -1))
    last = len(spatial) + 3
    kernel = tf.transpose(kernel, (*range(1, last), 0, last))
    kernel = tf.reshape(kernel, (*spatial, depth, taps * filters))
    leading, inner = sizes_of(rows)[:2], sizes_of(rows)[2:]
    images = tf.reshape(rows, (-1, *inner))
    outputs = never_empty(
        functools.partial(best, kernel=kernel, window=window, groups=groups),
        images,
        again=none,
    )
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


def _folded(inputs, kernel, window, groups):
    """Blocks of outputs and of inputs as channels of their group.

    For narrow groups, which leave vector instructions half empty; strided
    ones where oneDNN is off, or where its strided gradients are slow: one
    filter a group, or 16 bits.
    """
    outputs = 1, 1
    if window.strides == (1, 1):
        outputs = _block(kernel.shape[-1] // groups)
        if not groups_have_gradients(inputs):
            outputs = 4, 2  # Wider groups are worth more zeros there.
    blocks = OutputBlocks(inputs, kernel, window, groups, outputs)
    inputs, window = blocks.fold_inputs(inputs)
    kernel = blocks.fold_kernel(kernel)
    return blocks.unfold(best(inputs, kernel, window, groups))


def _blocked(inputs, kernel, window, groups):
    """Blocks of outputs as filters of their group, with a larger stride.

    For narrow groups. Gradients of large strides are slow, so they are taken
    as if there was no such way.
    """

    def forward(inputs, kernel):
        outputs = _block(kernel.shape[-1] // groups)
        blocks = OutputBlocks(inputs, kernel, window, groups, outputs)
        padded, moves = blocks.pad_inputs(inputs)
        kernel = blocks.block_kernel(kernel)
        return blocks.unfold(best(padded, kernel, moves, groups))

    way = _choose(inputs, kernel, window, groups, without="blocked")
    return _with_gradients(forward, way, inputs, kernel, window, groups)


def _block(width):
    """Rows and columns of a block, with a vector of eight filters a group."""
    return {1: (4, 2), 2: (2, 2)}.get(width, (1, 2))


def _for_others(purpose, compute, inputs, kernel, window, groups):
    """A graph for other machines, with gradients that work on this one."""

    def forward(inputs, kernel):
        with built_for(PURPOSE.get() or purpose):
            return compute(inputs, kernel, window, groups)

    return _with_gradients(forward, "split", inputs, kernel, window, groups)


def _served(*arguments):
    """What the rules choose on a CPU with oneDNN, whatever this machine has.

    For TensorFlow Serving on machines that are not known here.
    """
    return _for_others("served", best, *arguments)


def _flat(inputs, kernel, window, groups):
    """Convolutions of images alone, over tensors of five axes at most."""
    if groups == 1 and len(window.strides) < 3:
        return dense(inputs, kernel, window)
    if len(window.strides) < 3:
        return _native(inputs, kernel, window, groups)
    size, (pad, *_), (stride, *_), (dilation, *_) = kernel.shape[0], *window
    reach = sizes_of(inputs)[1] + 2 * pad - (size - 1) * dilation
    last = stride * ((reach - 1) // stride) + 1
    inputs = tf.pad(inputs, [(0, 0), (pad, pad), *[(0, 0)] * 3])
    terms = []
    for tap in range(size):
        start = tap * dilation
        compute = functools.partial(
            _flat, kernel=kernel[tap], window=window.trailing(), groups=groups
        )
        frames = inputs[:, start : start + last : stride]
        terms.append(frame_by_frame(compute, frames))
    return functools.reduce(tf.add, terms)


def _portable(*arguments):
    """TensorFlow's own groups, over three axes image by image.

    For runtimes of other formats: they know groups of images, and have no
    convolution of three axes or none with groups. One group is lowered too.
    """
    return _for_others("portable", _flat, *arguments)


# The ways by name; all have the same signature.
WAYS = {
    "blocked": _blocked,
    "folded": _folded,
    "merged": _merged,
    "native": _native,
    "paired": _paired,
    "portable": _portable,
    "served": _served,
    "split": _split,
    "taps": _taps,
}


@dataclasses.dataclass(frozen=True)
class _Rule:
    """A way, and where it is taken; a field left out fits everything."""

    way: str
    ranks: tuple[int, ...] = (1, 2, 3)
    gpu: bool | None = None
    gradients: bool | None = None  # whether native groups have them
    bits: tuple[int, ...] = (16, 32, 64)
    stride: int | None = None
    width: float = math.inf  # most filters a group
    channels: float = math.inf  # most channels a group, in or out
    growth: float = math.inf  # most values that taps make of one of inputs


# The first that fits is taken. Measured by benchmarks/grouped_conv.py.
_RULES = (
    _Rule("paired", ranks=(3,), width=2),
    _Rule("paired", ranks=(3,), gradients=False, width=4),
    _Rule("taps", ranks=(3,), channels=32),
    _Rule("split", ranks=(3,), gpu=False, gradients=True),
    _Rule("taps", ranks=(3,)),
    _Rule("native", gpu=True),
    _Rule("native", gradients=True, channels=1),
    _Rule("blocked", gradients=True, bits=(32,), stride=1, width=2, channels=8),
    _Rule("folded", bits=(16, 32), stride=1, width=2, channels=8),
    _Rule("merged", ranks=(1,), gradients=False),
    _Rule("folded", gradients=False, stride=2, channels=16),
    _Rule("taps", gradients=False, stride=1, width=16, growth=4),
    _Rule("merged", gradients=False),
    _Rule("blocked", bits=(32,), stride=2, width=4, channels=16),
    _Rule("folded", ranks=(2,), bits=(16,), stride=2, channels=8),
    _Rule("folded", ranks=(2,), stride=2, width=1),
    _Rule("taps", ranks=(2,), bits=(32,), stride=1, width=1),
    _Rule("merged", width=4, channels=8),
    _Rule("blocked", ranks=(2,), bits=(32,), stride=1, width=4, channels=16),
    _Rule("native"),
)


def can(way, window) -> bool:
    """Whether `way` computes such a convolution at all."""
    if way == "native":
        return len(window.strides) < 3
    if way == "paired":
        in_time = window.strides[0], window.dilations[0]
        return len(window.strides) == 3 and in_time == (1, 1)
    if way in ("blocked", "folded"):
        strides = window.strides in ((1, 1), (2, 2))
        return strides and window.dilations == (1, 1)
    return True


def _choose(inputs, kernel, window, groups, without=None) -> str:
    """The name of the way for a convolution with more than one group."""
    width = kernel.shape[-1] // groups
    rank, channels = len(window.strides), max(kernel.shape[-2], width)
    growth = kernel.shape[0] * width / kernel.shape[-2]
    gpu = on_gpu(inputs) and not PURPOSE.get()
    for rule in _RULES:
        if (
            rank in rule.ranks
            and rule.gpu in (None, gpu)
            and rule.gradients in (None, groups_have_gradients(inputs))
            and inputs.dtype.size * 8 in rule.bits
            and rule.stride in (None, max(window.strides))
            and width <= rule.width
            and channels <= rule.channels
            and growth <= rule.growth
            and can(rule.way, window)
            and rule.way != without
        ):
            return rule.way
    raise AssertionError("the last rule fits everything")


def _dense_clips(inputs, kernel, window):
    """A convolution of clips without groups, in taps where that is faster.

    With oneDNN the gradients of strided and of narrow ones are two to three
    times as fast so; without it, those of all but the widest two to eight.
    """
    strides, filters = window.strides, kernel.shape[-1]
    gpu = on_gpu(inputs) and not PURPOSE.get()
    in_space = kernel.shape[0] == 1 or strides[0] > 1
    in_colours = kernel.shape[-2] < 16
    if gpu or in_space or in_colours or max(window.dilations) > 1:
        return dense(inputs, kernel, window)
    is_strided = max(strides) > 1
    if groups_have_gradients(inputs):
        in_taps = is_strided and filters <= 32
        gradients_in_taps = is_strided or filters <= 16
    else:
        in_taps = gradients_in_taps = filters <= 128
    if in_taps:
        return _taps(inputs, kernel, window, 1)
    if not gradients_in_taps:
        return dense(inputs, kernel, window)

    def forward(inputs, kernel):
        return dense(inputs, kernel, window)

    return _with_gradients(forward, "taps", inputs, kernel, window, 1)


def best(inputs, kernel, window, groups):
    if groups == 1:
        compute = _dense_clips if len(window.strides) == 3 else dense
        return compute(inputs, kernel, window)
    way = _choose(inputs, kernel, window, groups)
    return WAYS[way](inputs, kernel, window, groups)
