"""A graph that computes in bfloat16 where the processor is faster with it.

A SavedModel cannot ask for a processor's instructions, and bfloat16 is many
times as slow where they are missing. So the first request times a convolution
both ways, until the faster one is certain, and a variable keeps which it is.
"""

from keras_pyconv.lazy import tf

# Of the seconds in float32. On AMD EPYC, 2026-11-30, commit c5ec2a6: 0.55 to
# 0.59 with AVX512-BF16, 2.8 to 2.9 with AVX-512 alone, 1.00 to 1.06 without
# oneDNN; a sixteenth of the work left 0.68 to 1.12, 0.93 to 1.03 at first.
# Both were timed at once then.
FASTER = 0.8
_IMAGES = (4, 28, 28, 128)
# Rounds that one type is ahead when it is taken. Other work on the machine
# decides single rounds: with four such processes on two cores (AMD EPYC with
# AVX2, 2026-12-01) the shortest times of 12 rounds found bfloat16, no faster
# there, to be so in 14 of 120 trials, this rule in none of 600 with four or
# eight. It missed what takes 0.57 of the time in 4 of 200 trials with four,
# and in 122 of 400, all with oneDNN, with eight.
_LEAD = 10
_MOST_ROUNDS = 100
_ENDLESS = 1e9  # seconds


def is_bfloat16(seen):
    """Whether an inspected model computes in bfloat16, and not in integers."""
    modes = (getattr(each, "quantization_mode", None) for each in seen.layers)
    is_some = any(each.compute_dtype == "bfloat16" for each in seen.layers)
    return is_some and not any(modes)


def unknown():
    """The variable of the verdict: 1 if bfloat16 is faster, -1 if not."""
    return tf.Variable(0.0, trainable=False, name="bfloat16_is_faster")


def the_faster(full, halved, verdict):
    """Of two models as of `traced_model` the faster one, in float32."""

    def in_float32(tensor):
        is_half = tensor.dtype == tf.bfloat16
        return tf.cast(tensor, "float32") if is_half else tensor

    def call(inputs):
        known = tf.cond(
            tf.equal(verdict, 0.0),
            lambda: verdict.assign(_measured()),
            verdict.read_value,
        )
        return tf.cond(
            known > 0.0,
            lambda: tf.nest.map_structure(in_float32, halved(inputs)),
            lambda: full(inputs),
        )

    return call


def _measured():
    """The verdict on a convolution; undecided is -1."""
    # A dataset passes over errors: oneDNN refuses bfloat16 where it is told to
    # use fewer instructions than the processor has.
    votes = tf.data.Dataset.range(_MOST_ROUNDS).map(_vote).ignore_errors()
    leads = votes.scan(0, lambda lead, vote: (lead + vote, lead + vote))
    leads = leads.take_while(lambda lead: abs(lead) <= _LEAD)
    lead = leads.reduce(0, lambda _, last: last)
    return tf.where(lead >= _LEAD, 1.0, -1.0)


def _vote(_):
    halved = _seconds("bfloat16")
    # One after the other, or they would wait for each other's threads.
    with tf.control_dependencies([halved]):
        full = _seconds("float32")
    return tf.where(halved < FASTER * full, 1, -1)


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
