"""Small models, images and files that calls are drawn with."""

import functools
import pathlib
import tempfile

import keras
import numpy as np

import keras_pyconv
from keras_pyconv.architectures import (
    Architecture,
    Stage,
)
from tests.arguments.kinds import Value
from tests.conformance.cases import DETECTOR, SEGMENTER, VIDEO

LEVELS = keras_pyconv.architectures.PYRAMIDS[2]
STAGE = Stage(8, 1, LEVELS)
RECORD = Architecture("Tiny", (STAGE,), "a test", 2, "bottleneck", 8, False, 4)


def made(function):
    """A value that is made once, when it is first needed."""
    return Value(function.__name__, functools.cache(function))


@made
def classifier():
    return keras_pyconv.build_classifier(
        RECORD, classes=3, input_shape=(16, 16, 3)
    )


@made
def segmenter():
    return keras_pyconv.build_segmenter(SEGMENTER, classes=3)


@made
def detector():
    return keras_pyconv.build_detector(DETECTOR, classes=3)


@made
def video_classifier():
    return keras_pyconv.build_video_classifier(
        VIDEO, classes=3, input_shape=(4, 16, 16, 3)
    )


@made
def video_base():
    return keras_pyconv.build_classifier(
        VIDEO.base, classes=3, input_shape=(16, 16, 3)
    )


@made
def convertible():
    inputs = keras.Input((16, 16, 8))
    x = keras.layers.Conv2D(16, 3, padding="same", name="conv")(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


@made
def dense_model():
    """A model that is none of images."""
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])


@functools.cache
def folder():
    """A folder with files, the same for a whole process."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="arguments-"))
    return place


def in_folder(name):
    """A path of a new or written file in the folder."""
    return Value(f"folder/{name}", lambda: folder() / name)


@made
def weights_file():
    path = folder() / "model.weights.h5"
    classifier.make().save_weights(path)
    return path


@made
def preset():
    path = folder() / "a_preset"
    return keras_pyconv.save_to_preset(classifier.make(), path)


@made
def arrays_file():
    path = folder() / "arrays.npz"
    np.savez(path, a=np.zeros(3))
    return path


@made
def text_file():
    path = folder() / "notes.txt"
    path.write_text("some words\n")
    return path


@made
def png_file():
    from PIL import Image

    path = folder() / "image.png"
    Image.fromarray(np.zeros((20, 24, 3), "uint8")).save(path)
    return path
