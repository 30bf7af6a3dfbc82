"""TensorFlow's own groups, and groups split or merged."""

from keras_pyconv.lazy import tf
from keras_pyconv.ops.conv.dense import convolve, dense, row_as_image
from keras_pyconv.ops.graph import barrier, with_gradients_of

# The widest dense block that merging groups makes: channels in, and out.
_MERGED_CHANNELS = (16, 32)


def native(inputs, kernel, window, groups, convolver):
    """TensorFlow's own groups: best for wide groups with oneDNN."""

    def forward(inputs, kernel):
        # Without oneDNN, graph optimization would fuse this with a bias or a
        # batch normalization behind it into a kernel that refuses groups.
        return barrier(convolve(inputs, kernel, window, convolver.target))

    def other(inputs, kernel):
        return split(inputs, kernel, window, groups, convolver)

    if convolver.target.differentiates_groups(inputs):
        return forward(inputs, kernel)
    return with_gradients_of(other, forward, inputs, kernel)


def split(inputs, kernel, window, groups, convolver):
    """One dense convolution a group: for few and wide groups."""
    if groups == 1:
        return dense(inputs, kernel, window, convolver.target)
    if len(window.strides) == 1:
        # Once for all groups: thousands of new shapes, and their gradients,
        # would be half of a network's graph and of its first step's time.
        image = row_as_image(inputs, kernel, window)
        return tf.squeeze(split(*image, groups, convolver), 1)
    inputs = tf.split(inputs, groups, axis=-1)
    kernels = tf.split(kernel, groups, axis=-1)
    parts = [
        dense(x, k, window, convolver.target) for x, k in zip(inputs, kernels)
    ]
    return tf.concat(parts, axis=-1)


def merged(inputs, kernel, window, groups, convolver):
    """Neighbouring narrow groups as a wider one with zeros in its kernel."""
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
    is_native = convolver.target.differentiates_groups(inputs)
    way = native if is_native and len(window.strides) < 3 else split
    if groups == 1:
        way = split
    return way(inputs, kernel, window, groups, convolver)
