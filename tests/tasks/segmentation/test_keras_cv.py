"""What keras-cv has for masks, beside what the networks and data need.

docs/segmentation.md says what follows from these.
"""

import keras
import keras_cv
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.architectures import AtrousHead
from keras_pyconv.datasets import segmentation as data
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks.segmentation import atrous_head

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.uniform(0, 255, (23, 31, 3)).astype("float32")


def test_the_pyramid_pooling_computes_our_deeplab_head_under_other_constants():
    images = keras.Input((None, None, 6))
    head = AtrousHead(width=8, rates=(1, 2, 3))
    ours = keras.Model(images, atrous_head(KerasNet(), images, head))
    theirs = keras_cv.layers.SpatialPyramidPooling([1, 2, 3], 8)
    theirs.build((None, None, None, 6))
    assert theirs.count_params() == ours.count_params()
    norms = []
    parts = [*theirs.aspp_parallel_channels, theirs.projection]
    names = *[f"branch{number}" for number in range(1, 5)], "image", "merge"
    for part, name in zip(parts, names, strict=True):
        conv, norm = [layer for layer in part.layers if layer.weights]
        conv.set_weights(ours.get_layer(f"{name}_conv").get_weights())
        values = RANDOM.uniform(0.5, 1.5, (4, 8))
        for layer in (norm, ours.get_layer(f"{name}_bn")):
            layer.set_weights(values)
        norms.append(norm)
    x = RANDOM.random((2, 9, 11, 6)).astype("float32")
    assert np.abs(theirs(x) - ours(x)).max() > 1e-4
    for norm in norms:
        assert (norm.epsilon, norm.momentum) == (1e-3, 0.99)
        norm.epsilon = 1e-5  # no argument of theirs, and not saved
    np.testing.assert_allclose(theirs(x), ours(x), atol=1e-5)


def test_flips_and_resizing_are_equal():
    draws = {"flip_horizontals": tf.ones((1, 1))}
    draws["flip_verticals"] = tf.zeros((1, 1))
    flip = keras_cv.layers.RandomFlip(seed=1)
    (found,) = flip.augment_images(IMAGE[np.newaxis], draws)
    np.testing.assert_array_equal(found, IMAGE[:, ::-1])
    found = keras_cv.layers.Resizing(12, 40)(tf.constant(IMAGE))
    np.testing.assert_array_equal(found, tf.image.resize(IMAGE, (12, 40)))


def test_the_blur_darkens_the_border():
    blur = keras_cv.layers.RandomGaussianBlur(5, (data.BLUR_DEVIATION,) * 2)
    theirs = blur.augment_image(
        tf.constant(IMAGE), blur.get_random_transformation()
    )
    seeds = (tf.constant([0, number], tf.int64) for number in range(20))
    blurred = (np.asarray(data.random_blur(IMAGE, seed)) for seed in seeds)
    ours = next(found for found in blurred if (found != IMAGE).any())
    apart = np.abs(ours - theirs)
    assert apart[2:-2, 2:-2].max() < 1e-3
    assert apart.max() > 50


def test_crops_refuse_masks_and_turns_lose_the_ignored_pixels():
    labels = tf.fill((23, 31, 1), 255)
    pair = {"images": tf.constant(IMAGE), "segmentation_masks": labels}
    with pytest.raises(NotImplementedError):
        keras_cv.layers.RandomCrop(9, 9, seed=1)(pair)
    turn = keras_cv.layers.RandomRotation(0.0, seed=1, segmentation_classes=5)
    assert not turn(pair)["segmentation_masks"].numpy().any()


def test_the_focal_loss_counts_ignored_pixels():
    labels = np.full((1, 2, 2), 255)
    logits = np.zeros((1, 2, 2, 3), "float32")
    theirs = keras_cv.losses.FocalLoss(from_logits=True)
    assert float(theirs(keras.ops.one_hot(labels, 3), logits)) > 0
