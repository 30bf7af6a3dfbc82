"""From pixels to what a classifier expects, and from its answers to names.

The contract of `keras.applications`: `preprocess_input` and
`decode_predictions`, for each set of published weights.
"""

import csv
import functools
import importlib.resources
from collections.abc import Sequence

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.arguments import shown
from keras_pyconv.layers.checked import FORMATS as DATA_FORMATS
from keras_pyconv.tasks.preprocessing import (
    LARGEST_PIXEL,
    Preprocessing,
    imagenet_preprocessing,
)
from keras_pyconv.weights import PUBLISHED

IMAGENET_CLASSES = 1000
# By the names that the catalogue of published weights uses.
PREPROCESSING = {"imagenet": imagenet_preprocessing()}


def preprocessing_of(weights: str) -> Preprocessing:
    """How pictures are prepared for a set of published weights.

    Raises:
        ValueError: if no set has that name; the message lists the known ones.
    """
    known = {row.set: row.preprocessing for row in PUBLISHED.values()}
    arguments.one_of("weights", weights, known)
    return PREPROCESSING[known[weights]]


def preprocess_input(x, data_format: str | None = None, weights="imagenet"):
    """Prepares pixels for published weights, as the authors trained them.

    RGB in [0, 1], normalized by ImageNet's mean and standard deviation. For
    cutting pictures to size see `keras_pyconv.tasks.preprocessing`.

    Args:
        x: Array or tensor of RGB pixels in [0, 255], `(..., channels)` or,
            channels first, `(..., channels, height, width)`. It is left as
            it is.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `keras.config.image_data_format()`.
        weights: A set of published weights, such as `"imagenet_cutmix"`.

    Returns:
        float32 of the same shape; an array for an array.

    Raises:
        ValueError: if the channels are not three, or the set is unknown.

    Example:

    >>> images = np.full((1, 224, 224, 3), 127.5)
    >>> model(keras_pyconv.tasks.preprocess_input(images))
    """
    preprocessing = preprocessing_of(weights)
    if data_format is None:
        data_format = keras.config.image_data_format()
    arguments.one_of("data_format", data_format, DATA_FORMATS)
    x = x if arguments.is_tensor(x) else arguments.array("x", x)
    first = data_format == "channels_first"
    axis = -3 if first else -1
    if len(x.shape) < 3 or x.shape[axis] != preprocessing.channels:
        raise ValueError(
            f"Pictures must have {preprocessing.channels} channels, "
            f"{data_format.replace('_', ' ')}. Received: x={shown(x)}"
        )
    shape = (-1, 1, 1) if first else (-1,)
    mean = np.reshape(preprocessing.mean, shape).astype("float32")
    deviation = np.reshape(preprocessing.deviation, shape).astype("float32")
    if not isinstance(x, np.ndarray):
        x = keras.ops.cast(x, "float32")
    else:
        x = x.astype("float32")
    return (x / np.float32(LARGEST_PIXEL) - mean) / deviation


@functools.cache
def imagenet_names() -> tuple[tuple[str, str], ...]:
    """(wnid, name) of every class: WordNet's first word, as Keras has it."""
    folder = importlib.resources.files("keras_pyconv.tasks.classification")
    text = (folder / "imagenet_classes.csv").read_text("utf-8")
    return tuple(map(tuple, csv.reader(text.splitlines()[1:])))


def decode_predictions(
    predictions, top: int = 5, class_names: Sequence[str] | None = None
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each picture, by name.

    ImageNet's names are those that Keras downloads; they are installed here.

    Args:
        predictions: Array or tensor `(batch, classes)`, probabilities or
            logits.
        top: How many classes of each picture.
        class_names: Names of the classes in the order of the labels; None
            for the 1,000 of ImageNet.

    Returns:
        For each picture a list of `(wnid, name, score)`, best first; the
        wnid of classes other than ImageNet's is their name.

    Raises:
        ValueError: if the shape does not fit the names.

    Example:

    >>> keras_pyconv.tasks.decode_predictions(model(images), top=1)
    """
    top = arguments.integer("top", top)
    if not arguments.is_tensor(predictions):
        predictions = arguments.array("predictions", predictions)
    scores = keras.ops.convert_to_numpy(predictions)
    if class_names is not None:
        class_names = arguments.texts("class_names", class_names)
    known = IMAGENET_CLASSES if class_names is None else len(class_names)
    if scores.ndim != 2 or scores.shape[1] != known:
        raise ValueError(
            f"`predictions` must have the shape (batch, {known}), as there "
            "are `class_names` for. Received: predictions="
            f"{shown(scores)}, class_names={shown(class_names)}"
        )
    names = imagenet_names() if class_names is None else class_names
    pairs = [(n, n) if isinstance(n, str) else n for n in names]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [
        [(*pairs[i], float(row[i])) for i in indices]
        for row, indices in zip(scores, best)
    ]
