"""A convolution in which blocks of neighbouring pixels are channels.

A group with a few filters leaves vector instructions half empty. Computing a
block of outputs at once gives it as many filters as the block has pixels, and
its stride becomes 1. The kernel gets zeros where an output of the block sees
less than the whole block does: more to multiply, but all of it in full
vectors.

The fact a reader would get wrong: input blocks begin where the padding does,
not at the first pixel, so that a block of outputs sees few of them.
"""

from typing import NamedTuple

import keras

from keras_pyconv.ops.dense_conv import sizes_of

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class _Axis(NamedTuple):
    """One axis of images, in blocks."""

    size: int  # pixels of the input, as a tensor where not known
    taps: int  # of the kernel, in pixels
    pad: int
    stride: int
    outputs: int  # of a block

    @property
    def pixels(self):
        """Of the input, in a block."""
        return self.stride * self.outputs

    @property
    def span(self):
        """Blocks of inputs that a block of outputs sees."""
        return -(-(self.stride * (self.outputs - 1) + self.taps) // self.pixels)

    @property
    def total(self):
        """Outputs of the axis."""
        return (self.size + 2 * self.pad - self.taps) // self.stride + 1

    @property
    def blocks(self):
        """Blocks of outputs; the last may be cut."""
        return -(-self.total // self.outputs)

    @property
    def input_blocks(self):
        return self.blocks + self.span - 1


class PixelFolding:
    """Images and kernel in blocks, and the outputs in pixels again.

    Args:
        inputs: images `(batch, height, width, channels)`.
        kernel: `(rows, columns, channels / groups, filters)`.
        window: a `Window` without dilation.
        groups: of channels.
        outputs: rows and columns of a block of outputs.
    """

    def __init__(self, inputs, kernel, window, groups, outputs):
        sizes = sizes_of(inputs)[1:-1]
        self.rows, self.columns = (
            _Axis(*numbers)
            for numbers in zip(
                sizes, kernel.shape, window.pads, window.strides, outputs
            )
        )
        self.groups = groups
        self.depth, self.filters = kernel.shape[-2:]

    def fold_inputs(self, inputs):
        """To `(batch, block row, block column, groups x pixels x depth)`."""
        rows, columns = self.rows, self.columns
        high, wide = (
            axis.input_blocks * axis.pixels for axis in (rows, columns)
        )
        edges = [
            (axis.pad, tf.maximum(0, length - axis.size - axis.pad))
            for axis, length in ((rows, high), (columns, wide))
        ]
        inputs = tf.pad(inputs, [(0, 0), *edges, (0, 0)])[:, :high, :wide]
        shape = rows.input_blocks, rows.pixels, columns.input_blocks
        shape = *shape, columns.pixels, self.groups, self.depth
        inputs = tf.reshape(inputs, (-1, *shape))
        inputs = tf.transpose(inputs, (0, 1, 3, 5, 2, 4, 6))
        channels = self.groups * rows.pixels * columns.pixels * self.depth
        return tf.reshape(inputs, (-1, *shape[:3:2], channels))

    def fold_kernel(self, kernel):
        """A filter for every output of a block, which sees blocks."""
        rows, columns = self.rows, self.columns
        # (rows, columns, depth, groups, [row of block, column of it,] width)
        kernel = tf.reshape(
            kernel,
            (*kernel.shape[:-1], self.groups, self.filters // self.groups),
        )
        for number, axis in enumerate((rows, columns)):
            kernel = _shifted_copies(kernel, number, axis)
        shape = rows.span, rows.pixels, columns.span, columns.pixels
        kernel = tf.reshape(kernel, (*shape, self.depth, -1))
        kernel = tf.transpose(kernel, (0, 2, 1, 3, 4, 5))
        depth = rows.pixels * columns.pixels * self.depth
        return tf.reshape(kernel, (rows.span, columns.span, depth, -1))

    def unfold(self, outputs):
        """Outputs of blocks as `(batch, height, width, filters)`."""
        rows, columns = self.rows, self.columns
        if rows.outputs * columns.outputs == 1:
            return outputs
        shape = rows.blocks, columns.blocks, self.groups
        shape = *shape, rows.outputs, columns.outputs
        outputs = tf.reshape(outputs, (-1, *shape, self.filters // self.groups))
        outputs = tf.transpose(outputs, (0, 1, 4, 2, 5, 3, 6))
        sizes = (axis.blocks * axis.outputs for axis in (rows, columns))
        outputs = tf.reshape(outputs, (-1, *sizes, self.filters))
        return outputs[:, : rows.total, : columns.total]


def _shifted_copies(kernel, number, axis):
    """The kernel as each output of a block along one axis has it."""

    def copy(output):
        before = output * axis.stride
        edges = [(0, 0)] * len(kernel.shape)
        edges[number] = (before, axis.span * axis.pixels - before - axis.taps)
        return tf.pad(kernel, edges)

    return tf.stack([copy(i) for i in range(axis.outputs)], axis=-2)
