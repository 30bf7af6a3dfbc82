"""N-D convolution with channel groups, and the pyramid of several.

Unlike `keras.layers.Conv2D(groups=...)` it makes no must-compile XLA function,
which TensorFlow Serving refuses. Padding "same" is `kernel // 2 * dilation`
zeros on both sides at every stride; Keras's is uneven at stride 2.
"""

import math
import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras

from keras_pyconv import arguments, renamed
from keras_pyconv.lazy import tf
from keras_pyconv.ops.arguments import axis_sizes
from keras_pyconv.ops.conv.choose import WAYS, Convolver
from keras_pyconv.ops.conv.dense import Window
from keras_pyconv.ops.fold import Convolution, remember
from keras_pyconv.ops.graph import on_tensorflow
from keras_pyconv.ops.target import TARGETS
from keras_pyconv.ops.uncut import never_empty
from keras_pyconv.placement import compute_on, named
from keras_pyconv.typing import DataFormat, PerAxis, Tensor

_ENVIRONMENT = "KERAS_PYCONV_CONV"
_forced_way: str | None = None


class _Level(NamedTuple):
    """One level of a pyramid, but for its kernel."""

    groups: int
    window: Window
    margins: tuple[int, ...]  # of the input, at both ends of its axes


def targeted(way, target):
    """A checked way and target; two that were ways once are targets."""
    if isinstance(way, str) and way in ("served", "portable"):
        renamed.warn(
            f'`way="{way}"` goes with version {renamed.GOES}: give '
            f'`target="{way}"`.'
        )
        return None, way
    if way is not None:
        arguments.one_of("way", way, WAYS)
    return way, arguments.one_of("target", target, TARGETS)


def _forced():
    """The way of the process or the environment, or None."""
    if _forced_way is not None:
        return _forced_way
    # A variable that is set to nothing is how shells take one back.
    named = os.environ.get(_ENVIRONMENT)
    return arguments.one_of(_ENVIRONMENT, named, WAYS) if named else None


def _window(spatial, strides, padding, dilation_rate) -> Window:
    rank = len(spatial)
    strides = axis_sizes("strides", strides, rank)
    dilations = axis_sizes("dilation_rate", dilation_rate, rank)
    if arguments.one_of("padding", padding, ("same", "valid")) == "valid":
        return Window((0,) * rank, strides, dilations)
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
    arguments.integer("groups", groups)
    for name, number in (("input channels", channels), ("filters", filters)):
        if number % groups:
            near = math.gcd(number, groups)
            raise ValueError(
                f"`groups` must divide the {number} {name}. "
                f"Received: groups={groups}; one that does: {near}"
            )
    if channels != depth * groups:
        raise ValueError(
            f"The kernel must have {channels} / {groups} = "
            f"{channels // groups} input channels, those of the input divided "
            f"by `groups`. Received: a kernel of shape {tuple(kernel.shape)}"
        )


def _check_dtypes(inputs, kernel):
    given, wanted = (
        keras.backend.standardize_dtype(tensor.dtype)
        for tensor in (kernel, inputs)
    )
    if given != wanted:
        raise ValueError(
            f"The kernel must have the dtype of the inputs, {wanted}. "
            f"Received: kernel={arguments.shown(kernel)} of {given}; cast one."
        )


def _levels(kernels, groups, strides, padding, dilation_rate):
    """The `_Level` of each kernel; smaller ones have the largest's centres."""
    if len(kernels) != len(groups):
        raise ValueError(
            "`kernels` and `groups` must have one entry a level. Received: "
            f"{len(kernels)} kernels, groups={arguments.shown(groups)}"
        )
    sizes = [kernel.shape[:-2] for kernel in kernels]
    largest = [max(axis) for axis in zip(*sizes)]
    for level, count in zip(sizes, groups):
        window = _window(level, strides, padding, dilation_rate)
        margins = (0,) * len(level)
        if padding == "valid":
            margins = tuple(
                (most - size) // 2 * dilation
                for most, size, dilation in zip(
                    largest, level, window.dilations
                )
            )
        yield _Level(count, window, margins)


def _inner(inputs, margins, first):
    """What is left of images between margins at both ends of their axes."""
    if not any(margins):
        return inputs
    axes = [slice(margin, -margin or None) for margin in margins]
    axes.insert(0 if first else len(axes), slice(None))
    return inputs[(slice(None), *axes)]


def _keras_convolve(inputs, kernels, bias, levels, data_format):
    """By the convolutions of Keras, whose other backends have groups."""
    first = data_format == "channels_first"
    axis = 1 if first else -1
    maps = []
    for kernel, level in zip(kernels, levels):
        widths = [(0, 0), *((pad, pad) for pad in level.window.pads)]
        widths.insert(1 if first else len(widths), (0, 0))
        x = _inner(inputs, level.margins, first)
        maps.append(
            keras.ops.conv(
                keras.ops.pad(x, widths) if any(level.window.pads) else x,
                kernel,
                strides=level.window.strides,
                padding="valid",
                data_format=data_format,
                dilation_rate=level.window.dilations,
            )
        )
    outputs = keras.ops.concatenate(maps, axis) if maps[1:] else maps[0]
    if bias is None:
        return outputs
    shape = [1] * len(outputs.shape)
    shape[axis] = -1
    return outputs + keras.ops.reshape(bias, shape)


