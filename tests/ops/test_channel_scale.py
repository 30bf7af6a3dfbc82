"""A scale of channels goes into the convolutions before it, and only there."""

import keras
import numpy as np
import pytest

from keras_pyconv.layers import FusedBatchNormalization, PyConv, PyConv3D
from keras_pyconv.ops import graph

tf = pytest.importorskip("tensorflow")


def normalized(convolution, images, dtype=None):
    """A convolution and its normalization with statistics of their own."""
    norm = FusedBatchNormalization(epsilon=1e-3, dtype=dtype)
    norm.build(convolution(images).shape)
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 2, w.shape) for w in norm.weights])
    return lambda x: norm(convolution(x), training=False)


def live_nodes(function, images):
    """The operations that the results of a graph need, by name."""
    graph = tf.function(function).get_concrete_function(images)
    (name,) = {tensor.op.name for tensor in graph.outputs}
    definition = tf.compat.v1.graph_util.extract_sub_graph(
        graph.graph.as_graph_def(), [name]
    )
    return {node.name: node for node in definition.node}


def live_operations(function, images):
    """The kinds of these operations."""
    return [node.op for node in live_nodes(function, images).values()]


CONVOLUTIONS = {
    "Conv2D": (lambda: keras.layers.Conv2D(8, 3, use_bias=False), 4),
    "Conv3D": (lambda: keras.layers.Conv3D(8, 3, use_bias=False), 5),
    "clips, frame by frame": (lambda: PyConv3D(8, ((1, 3, 3),)), 5),
    "padding by itself": (lambda: PyConv(8, 3, strides=3, use_bias=False), 4),
    "pyramid": (lambda: PyConv((8, 4, 4), (3, 5, 7), groups=(1, 2, 4)), 4),
    "narrow groups": (lambda: PyConv(16, 7, groups=8, strides=2), 4),
    "with a bias": (lambda: keras.layers.Conv2D(8, 3), 4),
    "none": (keras.layers.ReLU, 4),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_graphs_compute_what_eager_code_does(kind):
    make, rank = CONVOLUTIONS[kind]
    images = tf.random.stateless_normal((2, *[9] * (rank - 2), 16), (1, 2))
    compute = normalized(make(), images)
    wanted = compute(images)
    np.testing.assert_allclose(
        tf.function(compute)(images), wanted, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    "kind", ["Conv2D", "Conv3D", "clips, frame by frame", "padding by itself"]
)
def test_the_replaced_convolution_is_not_computed(kind):
    make, rank = CONVOLUTIONS[kind]
    images = tf.zeros((2, *[9] * (rank - 2), 16))
    convolution = make()
    live = live_operations(normalized(convolution, images), images)
    assert sum(name.startswith("Conv") for name in live) == 1
    assert "BiasAdd" in live


@pytest.mark.parametrize("strides", [1, 3])
def test_gradients_are_those_of_eager_code(strides):
    images = tf.random.stateless_normal((2, 9, 9, 16), (1, 2))
    pyramid = PyConv(16, (3, 5), groups=(1, 4), strides=strides)
    compute = normalized(pyramid, images)

    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(compute(images) ** 2)
        return tape.gradient(loss, [v.value for v in pyramid.kernels])

    for got, wanted in zip(tf.function(gradients)(images), gradients(images)):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, atol=1e-5 * scale)


def test_kernels_larger_than_their_maps_are_left_alone():
    images = tf.zeros((2, 2, 2, 16))
    convolution = keras.layers.Conv2D(16, 3, padding="same", use_bias=False)
    live = live_nodes(normalized(convolution, images), images)
    (convolved,) = (node for node in live.values() if node.op == "Conv2D")
    assert live[convolved.input[1]].op == "ReadVariableOp"


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_a_scale_passes_what_cuts_numbers_short(monkeypatch, dtype):
    monkeypatch.setattr(graph, "_cpu_has_gradients", lambda _: False)
    images = tf.random.stateless_normal((2, 9, 9, 16), (1, 2))
    convolution = PyConv(8, 3, dtype=dtype, use_bias=False)
    compute = normalized(convolution, images, dtype=dtype)
    live = live_nodes(compute, images)
    (shifted,) = (node for node in live.values() if node.op == "BiasAdd")
    assert live[shifted.input[0]].op == "Conv2D"
    got, wanted = tf.function(compute)(images), compute(images)
    assert got.dtype == wanted.dtype == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(
        tf.cast(got, "float32"), tf.cast(wanted, "float32"), atol=0.05
    )


def test_what_others_concatenate_is_left_alone():
    first, second = (keras.layers.Conv2D(4, 1) for _ in range(2))

    def joined(images):
        return tf.concat([first(images), second(images)], axis=-1)

    images = tf.zeros((2, 9, 9, 16))
    live = live_operations(normalized(joined, images), images)
    assert live.count("Conv2D") == 2 and "Mul" in live
