"""The sum of a residual block is Keras's, and stays a sum."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import PyConv, ResidualAdd

POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]


def block(policy):
    """Images, a block's body and its sum, and the sum of Keras."""
    images = tf.random.stateless_normal((2, 5, 5, 8), (1, 2))
    body = PyConv(8, 3, dtype=policy)
    body.build(images.shape)
    short = tf.cast(images, body.compute_dtype)
    return images, body, short


@pytest.mark.parametrize("policy", POLICIES)
def test_it_adds_as_keras_does(policy):
    images, body, short = block(policy)
    wanted = keras.layers.Add(dtype=policy)([short, body(images)])
    ours = ResidualAdd(dtype=policy)
    for add in (ours, tf.function(ours)):
        outputs = add([short, body(images)])
        assert outputs.dtype == wanted.dtype
        np.testing.assert_array_equal(outputs, wanted)


@pytest.mark.parametrize("policy", POLICIES)
def test_it_adds_in_a_graph_what_the_body_makes(policy):
    images, body, short = block(policy)
    add = ResidualAdd(dtype=policy)
    graph = tf.function(lambda x: add([tf.cast(x, short.dtype), body(x)]))
    wide = np.float64(images) + np.float64(tf.cast(body(images), "float32"))
    np.testing.assert_allclose(
        tf.cast(graph(images), "float64"), wide, rtol=0.01, atol=0.05
    )


def test_the_convolution_before_it_takes_no_sum():
    images, body, _ = block("float32")
    add = ResidualAdd()
    graph = tf.function(lambda x: add([x, body(x)]))
    made = graph.get_concrete_function(images).graph.get_operations()
    (total,) = (n for n in made if n.name.endswith("/Add"))
    assert [t.op.type for t in total.inputs] == ["EnsureShape"] * 2
