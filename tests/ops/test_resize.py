"""Aligned resizing and adaptive pooling equal their closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.ops.resize import (
    WAYS,
    resize_align_corners,
    resize_rows,
)
from keras_pyconv.ops.separable import adaptive_average_pool

SIZES = [(5, 5, 9, 17), (4, 7, 4, 7), (7, 6, 3, 5), (1, 3, 4, 1), (6, 2, 1, 9)]
every_way = pytest.mark.parametrize("way", WAYS)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def maps(height, width, channels=3):
    rng = np.random.default_rng(height * width)
    return rng.normal(size=(2, height, width, channels)).astype("float32")


def line(values, new):
    """Pixel i of `new` reads at i * (n - 1) / (new - 1), axis 0, float64."""
    values = values.astype("float64")
    last = len(values) - 1
    results = []
    for pixel in range(new):
        place = pixel * last / (new - 1) if new > 1 else 0.0
        below = min(int(place), last)
        above = min(below + 1, last)
        part = place - below
        results.append((1 - part) * values[below] + part * values[above])
    return np.stack(results)


def resized(x, height, width):
    rows = line(x.transpose(1, 0, 2, 3), height).transpose(1, 0, 2, 3)
    return line(rows.transpose(2, 0, 1, 3), width).transpose(1, 2, 0, 3)


def pooled(x, rows, columns):
    """PyTorch's bins, one after the other."""
    _, height, width, _ = x.shape
    result = np.zeros((len(x), rows, columns, x.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            top, left = i * height // rows, j * width // columns
            bottom = math.ceil((i + 1) * height / rows)
            right = math.ceil((j + 1) * width / columns)
            part = x[:, top:bottom, left:right]
            result[:, i, j] = part.mean(axis=(1, 2), dtype="float64")
    return result


@every_way
@every_size
def test_resizing_is_the_closed_form(size, way):
    height, width, *new = size
    x = maps(height, width)
    found = resize_align_corners(x, new, way=way)
    np.testing.assert_allclose(found, resized(x, *new), atol=2e-6)


@every_way
def test_corners_stay_in_place_to_the_last_bit(way):
    x = maps(60, 17)
    y = np.asarray(resize_align_corners(x, (473, 131), way=way))
    for row in (0, -1):
        for column in (0, -1):
            np.testing.assert_allclose(
                y[:, row, column], x[:, row, column], rtol=1e-5
            )


@pytest.mark.parametrize(
    "size", [(60, 60, 9, 9), (5, 12, 9, 9), (7, 8, 3, 4), (3, 1, 1, 6)], ids=str
)
def test_pooling_averages_over_the_bins_of_pytorch(size):
    height, width, *bins = size
    x = maps(height, width)
    found = adaptive_average_pool(x, tuple(bins))
    np.testing.assert_allclose(found, pooled(x, *bins), atol=2e-6)


OPERATIONS = {
    **{
        f"resize_{way}": lambda x, f="channels_last", way=way: (
            resize_align_corners(x, (9, 5), f, way)
        )
        for way in WAYS
    },
    "pool": lambda x, f="channels_last": adaptive_average_pool(x, (2, 4), f),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


@every_operation
def test_channels_may_come_first(operation):
    compute, x = OPERATIONS[operation], maps(5, 7)
    first = compute(x.transpose(0, 3, 1, 2), "channels_first")
    np.testing.assert_allclose(
        np.transpose(first, (0, 2, 3, 1)), compute(x), atol=1e-6
    )


@every_operation
def test_sizes_may_be_known_at_the_call_alone(operation):
    compute = OPERATIONS[operation]
    traced = tf.function(compute).get_concrete_function(
        tf.TensorSpec((None, None, None, 3))
    )
    for height, width in ((5, 7), (11, 2)):
        x = maps(height, width)
        np.testing.assert_allclose(
            traced(tf.constant(x)), compute(x), atol=1e-6
        )


@every_operation
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_rounded_once(operation, dtype):
    compute, x = OPERATIONS[operation], tf.cast(maps(5, 7), dtype)
    found = compute(x)
    wanted = tf.cast(compute(tf.cast(x, "float32")), dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(
        np.asarray(found, "float32"), np.asarray(wanted, "float32")
    )


@every_operation
def test_gradients_are_the_transposed_maps(operation):
    """<A x, y> = <x, A' y>, and A' is the gradient of a linear map."""
    compute, x = OPERATIONS[operation], tf.constant(maps(5, 7))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = compute(x)
        y = tf.random.stateless_normal(z.shape, (1, 2))
        value = tf.reduce_sum(z * y)
    gradient = tape.gradient(value, x)
    np.testing.assert_allclose(tf.reduce_sum(gradient * x), value, rtol=1e-4)
    # Weights sum to one in every output, so the gradient keeps the sum.
    np.testing.assert_allclose(
        tf.reduce_sum(gradient), tf.reduce_sum(y), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: resize_align_corners(x, 9), "two positive .*=9"),
        (lambda x: resize_align_corners(x, (0, 9)), r"\(0, 9\)"),
        (lambda x: resize_align_corners(x, (3, 9), way="cubic"), "'cubic'"),
        (lambda x: resize_align_corners(x, (3, 9), "last"), "'last'"),
        (lambda x: adaptive_average_pool(x, 0), "positive integer.*=0"),
        (lambda x: adaptive_average_pool(x, (2, 3, 4)), r"\(2, 3, 4\)"),
    ],
)
def test_a_mistake_is_refused_with_what_was_received(call, message):
    with pytest.raises(ValueError, match=message):
        call(keras.ops.ones((1, 4, 4, 1)))


@pytest.mark.parametrize("size", [(9, 17), (3, 2), (5, 5)], ids=str)
def test_some_rows_are_those_of_the_whole_resized_map(size):
    x = maps(5, 7)[0]
    expected = tf.image.resize(x, size)
    found = resize_rows(tf.constant(x), *size, 1, size[0] - 1)
    np.testing.assert_allclose(found, expected[1:], atol=1e-5)
