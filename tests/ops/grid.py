"""Every way of convolving beside the loop in NumPy, one case at a time."""

import collections
import itertools

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from keras_pyconv.ops import TARGETS, WAYS, grouped_conv
from tests.reference.numpy_conv import numpy_conv

# How to convolve: by the rules, by each way, and for each other target.
CHOICES = {
    "rules": {},
    **{way: {"way": way} for way in WAYS},
    # "served_bfloat16" goes by the rules of "served".
    **{
        name: {"target": name}
        for name in TARGETS
        if name not in ("here", "served_bfloat16")
    },
}
SIZES, KERNEL = (7, 8, 5), (3, 5, 3)
# How far a result may be from the largest one. Without oneDNN TensorFlow sums
# the gradients of kernels in 16 bits, which costs the most.
TOLERANCES = {"float32": 2e-6, "float16": 8e-3, "bfloat16": 6e-2}
# (rank, stride, dilation, groups)
WINDOWS = [
    *itertools.product((1, 2, 3), (1, 2), (1, 2), (1, 6)),
    *((rank, 3, dilation, 2) for rank in (1, 2, 3) for dilation in (1, 2)),
    (2, 1, 1, 3),  # two filters a group, in blocks of other sizes than one
    (3, (1, 2, 2), 1, 6),
    (3, (1, 2, 2), 1, 1),
]
SOME = [(1, 2, 1, 2), (2, 1, 1, 6), (2, 2, 1, 2), (3, 1, 1, 2)]
# Every rank, stride and dilation that a graph may meet, each at least once.
TRACED = [*SOME[2:], (1, 1, 2, 6), (2, 1, 2, 2)]


def case(
    rank, stride, dilation, groups, dtype="float32", channels=12, filters=6
):
    """Inputs, kernel and upstream gradient, with what NumPy makes of them."""
    strides = np.broadcast_to(stride, rank)
    seed = 1000 * rank + 100 * strides[-1] + 10 * dilation + groups
    draw = np.random.default_rng(seed).normal
    sizes, taps = SIZES[:rank], KERNEL[:rank]
    inputs = tf.cast(draw(size=(2, *sizes, channels)), dtype)
    kernel = tf.cast(draw(size=(*taps, channels // groups, filters)), dtype)
    outputs, gradients = numpy_conv(
        *(tf.cast(a, "float64").numpy() for a in (inputs, kernel)),
        strides=tuple(strides),
        pads=tuple(k // 2 * dilation for k in taps),
        dilations=(dilation,) * rank,
        groups=groups,
    )
    upstream = tf.cast(draw(size=outputs.shape), dtype)
    upstream64 = tf.cast(upstream, "float64").numpy()
    return (inputs, kernel, upstream), (outputs, *gradients(upstream64))


def run(arrays, mode="eager", **options):
    """Outputs and both gradients of one convolution, in a mode of running."""

    def outputs_and_gradients(inputs, kernel, upstream):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = grouped_conv(inputs, kernel, **options)
        return outputs, *tape.gradient(outputs, [inputs, kernel], upstream)

    unknown = [
        tf.TensorSpec([None] * (a.ndim - 1) + a.shape[-1:], a.dtype)
        for a in arrays
    ]
    unknown[1] = tf.TensorSpec(arrays[1].shape, arrays[1].dtype)
    function = {
        "eager": outputs_and_gradients,
        "graph": tf.function(outputs_and_gradients, autograph=False),
        "unknown": tf.function(outputs_and_gradients, unknown, autograph=False),
        "xla": tf.function(
            outputs_and_gradients, jit_compile=True, autograph=False
        ),
    }[mode]
    return function(*arrays)


def error(got, wanted):
    """The largest difference, as a share of the largest value wanted."""
    got = [tf.cast(a, "float64").numpy() for a in got]
    assert [a.shape for a in got] == [a.shape for a in wanted]
    return max(
        np.abs(a - b).max() / np.abs(b).max() for a, b in zip(got, wanted)
    )


def wrong(dtype="float32", windows=WINDOWS, mode="eager", choices=CHOICES):
    """The cases in which a choice differs from NumPy, in words."""
    found = []
    for window in windows:
        rank, stride, dilation, groups = window
        # Clips of features, which are convolved otherwise than colours are.
        channels = 24 if rank == 3 and groups == 1 else 12
        arrays, wanted = case(*window, dtype, channels)
        for choice in choices:
            got = run(
                arrays,
                mode,
                strides=stride,
                dilation_rate=dilation,
                groups=groups,
                **CHOICES[choice],
            )
            off = error(got, wanted)
            if not off <= TOLERANCES[dtype]:
                found.append(
                    f"{rank}-D stride {stride} dilation {dilation} groups "
                    f"{groups} {dtype} {mode} {choice}: {off:.1e}"
                )
    return found


def fused(choice, follower):
    """A grouped convolution right before what optimization fuses it with."""
    (inputs, kernel, _), _ = case(2, 1, 1, 6)
    six = tf.linspace(0.5, 1.5, 6)

    def follow(outputs):
        if follower == "bias":
            return tf.nn.bias_add(outputs, six)
        return tf.compat.v1.nn.fused_batch_norm(
            outputs, six, six, six, six, is_training=False
        )[0]

    def values(inputs, kernel):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = follow(
                grouped_conv(inputs, kernel, groups=6, **CHOICES[choice])
            )
        return outputs, *tape.gradient(outputs, [inputs, kernel])

    def inference(inputs, kernel):
        return (
            follow(grouped_conv(inputs, kernel, groups=6, **CHOICES[choice])),
        )

    wanted = [value.numpy() for value in values(inputs, kernel)]
    return max(
        error(tf.function(f, autograph=False)(inputs, kernel), wanted[:n])
        for f, n in ((values, 3), (inference, 1))
    )


def wide_wrong():
    """The ranks in which merging many groups into several blocks is wrong."""
    found = []
    for rank in (1, 2, 3):
        inputs = tf.random.normal((1, *SIZES[:rank], 32))
        kernel = tf.random.normal((*KERNEL[:rank], 4, 16))
        arrays = inputs, kernel, tf.ones((1, *SIZES[:rank], 16))
        wanted = run(arrays, groups=8, way="split")
        wanted = [tf.cast(a, "float64").numpy() for a in wanted]
        if error(run(arrays, groups=8, way="merged"), wanted) > 1e-5:
            found.append(f"{rank}-D merged into several blocks")
    return found


def nodes(concrete):
    """The nodes of a graph, with those of the functions that it calls."""
    made = concrete.graph.as_graph_def()
    functions = {f.signature.name: f.node_def for f in made.library.function}

    def walk(some):
        for node in some:
            called = node.attr["f"].func.name if "f" in node.attr else ""
            yield from walk(functions[called]) if called else [node]

    return list(walk(made.node))


def convolved(concrete):
    """In what types a graph convolves images, one by one."""
    return [
        tf.as_dtype(node.attr["T"].type)
        for node in nodes(concrete)
        if node.op == "Conv2D"
    ]


def kinds(function, shape):
    """How often each kind of operation runs, after TensorFlow's optimization.

    Fused ones are named with what is in them.
    """
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape))
    context.context().enable_graph_collection()
    concrete(tf.zeros([size or 2 for size in shape]))
    graphs = context.context().export_run_metadata().function_graphs
    context.context().disable_graph_collection()
    found = collections.Counter()
    for node in graphs[-1].post_optimization_graph.node:
        inside = node.attr["fused_ops"].list.s if node.attr else ()
        found[node.op, *inside] += 1
    return found
