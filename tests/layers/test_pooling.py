"""Max pooling of clips pads alike on both sides and takes the largest."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import SymmetricMaxPooling3D


def slow_pool(x, window, strides):
    """The obvious loops."""
    pads = [(0, 0), *((size // 2,) * 2 for size in window), (0, 0)]
    padded = np.pad(x, pads, constant_values=-np.inf)
    counts = [(n - 1) // s + 1 for n, s in zip(x.shape[1:4], strides)]
    outputs = np.empty((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for index in np.ndindex(*counts):
        corner = [i * s for i, s in zip(index, strides)]
        part = padded[
            (slice(None), *(slice(c, c + w) for c, w in zip(corner, window)))
        ]
        outputs[(slice(None), *index)] = part.max(axis=(1, 2, 3))
    return outputs


CASES = [
    ((1, 3, 3), (1, 2, 2), (2, 3, 6, 7, 2)),
    ((3, 3, 3), (2, 2, 2), (1, 5, 4, 5, 3)),
    ((3, 1, 5), (2, 1, 3), (1, 4, 3, 8, 2)),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1, 1, 2)),
]


@pytest.mark.parametrize("window, strides, shape", CASES, ids=str)
def test_it_is_what_the_loops_say(window, strides, shape):
    # All below zero: padding with zeros would win.
    x = -np.random.default_rng(0).random(shape).astype("float32") - 1
    layer = SymmetricMaxPooling3D(window, strides)
    outputs = layer(x)
    np.testing.assert_array_equal(outputs, slow_pool(x, window, strides))
    assert layer.compute_output_shape(shape) == outputs.shape


def test_sizes_may_be_unknown_and_channels_first():
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 7, 2)).astype("float32")
    layer = SymmetricMaxPooling3D(3, (2, 2, 2))
    inputs = keras.Input((None, None, None, 2))
    model = keras.Model(inputs, layer(inputs))
    wanted = slow_pool(x, (3, 3, 3), (2, 2, 2))
    np.testing.assert_array_equal(model.predict_on_batch(x), wanted)
    first = SymmetricMaxPooling3D(3, (2, 2, 2), data_format="channels_first")
    outputs = first(x.transpose(0, 4, 1, 2, 3))
    np.testing.assert_array_equal(outputs, wanted.transpose(0, 4, 1, 2, 3))


def test_the_gradient_goes_to_the_largest_alone():
    x = np.random.default_rng(0).permutation(2 * 6 * 6).astype("float32")
    x = tf.constant(x.reshape(1, 2, 6, 6, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = SymmetricMaxPooling3D(3, (2, 2, 2))(x)
    slopes = tape.gradient(outputs, x).numpy()
    assert slopes.sum() == outputs.numpy().size
    assert set(x.numpy()[slopes > 0]) == set(outputs.numpy().ravel())


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd.*pool_size=2"):
        SymmetricMaxPooling3D(2)
