"""Max pooling pads alike on both sides and takes the largest."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import SymmetricMaxPooling2D, SymmetricMaxPooling3D
from keras_pyconv.ops import TARGETS


def slow_pool(x, window, strides):
    """The obvious loops."""
    pads = [(0, 0), *((size // 2,) * 2 for size in window), (0, 0)]
    padded = np.pad(x, pads, constant_values=-np.inf)
    counts = [(n - 1) // s + 1 for n, s in zip(x.shape[1:-1], strides)]
    outputs = np.empty((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for index in np.ndindex(*counts):
        corner = [i * s for i, s in zip(index, strides)]
        part = padded[
            (slice(None), *(slice(c, c + w) for c, w in zip(corner, window)))
        ]
        outputs[(slice(None), *index)] = part.max(
            axis=tuple(range(1, x.ndim - 1))
        )
    return outputs


def layer_of(window, strides, **options):
    """The layer for as many axes as the window has."""
    rank = {2: SymmetricMaxPooling2D, 3: SymmetricMaxPooling3D}
    return rank[len(window)](window, strides, **options)


CASES = [
    ((3, 3), (2, 2), (2, 6, 7, 2)),
    ((3, 3), (1, 1), (2, 6, 7, 2)),
    ((5, 3), (2, 3), (1, 9, 4, 3)),
    ((3, 3), (2, 2), (2, 1, 1, 2)),
    ((1, 3, 3), (1, 2, 2), (2, 3, 6, 7, 2)),
    ((3, 3, 3), (2, 2, 2), (1, 5, 4, 5, 3)),
    ((3, 1, 5), (2, 1, 3), (1, 4, 3, 8, 2)),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1, 1, 2)),
]
BOTH = [CASES[0], CASES[5]]


def below_zero(shape):
    """Padding with zeros would win here."""
    return -np.random.default_rng(0).random(shape).astype("float32") - 1


@pytest.mark.parametrize("window, strides, shape", CASES, ids=str)
def test_it_is_what_the_loops_say(window, strides, shape):
    x = below_zero(shape)
    layer = layer_of(window, strides)
    outputs = layer(x)
    np.testing.assert_array_equal(outputs, slow_pool(x, window, strides))
    assert layer.compute_output_shape(shape) == outputs.shape
    for layer.target in TARGETS:
        np.testing.assert_array_equal(layer(x), outputs)


@pytest.mark.parametrize("window, strides, shape", BOTH, ids=str)
def test_sizes_may_be_unknown_and_channels_first(window, strides, shape):
    x = below_zero(shape)
    inputs = keras.Input((*[None] * len(window), shape[-1]))
    model = keras.Model(inputs, layer_of(window, strides)(inputs))
    wanted = slow_pool(x, window, strides)
    np.testing.assert_array_equal(model.predict_on_batch(x), wanted)
    first = layer_of(window, strides, data_format="channels_first")
    outputs = first(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(outputs, np.moveaxis(wanted, -1, 1))


@pytest.mark.parametrize("window, strides, shape", BOTH, ids=str)
def test_frames_stay_known_where_the_batch_is_not(window, strides, shape):
    layer = layer_of(window, strides)
    function = tf.function(layer, [tf.TensorSpec((None, *shape[1:]))])
    static = function.get_concrete_function().outputs[0].shape
    assert static == layer.compute_output_shape((None, *shape[1:]))


@pytest.mark.parametrize("window, strides, shape", BOTH, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_compiling_changes_nothing(window, strides, shape, dtype):
    x = tf.cast(below_zero(shape), dtype)
    layer = layer_of(window, strides, dtype=dtype)

    def pooled(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x)
        return outputs, tape.gradient(outputs, x)

    for got, wanted in zip(
        tf.function(pooled, jit_compile=True)(x), tf.function(pooled)(x)
    ):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("window, strides, shape", BOTH, ids=str)
def test_the_gradient_goes_to_the_largest_alone(window, strides, shape):
    x = np.random.default_rng(0).permutation(np.prod(shape))
    x = tf.constant(x.astype("float32").reshape(shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer_of(window, strides)(x)
    slopes = tape.gradient(outputs, x).numpy()
    assert slopes.sum() == outputs.numpy().size
    assert set(x.numpy()[slopes > 0]) == set(outputs.numpy().ravel())


def test_gradients_can_be_taken_twice():
    x = tf.random.stateless_normal((2, 6, 7, 2), (1, 2))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = SymmetricMaxPooling2D(3, 2)(x) ** 3
        slopes = tape.gradient(outputs, x)
    # The cube of one input: its slope is homogeneous of degree two.
    second = outer.gradient(slopes, x)
    np.testing.assert_allclose(
        tf.reduce_sum(second * x), 2 * tf.reduce_sum(slopes), rtol=1e-5
    )


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match="odd.*pool_size=2"):
        SymmetricMaxPooling3D(2)
