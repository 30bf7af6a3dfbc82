"""A graph that computes in bfloat16 where the processor is faster with it.

A SavedModel cannot ask for a processor's instructions, and bfloat16 is many
times as slow where they are missing. So the first request times a convolution
both ways, and a variable keeps the ratio.
"""

from keras_pyconv.lazy import tf

# Of the seconds in float32. On AMD EPYC, 2026-11-30, commit c5ec2a6: 0.55 to
# 0.59 with AVX512-BF16, 2.8 to 2.9 with AVX-512 alone, 1.00 to 1.06 without
# oneDNN; a sixteenth of the work left 0.68 to 1.12, 0.93 to 1.03 at first.
FASTER = 0.8
_IMAGES = (4, 28, 28, 128)
_ROUNDS = 12
_ENDLESS = 1e9  # seconds


def is_bfloat16(seen):
    """Whether an inspected model computes in bfloat16, and not in integers."""
    modes = (getattr(each, "quantization_mode", None) for each in seen.layers)
    is_some = any(each.compute_dtype == "bfloat16" for each in seen.layers)
    return is_some and not any(modes)


def unknown_ratio():
    """The variable of the ratio; zero is unknown."""
    return tf.Variable(0.0, trainable=False, name="bfloat16_to_float32")


def the_faster(full, halved, ratio):
    """Of two models as of `traced_model` the faster one, in float32."""

    def in_float32(tensor):
        is_half = tensor.dtype == tf.bfloat16
        return tf.cast(tensor, "float32") if is_half else tensor

    def call(inputs):
        known = tf.cond(
            ratio > 0.0, ratio.read_value, lambda: ratio.assign(_measured())
        )
        return tf.cond(
            known < FASTER,
            lambda: tf.nest.map_structure(in_float32, halved(inputs)),
            lambda: full(inputs),
        )

    return call


def _measured():
    """Seconds of a convolution in bfloat16 to those in float32."""
    # A dataset passes over errors: oneDNN refuses bfloat16 where it is told to
    # use fewer instructions than the processor has.
    rounds = tf.data.Dataset.range(_ROUNDS).map(_both).ignore_errors()
    best = rounds.reduce(tf.constant([_ENDLESS, 1.0], "float64"), tf.minimum)
    return tf.cast(best[0] / best[1], "float32")


def _both(_):
    return tf.stack([_seconds("bfloat16"), _seconds("float32")])


def _seconds(dtype):
    # What begins with the time, and ends before it is asked again, is computed
    # in between, and not once for all by the optimization of graphs.
    start = tf.timestamp()
    maps = tf.fill(_IMAGES, tf.cast(start, dtype))
    kernel = tf.fill((3, 3, *_IMAGES[-1:], *_IMAGES[-1:]), tf.cast(1e-3, dtype))
    total = tf.reduce_max(tf.nn.conv2d(maps, kernel, 1, "SAME"))
    with tf.control_dependencies([total]):
        end = tf.timestamp()
    return tf.where(tf.math.is_finite(total), end - start, _ENDLESS)
