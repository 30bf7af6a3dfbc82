"""A segmentation network small enough to be run many times."""

import keras
import numpy as np
from keras import layers


def network(classes=4, size=None):
    """Two convolutions whose answers depend on where a window begins."""
    keras.utils.set_random_seed(7)
    images = keras.Input((size, size, 3))
    x = layers.Conv2D(8, 5, padding="same", activation="relu")(images)
    return keras.Model(images, layers.Conv2D(classes, 5, padding="same")(x))


def picture(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3)).astype("uint8")
