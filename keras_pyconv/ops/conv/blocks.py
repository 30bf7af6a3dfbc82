"""A convolution that computes a block of neighbouring outputs at once.

A group with a few filters leaves vector instructions half empty; the outputs
of a block, as filters of one place, fill them. Their kernels get zeros: more to
multiply, but in full vectors. Either the stride becomes that of a block, or
the inputs become blocks too, channels of one place.
"""

from typing import NamedTuple

from keras_pyconv.lazy import tf
from keras_pyconv.ops.conv.dense import Window
from keras_pyconv.ops.graph import sizes_of, with_gradients_of


class _Axis(NamedTuple):
    """One axis of images, in blocks."""

    size: int  # pixels of the input, as a tensor where not known
    taps: int  # of the kernel, in pixels
    pad: int
    stride: int
    outputs: int  # of a block

    @property
    def pixels(self):
        """From one block of the input to the next."""
        return self.stride * self.outputs

    @property
    def reach(self):
        """Pixels that a block of outputs sees."""
        return self.stride * (self.outputs - 1) + self.taps

    @property
    def span(self):
        """Blocks of inputs that a block of outputs sees."""
        return -(-self.reach // self.pixels)

    @property
    def total(self):
        """Outputs of the axis."""
        return (self.size + 2 * self.pad - self.taps) // self.stride + 1

    @property
    def blocks(self):
        """Blocks of outputs; the last may be cut."""
        return -(-self.total // self.outputs)

    def edges(self, length):
        """Zeros before and after, so that there are `length` pixels."""
        return self.pad, tf.maximum(0, length - self.size - self.pad)


class _OutputBlocks:
    """Images and kernel in blocks, and the outputs in pixels again."""

    def __init__(self, inputs, kernel, window, groups, outputs):
        sizes = sizes_of(inputs)[1:-1]
        self.axes = tuple(
            _Axis(*numbers)
            for numbers in zip(
                sizes, kernel.shape, window.pads, window.strides, outputs
            )
        )
        self.groups = groups
        self.depth, self.filters = kernel.shape[-2:]

    def block_kernel(self, kernel):
        """A filter for every output of a block, which sees pixels."""
        width = self.filters // self.groups
        kernel = tf.reshape(kernel, (*kernel.shape[:-1], self.groups, width))
        # (rows, columns, depth, groups, row of block, column of it, width)
        for number, axis in enumerate(self.axes):
            kernel = _shifted_copies(kernel, number, axis)
        return tf.reshape(kernel, (*kernel.shape[:3], -1))

    def pad_inputs(self, inputs):
        """Pixels for `block_kernel`, and how it moves over them."""
        edges = (
            axis.edges((axis.blocks - 1) * axis.pixels + axis.reach)
            for axis in self.axes
        )
        strides = tuple(axis.pixels for axis in self.axes)
        padded = tf.pad(inputs, [(0, 0), *edges, (0, 0)])
        return padded, Window((0, 0), strides, (1, 1))

    def fold_kernel(self, kernel):
        """A filter for every output of a block, which sees blocks."""
        rows, columns = self.axes
        edges = ((0, a.span * a.pixels - a.reach) for a in self.axes)
        kernel = tf.pad(self.block_kernel(kernel), [*edges, (0, 0), (0, 0)])
        shape = rows.span, rows.pixels, columns.span, columns.pixels
        kernel = tf.reshape(kernel, (*shape, self.depth, -1))
        kernel = tf.transpose(kernel, (0, 2, 1, 3, 4, 5))
        depth = rows.pixels * columns.pixels * self.depth
        return tf.reshape(kernel, (rows.span, columns.span, depth, -1))

    def fold_inputs(self, inputs):
        """Blocks for `fold_kernel`, and how it moves over them."""
        rows, columns = self.axes
        high, wide = (axis.blocks + axis.span - 1 for axis in self.axes)
        tall, broad = high * rows.pixels, wide * columns.pixels
        edges = rows.edges(tall), columns.edges(broad)
        inputs = tf.pad(inputs, [(0, 0), *edges, (0, 0)])[:, :tall, :broad]
        shape = high, rows.pixels, wide, columns.pixels
        inputs = tf.reshape(inputs, (-1, *shape, self.groups, self.depth))
        inputs = tf.transpose(inputs, (0, 1, 3, 5, 2, 4, 6))
        channels = rows.pixels * columns.pixels * self.groups * self.depth
        inputs = tf.reshape(inputs, (-1, high, wide, channels))
        return inputs, Window((0, 0), (1, 1), (1, 1))

    def unfold(self, outputs):
        """Outputs of blocks as `(batch, height, width, filters)`."""
        rows, columns = self.axes
        block = rows.outputs, columns.outputs
        if block == (1, 1):
            return outputs
        shape = rows.blocks, columns.blocks, self.groups, *block
        width = self.filters // self.groups
        outputs = tf.reshape(outputs, (-1, *shape, width))
        outputs = tf.transpose(outputs, (0, 1, 4, 2, 5, 3, 6))
        sizes = (axis.blocks * axis.outputs for axis in self.axes)
        outputs = tf.reshape(outputs, (-1, *sizes, self.filters))
        return outputs[:, : rows.total, : columns.total]


def _shifted_copies(kernel, number, axis):
    """The kernel as each output of a block along one axis has it."""

    def copy(output):
        before = output * axis.stride
        edges = [(0, 0)] * len(kernel.shape)
        edges[number] = (before, axis.reach - before - axis.taps)
        return tf.pad(kernel, edges)

    return tf.stack([copy(i) for i in range(axis.outputs)], axis=-2)


def _block(width):
    """Rows and columns of a block, with a vector of eight filters a group."""
    return {1: (4, 2), 2: (2, 2)}.get(width, (1, 2))


def folded(inputs, kernel, window, groups, convolver):
    """Blocks of outputs and of inputs as channels of their group.

    For narrow groups without oneDNN, and with it as the gradients of `blocked`;
    strided ones there with one filter a group.
    """
    outputs = 1, 1
    if window.strides == (1, 1):
        outputs = _block(kernel.shape[-1] // groups)
        if not convolver.target.differentiates_groups(inputs):
            outputs = 4, 2  # Wider groups are worth more zeros there.
    blocks = _OutputBlocks(inputs, kernel, window, groups, outputs)
    inputs, window = blocks.fold_inputs(inputs)
    kernel = blocks.fold_kernel(kernel)
    return blocks.unfold(convolver(inputs, kernel, window, groups))


def blocked(inputs, kernel, window, groups, convolver):
    """Blocks of outputs as filters of a narrow group, with a larger stride."""

    def forward(inputs, kernel):
        outputs = _block(kernel.shape[-1] // groups)
        blocks = _OutputBlocks(inputs, kernel, window, groups, outputs)
        padded, moves = blocks.pad_inputs(inputs)
        kernel = blocks.block_kernel(kernel)
        return blocks.unfold(convolver(padded, kernel, moves, groups))

    # Gradients of large strides are slow.
    def other(inputs, kernel):
        return convolver.without("blocked", inputs, kernel, window, groups)

    return with_gradients_of(other, forward, inputs, kernel)
