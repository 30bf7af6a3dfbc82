"""N-D convolution with channel groups, several ways, and the one that fits.

Every way computes the same function with the same gradients; which is
fastest depends on rank, dtype, groups, strides and on what the installed
TensorFlow can do (`_choose`). None makes a must-compile XLA function, which
`keras.layers.Conv2D(groups=...)` does and TensorFlow Serving refuses.

Padding "same" is symmetric, `kernel // 2 * dilation` zeros on both sides at
every stride, as in the authors' networks; Keras's "same" is not at stride 2.
"""

import functools
import os

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# The widest dense block, in channels in or out, that merging groups makes.
_MERGED_CHANNELS = 16
_ENVIRONMENT = "KERAS_PYCONV_CONV"
_forced_way: str | None = None


def _sizes(tensor):
    """The sizes of `tensor`, as integers where they are known."""
    sizes = tensor.shape.as_list()
    if None in sizes:
        dynamic = tf.shape(tensor)
        sizes = [dynamic[i] if n is None else n for i, n in enumerate(sizes)]
    return sizes


def _pad(inputs, pads):
    if not any(pads):
        return inputs
    return tf.pad(inputs, [(0, 0), *((p, p) for p in pads), (0, 0)])


def _same_is_symmetric(inputs, kernel, pads, strides, dilations) -> bool:
    """Whether TensorFlow's SAME pads as `pads` says."""
    sizes = inputs.shape[1:-1]
    for size, k, p, s, d in zip(sizes, kernel.shape, pads, strides, dilations):
        if 2 * p != (k - 1) * d:
            return False
        if s > 1 and (size is None or (size - 1) % s):
            return False
    return True


def _convolve(inputs, kernel, pads, strides, dilations):
    """One TensorFlow convolution; a kernel of less depth means groups."""
    rank = len(strides)
    if rank == 1:
        outputs = _convolve(
            tf.expand_dims(inputs, 1),
            tf.expand_dims(kernel, 0),
            (0, *pads),
            (1, *strides),
            (1, *dilations),
        )
        return tf.squeeze(outputs, 1)
    padding = "SAME"
    if not _same_is_symmetric(inputs, kernel, pads, strides, dilations):
        inputs, padding = _pad(inputs, pads), "VALID"
    convolution = tf.nn.conv2d if rank == 2 else tf.nn.conv3d
    return convolution(
        inputs,
        kernel,
        strides=(1, *strides, 1),
        padding=padding,
        dilations=(1, *dilations, 1),
    )


def _dense(inputs, kernel, pads, strides, dilations):
    """A convolution without groups whose gradients work on every device."""
    if all(d == 1 for d in dilations):
        return _convolve(inputs, kernel, pads, strides, dilations)
    # Eigen's gradients know no dilation; tf.nn.convolution works around it,
    # but only at stride 1.
    outputs = tf.nn.convolution(
        _pad(inputs, pads), kernel, padding="VALID", dilations=dilations
    )
    if all(s == 1 for s in strides):
        return outputs
    steps = tuple(slice(None, None, s) for s in strides)
    return outputs[(slice(None), *steps)]


def _native(inputs, kernel, pads, strides, dilations, groups):
    """TensorFlow's own groups: the kernel is less deep than the input."""
    outputs = _convolve(inputs, kernel, pads, strides, dilations)
    # Without oneDNN, graph optimization fuses a grouped convolution with a
    # bias or a batch normalization that follows it into a kernel that
    # refuses groups. This node keeps them apart and costs nothing.
    return tf.ensure_shape(outputs, outputs.shape)


def _split(inputs, kernel, pads, strides, dilations, groups):
    """One dense convolution a group."""
    inputs = tf.split(inputs, groups, axis=-1)
    kernels = tf.split(kernel, groups, axis=-1)
    return tf.concat(
        [
            _dense(x, k, pads, strides, dilations)
            for x, k in zip(inputs, kernels)
        ],
        axis=-1,
    )


