"""Grouped convolution and its gradients as slow, obvious loops in NumPy."""

import itertools

import numpy as np


def numpy_conv(inputs, kernel, *, strides, pads, dilations, groups):
    """Outputs, and the function from their gradient to the two others.

    Channels last, one number an axis; everything is computed in float64.
    """
    inputs, kernel = (np.asarray(a, "float64") for a in (inputs, kernel))
    *spatial, depth, filters = kernel.shape
    edges = [(0, 0), *((pad, pad) for pad in pads), (0, 0)]
    padded = np.pad(inputs, edges)
    sizes = [
        (n - (taps - 1) * dilation - 1) // stride + 1
        for n, taps, stride, dilation in zip(
            padded.shape[1:-1], spatial, strides, dilations
        )
    ]
    outputs = np.zeros((len(inputs), *sizes, filters))
    width = filters // groups

    def products():
        """Every tap of every group: where it reads, and where it writes."""
        for tap in itertools.product(*map(range, spatial)):
            window = tuple(
                slice(t * d, t * d + (size - 1) * s + 1, s)
                for t, d, s, size in zip(tap, dilations, strides, sizes)
            )
            for group in range(groups):
                read = slice(group * depth, (group + 1) * depth)
                write = slice(group * width, (group + 1) * width)
                yield (slice(None), *window, read), (*tap, slice(None), write)

    for read, weights in products():
        outputs[..., weights[-1]] += padded[read] @ kernel[weights]

    def gradients(upstream):
        by_input, by_kernel = np.zeros_like(padded), np.zeros_like(kernel)
        for read, weights in products():
            flow = np.asarray(upstream, "float64")[..., weights[-1]]
            by_input[read] += flow @ kernel[weights].T
            axes = (tuple(range(flow.ndim - 1)),) * 2
            by_kernel[weights] += np.tensordot(padded[read], flow, axes)
        inside = tuple(
            slice(p, n - p) for n, p in zip(padded.shape[1:-1], pads)
        )
        return by_input[(slice(None), *inside)], by_kernel

    return outputs, gradients
