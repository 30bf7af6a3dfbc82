"""A pointwise convolution is Keras's, and trains where that cannot."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import PointwiseConv2D


def images(channels_first=False):
    x = tf.random.stateless_normal((2, 5, 6, 8), (1, 2))
    return tf.transpose(x, (0, 3, 1, 2)) if channels_first else x


@pytest.mark.parametrize("strides", [1, 2, (1, 2)])
def test_it_computes_what_the_layer_of_keras_does(strides):
    ours = PointwiseConv2D(4, strides, activation="relu")
    stock = keras.layers.Conv2D(4, 1, strides, activation="relu")
    outputs = ours(images())
    stock.build(images().shape)
    stock.set_weights(ours.get_weights())
    np.testing.assert_allclose(outputs, stock(images()), atol=1e-6)
    assert [v.name for v in ours.weights] == [v.name for v in stock.weights]
    assert ours.compute_output_shape((None, 5, 6, 8))[1:] == outputs.shape[1:]


def test_it_comes_back_from_its_config():
    layer = PointwiseConv2D(4, 2, use_bias=False, kernel_regularizer="l2")
    config = layer.get_config()
    again = PointwiseConv2D.from_config(config)
    assert again.get_config() == config
    assert again.kernel_size == (1, 1) and again.strides == (2, 2)
    loaded = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(loaded) is PointwiseConv2D


@pytest.mark.parametrize("strides", [1, 2])
def test_it_trains_with_channels_first(strides):
    last = PointwiseConv2D(4, strides)
    first = PointwiseConv2D(4, strides, data_format="channels_first")
    last.build((2, 5, 6, 8))
    first.build((2, 8, 5, 6))
    first.set_weights(last.get_weights())
    found = []
    for layer, x in ((last, images()), (first, images(True))):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        found.append(tape.gradient(loss, layer.kernel.value))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
