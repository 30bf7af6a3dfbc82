"""Few deep pixels in 16 bits are convolved by a product of matrices."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.ops import grouped_conv, target
from tests.ops import grid


def tensors(side, channels):
    images = tf.random.stateless_normal((2, side, side, channels), (1, 2))
    kernel = tf.random.stateless_normal((1, 1, channels, 32), (3, 4)) / 16
    return tf.cast(images, "bfloat16"), tf.cast(kernel, "bfloat16")


def answers(images, kernel):
    """The convolution and both gradients, in float32."""
    with tf.GradientTape() as tape:
        tape.watch((images, kernel))
        outputs = grouped_conv(images, kernel)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") ** 2)
    found = outputs, *tape.gradient(loss, (images, kernel))
    return [tf.cast(array, "float32") for array in found]


@pytest.mark.parametrize("batch", [2, None])
def test_it_computes_what_float32_does(batch):
    images, kernel = tensors(7, 256)
    spec = tf.TensorSpec((batch, *images.shape[1:]), images.dtype)
    kernel_spec = tf.TensorSpec(kernel.shape, kernel.dtype)
    graph = tf.function(answers, input_signature=[spec, kernel_spec])
    whole = (tf.cast(tensor, "float32") for tensor in (images, kernel))
    for got, wanted in zip(graph(images, kernel), answers(*whole)):
        assert got.shape == wanted.shape
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(got, wanted, atol=scale / 64)


@pytest.mark.parametrize(
    "side, channels, products", [(7, 256, 1), (9, 256, 0), (7, 128, 0)]
)
def test_only_few_and_deep_pixels_are_multiplied(side, channels, products):
    if not target.cpu_differentiates_groups("bfloat16"):
        pytest.skip("this processor has no arithmetic for bfloat16")
    images, kernel = tensors(side, channels)

    def compute(images):
        return grouped_conv(tf.cast(images, "bfloat16"), kernel)

    found = grid.kinds(compute, images.shape)
    made = {"MatMul": 0, "Conv": 0}
    for kind, number in found.items():
        for name in made:
            made[name] += number * (name in kind[0])
    assert made == {"MatMul": products, "Conv": 1 - products}
