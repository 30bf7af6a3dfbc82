"""A normalization goes into the convolution before it, and only there."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import (
    FusedBatchNormalization,
    PointwiseConv2D,
    PyConv,
    PyConv3D,
    ReLU,
)
from keras_pyconv.ops import target
from keras_pyconv.ops.fold import folded
from tests.ops import grid


def normalized(convolution, images, dtype=None):
    """A convolution and its normalization with statistics of their own."""
    norm = FusedBatchNormalization(epsilon=1e-3, dtype=dtype)
    norm.build(convolution(images).shape)
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 2, w.shape) for w in norm.weights])
    return lambda x: norm(convolution(x), training=False)


def random_images(*shape):
    return tf.random.stateless_normal(shape, (1, 2))


def convolutions(kinds):
    """How many there are, and how many have a bias in them."""
    made = {k: n for k, n in kinds.items() if "Conv" in k[0]}
    with_bias = {k: n for k, n in made.items() if b"BiasAdd" in k}
    return sum(made.values()), sum(with_bias.values())


# Name: the convolution, rank of its inputs, how many are computed, how many
# take the shift in. With oneDNN pixels alone are taken clip by clip.
FOLDED = {
    "pointwise": (lambda: PointwiseConv2D(8), 4, 1, 1),
    "clips": (lambda: PyConv3D(8, ((1, 3, 3),)), 5, 1, 0),
    "padding by itself": (lambda: PyConv(8, 3, strides=3), 4, 1, 1),
    "pyramid": (lambda: PyConv((8, 8), (3, 5), groups=(1, 1)), 4, 2, 0),
    "valid": (lambda: PyConv((8, 8), (3, 5), 1, padding="valid"), 4, 2, 0),
}
OTHERS = {
    "narrow groups": (lambda: PyConv(16, 7, groups=8, strides=2), 4),
    "an activation": (lambda: PyConv(8, 3, activation="relu"), 4),
    "Conv2D": (lambda: keras.layers.Conv2D(8, 3), 4),
    "Conv3D": (lambda: keras.layers.Conv3D(8, 3, use_bias=False), 5),
    "none": (keras.layers.ReLU, 4),
}


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("kind", [*FOLDED, *OTHERS])
def test_graphs_compute_what_eager_code_does(kind, batch):
    make, rank, *_ = {**FOLDED, **OTHERS}[kind]
    images = random_images(2, *[9] * (rank - 2), 16)
    compute = normalized(make(), images)
    spec = tf.TensorSpec((batch, *images.shape[1:]))
    graph = tf.function(compute, input_signature=[spec])
    np.testing.assert_allclose(
        graph(images), compute(images), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("kind", FOLDED)
def test_the_replaced_convolution_is_not_computed(kind, batch):
    make, rank, number, with_bias = FOLDED[kind]
    shape = batch, *[9] * (rank - 2), 16
    compute = normalized(make(), tf.zeros((2, *shape[1:])))
    found = grid.kinds(compute, shape)
    assert convolutions(found) == (number, with_bias)


@pytest.mark.parametrize("strides", [1, 3])
def test_gradients_are_those_of_eager_code(strides):
    images = random_images(2, 9, 9, 16)
    pyramid = PyConv(16, (3, 5), groups=(1, 4), strides=strides)
    compute = normalized(pyramid, images)

    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(compute(images) ** 2)
        return tape.gradient(loss, [v.value for v in pyramid.weights])

    for got, wanted in zip(tf.function(gradients)(images), gradients(images)):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, atol=1e-5 * scale)


@pytest.mark.parametrize("batch", [2, None])
def test_the_result_of_the_convolution_has_a_gradient(batch):
    """Grad-CAM's, which asks for it in the midst of a network."""
    images = random_images(2, 9, 9, 16)
    convolution, norm = PyConv(8, 3), FusedBatchNormalization()
    norm.build(convolution(images).shape)

    def slope(images):
        with tf.GradientTape() as tape:
            features = convolution(images)
            tape.watch(features)
            loss = tf.reduce_sum(norm(features, training=False) ** 2)
        return tape.gradient(loss, features)

    spec = tf.TensorSpec((batch, *images.shape[1:]))
    graph = tf.function(slope, input_signature=[spec])
    np.testing.assert_allclose(graph(images), slope(images), atol=1e-5)