def _merged(inputs, kernel, pads, strides, dilations, groups):
    """Neighbouring groups as one wider group with zeros in its kernel."""
    *spatial, depth, filters = kernel.shape
    widest = max(depth, filters // groups)
    merge = max(
        m
        for m in range(1, groups + 1)
        if groups % m == 0 and (m == 1 or m * widest <= _MERGED_CHANNELS)
    )
    groups //= merge
    blocks = (*spatial, 1, depth, groups, merge, filters // groups // merge)
    eye = tf.reshape(tf.eye(merge, dtype=kernel.dtype), (merge, 1, 1, merge, 1))
    kernel = tf.reshape(
        tf.reshape(kernel, blocks) * eye, (*spatial, merge * depth, filters)
    )
    if groups == 1:
        return _dense(inputs, kernel, pads, strides, dilations)
    way = _native if _native_has_gradients(inputs) else _split
    return way(inputs, kernel, pads, strides, dilations, groups)


def _taps(inputs, kernel, pads, strides, dilations, groups):
    """Taps of the leading axis as output channels, then shifted and added.

    One grouped convolution of one rank less does all the multiplying.
    """
    rank = len(strides)
    if rank == 1:
        outputs = _taps(
            tf.expand_dims(inputs, 2),
            tf.expand_dims(kernel, 1),
            (*pads, 0),
            (*strides, 1),
            (*dilations, 1),
            groups,
        )
        return tf.squeeze(outputs, 2)
    taps, *spatial, depth, filters = kernel.shape
    # (taps, *spatial, depth, groups, width) -> (..., groups, taps, width)
    kernel = tf.reshape(kernel, (taps, *spatial, depth, groups, -1))
    kernel = tf.transpose(kernel, (*range(1, rank + 2), 0, rank + 2))
    kernel = tf.reshape(kernel, (*spatial, depth, taps * filters))
    batch, length = _sizes(inputs)[:2]
    rows = tf.reshape(inputs, (-1, *_sizes(inputs)[2:]))
    rows = _best(rows, kernel, pads[1:], strides[1:], dilations[1:], groups)
    rows = tf.reshape(
        rows, (batch, length, *_sizes(rows)[1:-1], groups, taps, -1)
    )
    pad, stride, dilation = pads[0], strides[0], dilations[0]
    steps = (length + 2 * pad - (taps - 1) * dilation - 1) // stride + 1
    # Zeros convolve to zeros: padding afterwards saves convolving them.
    rows = tf.unstack(rows, axis=-2)
    last = (steps - 1) * stride + 1
    total = tf.add_n(
        [
            tf.pad(row, [(0, 0), (pad, pad)] + [(0, 0)] * (rank + 1))[
                :, tap * dilation : tap * dilation + last : stride
            ]
            for tap, row in enumerate(rows)
        ]
    )
    return tf.reshape(total, (*_sizes(total)[:-2], filters))


WAYS = {
    "merged": _merged,
    "native": _native,
    "split": _split,
    "taps": _taps,
}


@functools.cache
def _native_gradients_work(dtype: str) -> bool:
    """Whether the CPU differentiates its own grouped convolution."""
    with tf.init_scope(), tf.device("CPU:0"):
        common = {
            "out_backprop": tf.ones((1, 5, 5, 4), dtype),
            "strides": (1, 1, 1, 1),
            "padding": "SAME",
        }
        try:
            # Not a GradientTape: init_scope silences it.
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=(1, 5, 5, 4),
                filter=tf.ones((3, 3, 2, 4), dtype),
                **common,
            )
            tf.raw_ops.Conv2DBackpropFilter(
                input=tf.ones((1, 5, 5, 4), dtype),
                filter_sizes=(3, 3, 2, 4),
                **common,
            )
        except tf.errors.OpError:
            return False
    return True


def _native_has_gradients(inputs) -> bool:
    return _native_gradients_work(inputs.dtype.name)


def _choose(inputs, kernel, strides, dilations, groups) -> str:
    if len(strides) == 3:
        return "taps"
    if _native_has_gradients(inputs):
        return "native"
    return "merged"


def _best(inputs, kernel, pads, strides, dilations, groups):
    if groups == 1:
        return _dense(inputs, kernel, pads, strides, dilations)
    way = WAYS[_choose(inputs, kernel, strides, dilations, groups)]
    return way(inputs, kernel, pads, strides, dilations, groups)


def set_way(name: str | None) -> None:
    """Forces one way of computing for the whole process; `None` frees it."""
    global _forced_way
    _check_way(name)
    _forced_way = name


def _check_way(name):
    if name is not None and name not in WAYS:
        raise ValueError(
            f"Unknown way of convolution {name!r}. Known: {', '.join(WAYS)}."
        )


def _tuple(value, rank, name):
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank or any(v < 1 for v in values):
        raise ValueError(
            f"`{name}` must be a positive integer or {rank} of them. "
            f"Received: {value}"
        )
    return values


def _pads(padding, spatial, dilations):
    if padding == "valid":
        return (0,) * len(spatial)
    if padding != "same":
        raise ValueError(
            f'`padding` must be "same" or "valid". Received: {padding!r}'
        )
    for size in spatial:
        if size % 2 == 0:
            raise ValueError(
                'With `padding="same"` kernels are odd, so that both sides '
                f"get the same. Received: {size}; nearest: {size + 1}"
            )
    return tuple(k // 2 * d for k, d in zip(spatial, dilations))


def grouped_conv(
    inputs,
    kernel,
    *,
    strides=1,
    padding="same",
    dilation_rate=1,
    groups=1,
    data_format="channels_last",
    way=None,
):
    """Convolution in which every group of channels sees only itself."""
    rank = len(kernel.shape) - 2
    strides = _tuple(strides, rank, "strides")
    dilations = _tuple(dilation_rate, rank, "dilation_rate")
    pads = _pads(padding, kernel.shape[:rank], dilations)
    way = way or _forced_way or os.environ.get(_ENVIRONMENT) or None
    _check_way(way)
    axis = -1 if data_format == "channels_last" else 1
    channels, depth, filters = inputs.shape[axis], *kernel.shape[-2:]
    if channels != depth * groups or filters % groups:
        raise ValueError(
            "`groups` times the kernel's depth must be the input's channels, "
            "and `groups` must divide the filters. Received: "
            f"groups={groups}, kernel {tuple(kernel.shape)}, "
            f"{channels} input channels"
        )
    if keras.backend.backend() != "tensorflow":
        return _keras_conv(
            inputs, kernel, pads, strides, dilations, data_format
        )
    inputs = tf.convert_to_tensor(inputs)
    kernel = tf.convert_to_tensor(kernel)
    if axis == 1:
        inputs = tf.transpose(inputs, (0, *range(2, rank + 2), 1))
    compute = WAYS[way] if way and groups > 1 else _best
    outputs = compute(inputs, kernel, pads, strides, dilations, groups)
    if axis == 1:
        outputs = tf.transpose(outputs, (0, rank + 1, *range(1, rank + 1)))
    return outputs


def _keras_conv(inputs, kernel, pads, strides, dilations, data_format):
    widths = [(p, p) for p in pads]
    if data_format == "channels_last":
        widths = [(0, 0), *widths, (0, 0)]
    else:
        widths = [(0, 0), (0, 0), *widths]
    return keras.ops.conv(
        keras.ops.pad(inputs, widths),
        kernel,
        strides=strides,
        padding="valid",
        data_format=data_format,
        dilation_rate=dilations,
    )


def pyramid_conv(
    inputs,
    kernels,
    *,
    groups,
    strides=1,
    padding="same",
    dilation_rate=1,
    data_format="channels_last",
    way=None,
):
    """Levels of grouped convolution, concatenated, smallest kernel first."""
    if len(kernels) != len(groups):
        raise ValueError(
            "`kernels` and `groups` must have one entry a level. Received: "
            f"{len(kernels)} kernels and {len(groups)} groups"
        )
    outputs = [
        grouped_conv(
            inputs,
            kernel,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            groups=level_groups,
            data_format=data_format,
            way=way,
        )
        for kernel, level_groups in zip(kernels, groups)
    ]
    if len(outputs) == 1:
        return outputs[0]
    axis = -1 if data_format == "channels_last" else 1
    return keras.ops.concatenate(outputs, axis=axis)