def _maps(convolve, inputs, kernels, levels, devices):
    """What `convolve` makes of each level, on its device if it has one."""
    if devices is None:
        return [convolve(inputs, *pair) for pair in zip(kernels, levels)]
    maps = {}
    for device in dict.fromkeys(devices):
        mine = [n for n, other in enumerate(devices) if other == device]

        def part(inputs, *kernels, mine=mine):
            pairs = zip(kernels, (levels[n] for n in mine))
            return [convolve(inputs, *pair) for pair in pairs]

        own = [kernels[n] for n in mine]
        maps |= zip(mine, compute_on(device, part, inputs, *own))
    return [maps[n] for n in range(len(levels))]


def _convolve(inputs, kernels, bias, levels, way, target, devices):
    """The levels side by side, channels last, in the dtype of `inputs`.

    The result carries how it was made, for a normalization to be folded;
    which would move kernels between devices, where there are several.
    """

    # A function would hide from its graph what moves between devices.
    convolver = Convolver(target, shares=devices is None)

    def convolve(inputs, kernel, level):
        return convolver.convolve(
            way,
            _inner(inputs, level.margins, False),
            tf.cast(kernel, inputs.dtype),
            level.window,
            level.groups,
        )

    def compute(kernels, bias):
        maps = _maps(convolve, inputs, kernels, levels, devices)
        outputs = tf.concat(maps, -1) if maps[1:] else maps[0]
        if bias is None:
            return outputs
        return tf.nn.bias_add(outputs, tf.cast(bias, inputs.dtype))

    outputs = compute(kernels, bias)
    how = None if devices else Convolution(kernels, bias, compute)
    return remember(outputs, how)


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
    if name is not None:
        arguments.one_of("name", name, WAYS)
    _forced_way = name


def grouped_conv(
    inputs: Tensor, kernel: Tensor, *, groups: int = 1, **options: Any
) -> Tensor:
    """Convolution in which a group of filters sees one group of channels.

    Args:
        inputs: A tensor. Sizes other than the channels may be unknown.
        kernel: `(*sizes, channels / groups, filters)`, of 1 to 3 sizes, in
            the dtype of `inputs`.
        groups: How many groups; a divisor of the channels and the filters.
        **options: Those of `pyramid_conv`.

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
    return pyramid_conv(inputs, [kernel], groups=[groups], **options)


def pyramid_conv(
    inputs: Tensor,
    kernels: Sequence[Tensor],
    *,
    groups: Sequence[int],
    bias: Tensor | None = None,
    strides: PerAxis = 1,
    padding: Literal["same", "valid"] = "same",
    dilation_rate: PerAxis = 1,
    data_format: DataFormat = "channels_last",
    way: str | None = None,
    target: str = "here",
    devices: Sequence[str] | None = None,
) -> Tensor:
    """The levels of a pyramidal convolution, concatenated on the channels.

    Args:
        inputs: A tensor, as in `grouped_conv`.
        kernels: A kernel a level, smallest first as in the authors' networks.
            With `padding="valid"` all have the centres of the largest.
        groups: A number of groups a level.
        bias: A number for every filter of all levels, or None.
        strides: An integer, or one an axis.
        padding: `"same"`, which is `size // 2 * dilation` zeros on both
            sides at every stride and needs odd sizes, or `"valid"`.
        dilation_rate: An integer, or one an axis.
        data_format: `"channels_last"` or `"channels_first"`.
        way: One of `WAYS` instead of the one that the rules choose. A way
            that cannot compute this call leaves it to the rules: "native"
            in 3-D, "points" but in 2-D, "blocked" and "folded" at strides
            above 2 or with dilation.
            On other backends than TensorFlow Keras's convolution does the
            work whatever the way.
        target: Who runs the graph: `"here"`; `"served"`, TensorFlow on
            machines that are not known; `"onnx"` and `"portable"`, other
            runtimes, which convolve images alone, the latter without padding
            by themselves. But `"here"`, whoever builds a graph of unknown
            batch takes care of empty ones.
        devices: A device a level that computes it and its gradients, such as
            `("GPU:0", "GPU:1")`, or None. On TensorFlow alone.

    Output shape:
        That of `grouped_conv` with the filters of all levels for channels.

    Returns:
        A tensor in the dtype of `inputs`.

    Raises:
        ValueError: As `grouped_conv`, or if the two lists differ in length.
    """
    arguments.instance("kernels", kernels, (list, tuple))
    arguments.check(
        "kernels", kernels, kernels, "one kernel a level, one at least"
    )
    for place, kernel in enumerate(kernels):
        arguments.tensor(f"kernels[{place}]", kernel, (3, 4, 5))
    arguments.tensor("inputs", inputs, (len(kernels[0].shape),))
    arguments.integers("groups", groups)
    way, target = targeted(way, target)
    if way is None and target == "here":
        way = _forced()
    arguments.one_of("data_format", data_format, arguments.DATA_FORMATS)
    first = data_format == "channels_first"
    levels = list(_levels(kernels, groups, strides, padding, dilation_rate))
    for kernel, count in zip(kernels, groups):
        _check_groups(inputs.shape[1 if first else -1], kernel, count)
        _check_dtypes(inputs, kernel)
    if devices is not None:
        devices = named(devices, len(kernels))
    if not on_tensorflow():
        return _keras_convolve(inputs, kernels, bias, levels, data_format)
    target = TARGETS[target]
    how = levels, way, target, devices

    def convolve(inputs):
        if not first:
            return _convolve(inputs, kernels, bias, *how)
        # A CPU convolves channels last alone.
        last = len(inputs.shape) - 1
        x = tf.transpose(inputs, (0, *range(2, last + 1), 1))
        outputs = _convolve(x, kernels, bias, *how)
        return tf.transpose(outputs, (0, last, *range(1, last)))

    return never_empty(convolve, inputs, target, widen=True)
