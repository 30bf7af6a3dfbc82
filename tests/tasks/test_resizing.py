"""Images are resized as TensorFlow's own kernel resizes them, to the bit."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.resizing import resize, resize_window

SHAPES = [(40, 60, 3), (7, 90, 3), (90, 7, 1), (1, 1, 3), (2, 33, 50, 3)]


def picture(shape, dtype="uint8"):
    values = np.random.default_rng(sum(shape)).integers(0, 256, shape)
    return tf.constant(values.astype(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_of_an_image(shape, dtype):
    image = picture(shape, dtype)
    for size in [(32, 32), (11, 70), (90, 5)]:
        wanted = tf.image.resize(image, size, antialias=True)
        found = resize(image, size)
        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, wanted)


def test_a_window_of_it():
    image = picture((2, 50, 70, 3))
    scale, shift = tf.constant([0.6, 1.4]), tf.constant([-3.0, -20.0])
    options = {"kernel_type": "triangle", "antialias": True}
    wanted = tf.raw_ops.ScaleAndTranslate(
        images=image, size=(24, 32), scale=scale, translation=shift, **options
    )
    found = resize_window(image, (24, 32), scale, shift)
    np.testing.assert_array_equal(found, wanted)


def test_in_a_graph_where_known_sides_stay_known():
    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    def resized(image):
        square = resize(image, (8, 9))
        assert square.shape == (8, 9, 3)
        half = resize(image, tf.shape(image)[:2] // 2)
        assert half.shape == (None, None, 3)
        return square, half

    square, half = resized(picture((20, 30, 3)))
    assert square.shape == (8, 9, 3) and half.shape == (10, 15, 3)
