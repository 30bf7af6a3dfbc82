"""One dense convolution, and what all ways of convolving stand on.

TensorFlow's CPU has no gradients for a dilated convolution, and for a grouped
one only with oneDNN; `dense` always has.
"""

import functools
import math
from typing import NamedTuple

from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import barrier, frame_by_frame, with_gradients_of

# 1x1 convolutions of 7x7 pixels in bfloat16, 512 channels to 2048 and back: one
# image 1.24 ms, by products 0.49; 16 images 4.9 and 4.2. In float32 products
# are no faster within a network, and one image of 14x14 pixels with 256
# channels takes 0.39 ms, by products 0.57 (AMD EPYC with AVX512-BF16,
# 2026-11-30).
_FEW_PIXELS = 64
_DEEP = 256


class Window(NamedTuple):
    """How a kernel moves: one number an axis, padding alike on both sides."""

    pads: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    def trailing(self) -> "Window":
        return Window(*(axes[1:] for axes in self))


def row_as_image(inputs, kernel, window):
    """A convolution of one axis as that of an image one pixel high."""
    (pad,), (stride,), (dilation,) = window
    window = Window((0, pad), (1, stride), (1, dilation))
    return tf.expand_dims(inputs, 1), tf.expand_dims(kernel, 0), window


def _pad(inputs, pads):
    if not any(pads):
        return inputs
    padded = tf.pad(inputs, [(0, 0), *((p, p) for p in pads), (0, 0)])
    # With oneDNN the fusion of a padding and its convolution breaks the
    # optimization of graphs with gradients and unknown sizes.
    return barrier(padded)


def _same_is_symmetric(inputs, kernel, window) -> bool:
    """Whether TensorFlow's SAME pads as `window` says."""
    sizes = inputs.shape[1:-1]
    return all(
        2 * pad == (taps - 1) * dilation
        and (stride == 1 or (size is not None and (size - 1) % stride == 0))
        for size, taps, pad, stride, dilation in zip(
            sizes, kernel.shape, *window
        )
    )


def _sees_images(clips, kernel, window, target) -> bool:
    """Whether to take clips image by image, which mostly is faster."""
    # Pixels alone are as fast in clips with oneDNN, and there TensorFlow moves
    # the bias and the activation behind them into the convolution.
    is_point = max(kernel.shape[:3]) == max(window.strides) == 1
    in_one = target.differentiates_groups(clips) and not target.on_gpu(clips)
    is_frame = kernel.shape[0] == 1 and not window.pads[0]
    return is_frame and not (is_point and in_one)


def _is_product(inputs, kernel, window, target) -> bool:
    """Whether a product of matrices is faster than an image's convolution.

    It takes the kernel as it is stored, which a convolution rearranges first.
    """
    sizes = inputs.shape[1:-1]
    is_point = len(sizes) == 2 and max(*kernel.shape[:2], *window.strides) == 1
    is_deep = inputs.shape[-1] == kernel.shape[-2] >= _DEEP
    if target.of_images or not is_point or not is_deep or None in sizes:
        return False
    is_half = inputs.dtype == "bfloat16" and not target.on_gpu(inputs)
    return is_half and math.prod(sizes) <= _FEW_PIXELS


def _product(inputs, kernel):
    *sizes, depth = inputs.shape[1:]
    outputs = tf.matmul(tf.reshape(inputs, (-1, depth)), kernel[0, 0])
    return tf.reshape(outputs, (-1, *sizes, kernel.shape[-1]))


def convolve(inputs, kernel, window, target):
    """One TensorFlow convolution; a kernel of less depth means groups."""
    rank = len(window.strides)
    if _is_product(inputs, kernel, window, target):
        return _product(inputs, kernel)
    if rank == 3 and _sees_images(inputs, kernel, window, target):
        image = functools.partial(
            convolve, kernel=kernel[0], window=window.trailing(), target=target
        )
        return frame_by_frame(image, inputs[:, :: window.strides[0]])
    if rank == 1:
        image, kernel, window = row_as_image(inputs, kernel, window)
        return tf.squeeze(convolve(image, kernel, window, target), 1)
    convolution = tf.nn.conv2d if rank == 2 else tf.nn.conv3d
    options = {
        "strides": (1, *window.strides, 1),
        "dilations": (1, *window.dilations, 1),
    }
    if _same_is_symmetric(inputs, kernel, window):
        return convolution(inputs, kernel, padding="SAME", **options)
    if rank == 2 and any(window.pads) and target.pads(inputs):
        return _padding_conv(inputs, kernel, window.pads, target, options)
    inputs = _pad(inputs, window.pads)
    return convolution(inputs, kernel, padding="VALID", **options)


def _padding_conv(inputs, kernel, pads, target, options):
    """`tf.nn.conv2d` that pads by itself, which saves a copy of the images."""

    def forward(inputs, kernel):
        padding = [(0, 0), *((pad, pad) for pad in pads), (0, 0)]
        return tf.nn.conv2d(inputs, kernel, padding=padding, **options)

    # A CPU has no gradients of the other.
    def other(inputs, kernel):
        padded = _pad(inputs, pads)
        return tf.nn.conv2d(padded, kernel, padding="VALID", **options)

    if not target.is_here:
        return forward(inputs, kernel)  # whose gradients are not asked for
    return with_gradients_of(other, forward, inputs, kernel)


def _seeing(inputs, kernel, window):
    """The kernel without the outer taps that meet nothing but padding.

    Dilations beyond the size of a map would cost their square.
    """
    pads, dilations = list(window.pads), list(window.dilations)
    for axis, size in enumerate(inputs.shape[1:-1]):
        taps, dilation = kernel.shape[axis], dilations[axis]
        is_same = 2 * pads[axis] == (taps - 1) * dilation and taps % 2
        if size and dilation > 1 and is_same:
            arm = min(taps // 2, (size - 1) // dilation)
            some = slice(taps // 2 - arm, taps // 2 + arm + 1)
            kernel = kernel[(slice(None),) * axis + (some,)]
            pads[axis], dilations[axis] = arm * dilation, dilation if arm else 1
    return kernel, Window(tuple(pads), window.strides, tuple(dilations))


def dense(inputs, kernel, window, target):
    """A convolution without groups whose gradients work everywhere."""
    kernel, window = _seeing(inputs, kernel, window)

    def forward(inputs, kernel):
        return convolve(inputs, kernel, window, target)

    def other(inputs, kernel):
        return _by_phases(inputs, kernel, window)

    if max(window.dilations) == 1:
        return forward(inputs, kernel)
    if len(window.strides) == 3 or not target.dilates(inputs):
        return other(inputs, kernel)
    return with_gradients_of(other, forward, inputs, kernel)


def _by_phases(inputs, kernel, window):
    """A dilated convolution as one without dilation, of every n-th pixel.

    TensorFlow's own CPU gradients know no dilation; `tf.nn.convolution` works
    around it, but only at stride 1.
    """
    outputs = tf.nn.convolution(
        _pad(inputs, window.pads),
        kernel,
        padding="VALID",
        dilations=window.dilations,
    )
    if max(window.strides) == 1:
        return outputs
    steps = (slice(None, None, stride) for stride in window.strides)
    return outputs[(slice(None), *steps)]
