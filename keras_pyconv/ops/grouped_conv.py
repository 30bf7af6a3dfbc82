"""N-D convolution with channel groups, and the pyramid of several.

None of its graphs holds a must-compile XLA function, which
`keras.layers.Conv2D(groups=...)` makes and TensorFlow Serving refuses.

Padding "same" is symmetric, `kernel // 2 * dilation` zeros on both sides at
every stride, as in the authors' networks; Keras's "same" is not at stride 2.
"""

import functools
import math
import os

import keras

from keras_pyconv.ops.channel_scale import PYRAMID
from keras_pyconv.ops.conv_ways import WAYS, best, can
from keras_pyconv.ops.dense_conv import Window
from keras_pyconv.ops.empty_batch import never_empty
from keras_pyconv.ops.graph import before_cast, lacks

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

_ENVIRONMENT = "KERAS_PYCONV_CONV"
_forced_way: str | None = None


def _keras_conv(inputs, kernel, window, data_format):
    """The convolution of Keras, whose other backends have groups."""
    widths = [(pad, pad) for pad in window.pads]
    if data_format == "channels_last":
        widths = [(0, 0), *widths, (0, 0)]
    else:
        widths = [(0, 0), (0, 0), *widths]
    return keras.ops.conv(
        keras.ops.pad(inputs, widths) if any(window.pads) else inputs,
        kernel,
        strides=window.strides,
        padding="valid",
        data_format=data_format,
        dilation_rate=window.dilations,
    )


def _checked_way(name, origin=""):
    if name is not None and name not in WAYS:
        raise ValueError(
            f"Unknown way of convolution{origin}: {name!r}. "
            f"Known: {', '.join(WAYS)}."
        )
    return name


def _forced(way):
    """The way of the call, the process or the environment, or None."""
    if way is not None:
        return _checked_way(way)
    if _forced_way is not None:
        return _forced_way
    # A variable that is set to nothing is how shells take one back.
    named = os.environ.get(_ENVIRONMENT) or None
    return _checked_way(named, f" named by {_ENVIRONMENT}")


def _axes(value, rank, name) -> tuple[int, ...]:
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    good = all(isinstance(number, int) and number > 0 for number in values)
    if len(values) != rank or not good:
        raise ValueError(
            f"`{name}` must be a positive integer, or {rank} of them. "
            f"Received: {value}"
        )
    return values