def test_kernels_larger_than_their_maps_are_left_alone():
    convolution = PyConv(16, 3, use_bias=False)
    compute = normalized(convolution, tf.zeros((2, 2, 2, 16)))
    found = grid.kinds(compute, (2, 2, 2, 16))
    assert convolutions(found) == (1, 0) and found["BiasAdd",] == 1


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_numbers_are_cut_short_at_the_end_alone(monkeypatch, dtype, batch):
    monkeypatch.setattr(target, "cpu_differentiates_groups", lambda _: False)
    images = random_images(2, 9, 9, 16)
    first = PyConv(8, 3, dtype=dtype, use_bias=False)
    compute = normalized(first, images, dtype=dtype)
    relu, last = ReLU(dtype=dtype), PointwiseConv2D(8, dtype=dtype)
    last.build((2, 9, 9, 8))
    network = lambda x: last(relu(compute(x)))  # noqa: E731
    found = grid.kinds(network, (batch, 9, 9, 16))
    # Of the images there and back, of the last kernel and its bias too, and of
    # the result; the first kernel is folded as its variable has it.
    assert found["Cast",] == 7
    assert found["_FusedConv2D", b"BiasAdd", b"Relu"] == 1
    spec = tf.TensorSpec((batch, 9, 9, 16))
    got = tf.function(network, input_signature=[spec])(images)
    wanted = network(images)
    assert got.dtype == wanted.dtype == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(
        tf.cast(got, "float32"), tf.cast(wanted, "float32"), atol=0.05
    )


@pytest.mark.parametrize("batch", [2, None])
def test_kernels_are_folded_before_they_are_cut(batch):
    if not target.cpu_differentiates_groups("bfloat16"):
        pytest.skip("this processor has no arithmetic for bfloat16")
    images = random_images(2, 9, 9, 16)
    convolution = PointwiseConv2D(8, dtype="mixed_bfloat16", use_bias=False)
    compute = normalized(convolution, images, dtype="mixed_bfloat16")
    assert convolutions(grid.kinds(compute, (batch, 9, 9, 16))) == (1, 1)
    spec = tf.TensorSpec((batch, 9, 9, 16))
    got = tf.function(compute, input_signature=[spec])(images)
    assert got.dtype == "bfloat16"
    # The images, the kernel and the result are each cut once, to eight bits.
    wanted = compute(images)
    scale = np.abs(tf.cast(wanted, "float32")).max()
    np.testing.assert_allclose(
        tf.cast(got, "float32"), tf.cast(wanted, "float32"), atol=scale / 64
    )


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_numbers_stay_long_between_layers_that_train(monkeypatch, dtype):
    monkeypatch.setattr(target, "cpu_differentiates_groups", lambda _: False)
    norm, relu = FusedBatchNormalization(dtype=dtype), ReLU(dtype=dtype)
    convolution = PointwiseConv2D(8, dtype=dtype, use_bias=False)
    norm.build((2, 9, 9, 16))
    convolution.build((2, 9, 9, 16))
    found = grid.kinds(
        lambda x: convolution(relu(norm(x, training=True))), (2, 9, 9, 16)
    )
    # Of the images and of the kernel there and back, and of the result.
    assert found["Cast",] == 5


def test_levels_take_the_scale_of_their_own_filters():
    kernels = [np.ones((1, 1, 2, 2)), np.ones((3, 3, 2, 1))]
    scale, shift = np.array([2.0, 3.0, 5.0]), np.array([1.0, 1.0, 1.0])
    scaled, bias = folded(kernels, np.array([7.0, 0.0, 1.0]), scale, shift)
    assert [k[0, 0, 0].tolist() for k in scaled] == [[2.0, 3.0], [5.0]]
    assert bias.tolist() == [15.0, 1.0, 6.0]
    assert folded(kernels, None, scale, shift)[1].tolist() == [1.0, 1.0, 1.0]