def _window(spatial, strides, padding, dilation_rate) -> Window:
    rank = len(spatial)
    strides = _axes(strides, rank, "strides")
    dilations = _axes(dilation_rate, rank, "dilation_rate")
    if padding == "valid":
        return Window((0,) * rank, strides, dilations)
    if padding != "same":
        raise ValueError(
            f'`padding` must be "same" or "valid". Received: {padding!r}'
        )
    even = [size for size in spatial if size % 2 == 0]
    if even:
        raise ValueError(
            'With padding="same" kernel sizes must be odd, for the same on '
            f"both sides. Received: {even[0]}; nearest: {even[0] + 1}"
        )
    pads = tuple(size // 2 * d for size, d in zip(spatial, dilations))
    return Window(pads, strides, dilations)


def _check_groups(channels, kernel, groups):
    depth, filters = kernel.shape[-2:]
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(
            f"`groups` must be a positive integer. Received: {groups!r}"
        )
    for name, number in (("input channels", channels), ("filters", filters)):
        if number % groups:
            near = math.gcd(number, groups)
            raise ValueError(
                f"`groups` must divide the {number} {name}. "
                f"Received: groups={groups}; one that does: {near}"
            )
    if channels != depth * groups:
        raise ValueError(
            "The kernel must see the input channels divided by `groups`, "
            f"{channels} / {groups} = {channels // groups}. "
            f"Received: a kernel of shape {tuple(kernel.shape)}"
        )


def _check_dtypes(inputs, kernel):
    given, wanted = (
        keras.backend.standardize_dtype(tensor.dtype)
        for tensor in (kernel, inputs)
    )
    if given != wanted:
        raise ValueError(
            f"The kernel must have the dtype of the inputs, {wanted}. "
            f"Received: a kernel of {given}; cast one of the two."
        )


def _widened(*tensors):
    """Tensors in float32, if they are in 16 bits that the CPU lacks."""
    tensors = [tf.convert_to_tensor(tensor) for tensor in tensors]
    if lacks(tensors[0]):
        return [tf.cast(before_cast(t), "float32") for t in tensors]
    return tensors


def set_way(name: str | None) -> None:
    """Forces one way to convolve for the whole process.

    It goes before the environment variable `KERAS_PYCONV_CONV`, which counts
    as unset where it is empty, and after the `way` of a single call.
    Functions that are traced already keep theirs.

    Args:
        name: One of `WAYS`, or `None` to let the measured rules choose.

    Raises:
        ValueError: If the name is unknown; the message lists the known.
    """
    global _forced_way
    _forced_way = _checked_way(name)


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
    """Convolution in which a group of filters sees one group of channels.

    Args:
        inputs: A tensor. Sizes other than the channels may be unknown.
        kernel: `(*sizes, channels / groups, filters)`, of 1 to 3 sizes, in
            the dtype of `inputs`.
        strides: An integer, or one an axis.
        padding: `"same"`, which is `size // 2 * dilation` zeros on both
            sides at every stride and needs odd sizes, or `"valid"`.
        dilation_rate: An integer, or one an axis.
        groups: How many groups; a divisor of the channels and the filters.
        data_format: `"channels_last"` or `"channels_first"`.
        way: One of `WAYS` instead of the one that the rules choose. A way
            that cannot compute this call leaves it to the rules: "native"
            in 3-D, "blocked" and "folded" at strides above 2 or with dilation.
            "served" and "portable" are for graphs that other machines
            run; the latter has no convolution of three axes. On
            other backends than TensorFlow Keras's convolution does the work
            whatever the way.

    Input shape:
        `(batch, *sizes, channels)`, or `(batch, channels, *sizes)` with
        `data_format="channels_first"`.

    Output shape:
        The same with `filters` for `channels`, and of every size
        `(size + 2 * pad - (kernel - 1) * dilation - 1) // stride + 1`.

    Returns:
        A tensor in the dtype of `inputs`.

    Raises:
        ValueError: If an argument does not fit; the message says which.

    Example:

    >>> images = keras.random.normal((2, 8, 8, 16))
    >>> kernel = keras.random.normal((5, 5, 4, 32))
    >>> print(grouped_conv(images, kernel, groups=4, strides=2).shape)
    (2, 4, 4, 32)
    """
    way = _forced(way)
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            '`data_format` must be "channels_last" or "channels_first". '
            f"Received: {data_format!r}"
        )
    window = _window(kernel.shape[:-2], strides, padding, dilation_rate)
    first = data_format == "channels_first"
    _check_groups(inputs.shape[1 if first else -1], kernel, groups)
    _check_dtypes(inputs, kernel)
    if keras.backend.backend() != "tensorflow":
        return _keras_conv(inputs, kernel, window, data_format)
    dtype = kernel.dtype
    forced = way and can(way, window)
    forced = forced and (groups > 1 or way == "portable")
    compute = WAYS[way] if forced else best

    def convolve(inputs):
        x, wide = _widened(inputs, kernel)
        # A CPU convolves channels last alone.
        if first:
            x = tf.transpose(x, (0, *range(2, len(x.shape)), 1))
        outputs = compute(x, wide, window, groups)
        if first:
            last = len(outputs.shape) - 1
            outputs = tf.transpose(outputs, (0, last, *range(1, last)))
        return tf.cast(outputs, dtype)

    return never_empty(convolve, inputs)


def pyramid_conv(
    inputs,
    kernels,
    *,
    groups,
    data_format="channels_last",
    **options,
):
    """The levels of a pyramidal convolution, concatenated on the channels.

    Args:
        inputs: A tensor, as in `grouped_conv`.
        kernels: A kernel a level, smallest first as in the authors' networks.
        groups: A number of groups a level.
        data_format: `"channels_last"` or `"channels_first"`.
        **options: `strides`, `padding`, `dilation_rate` and `way`, of all
            levels, as in `grouped_conv`.

    Output shape:
        That of `grouped_conv` with the filters of all levels for channels.

    Returns:
        A tensor in the dtype of `inputs`.

    Raises:
        ValueError: As `grouped_conv`, or if the two lists differ in length.
    """
    if len(kernels) != len(groups):
        raise ValueError(
            "`kernels` and `groups` must have one entry a level. Received: "
            f"{len(kernels)} kernels, {len(groups)} numbers of groups"
        )
    for kernel in kernels:
        _check_dtypes(inputs, kernel)
    compute = functools.partial(
        _pyramid,
        kernels=kernels,
        groups=groups,
        data_format=data_format,
        **options,
    )
    return never_empty(compute, inputs)


def _pyramid(inputs, kernels, groups, data_format, **options):
    on_tensorflow = keras.backend.backend() == "tensorflow"
    dtype = kernels[0].dtype
    if on_tensorflow:
        inputs, *kernels = _widened(inputs, *kernels)
    levels = [
        grouped_conv(
            inputs, kernel, groups=g, data_format=data_format, **options
        )
        for kernel, g in zip(kernels, groups)
    ]
    axis = -1 if data_format == "channels_last" else 1
    if len(levels) == 1:
        outputs = levels[0]
    elif on_tensorflow:
        outputs = tf.concat(levels, axis, name=PYRAMID)
    else:
        outputs = keras.ops.concatenate(levels, axis)
    return tf.cast(outputs, dtype) if on_tensorflow else outputs
