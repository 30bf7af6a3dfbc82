"""Classifiers: pixels as they expect them, names for what they answer."""

import csv
import dataclasses
import functools
import importlib.resources
from collections.abc import Sequence

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.layers.checked import checked_format
from keras_pyconv.lazy import tf
from keras_pyconv.models.nesting import Graph, scales_pixels
from keras_pyconv.tasks.drawing import enlarged
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.preprocessing import (
    LARGEST_PIXEL,
    Preprocessing,
    imagenet_preprocessing,
    prepare_picture,
    preprocessing_of_model,
    usual_preprocessing,
)
from keras_pyconv.tasks.results import (
    Ranking,
    best,
    check_names,
    chosen,
    probabilities,
    traced,
)
from keras_pyconv.typing import ArrayLike, ImageLike, Tensor
from keras_pyconv.weights import PUBLISHED
from keras_pyconv.weights.shipped import shipped_weights

_IMAGENET_CLASSES = 1000
# By the names that the catalogue of published weights uses.
PREPROCESSING = {"imagenet": imagenet_preprocessing()}


def preprocessing_of(weights: str) -> Preprocessing:
    """The `Preprocessing` that a set of published weights was trained with."""
    known = {row.set: row.preprocessing for row in PUBLISHED.values()}
    own = [row for row in shipped_weights() if row.task == "classification"]
    arguments.one_of("weights", weights, [*known, *(row.set for row in own)])
    if weights not in known:
        return Preprocessing(**own[0].shown)
    return PREPROCESSING[known[weights]]


def preprocess_input(
    x: Tensor, data_format: str | None = None, weights: str = "imagenet"
) -> Tensor:
    """Prepares pixels for published weights, as the authors trained them.

    RGB in [0, 1], normalized by ImageNet's mean and standard deviation. For
    cutting images to size see `keras_pyconv.tasks.preprocessing`.

    Args:
        x: Array or tensor of RGB pixels in [0, 255], `(..., channels)` or,
            channels first, `(..., channels, height, width)`.
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
    data_format = checked_format(data_format)
    x = x if arguments.is_tensor(x) else arguments.array("x", x)
    shape = (-1, 1, 1) if data_format == "channels_first" else (-1,)
    channels = preprocessing.channels
    good = len(x.shape) > 2 and x.shape[-len(shape)] == channels
    rule = f"images of {channels} channels, {data_format}"
    arguments.check("x", x, good, rule)
    mean, deviation = (
        np.reshape(numbers, shape).astype("float32")
        for numbers in (preprocessing.mean, preprocessing.deviation)
    )
    is_array = isinstance(x, np.ndarray)
    x = x.astype("float32") if is_array else keras.ops.cast(x, "float32")
    return (x / np.float32(LARGEST_PIXEL) - mean) / deviation


@functools.cache
def imagenet_names() -> tuple[tuple[str, str], ...]:
    """(wnid, name) of every class: WordNet's first word, as Keras has it."""
    folder = importlib.resources.files("keras_pyconv.tasks")
    text = (folder / "imagenet_classes.csv").read_text("utf-8")
    rows = csv.reader(text.splitlines()[1:])
    return tuple((wnid, name) for wnid, name in rows)


def decode_predictions(
    predictions: ArrayLike | Tensor,
    top: int = 5,
    class_names: Sequence[str] | None = None,
) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each image, by name.

    Args:
        predictions: Probabilities or logits `(batch, classes)`.
        top: How many classes of each image.
        class_names: Names of the classes in the order of the labels; None
            for the 1,000 of ImageNet, which are those of Keras.

    Returns:
        For each image a list of `(wnid, name, score)`, best first; the
        wnid of classes other than ImageNet's is their name.

    Raises:
        ValueError: if the shape does not fit the names.
    """
    top = arguments.integer("top", top)
    predictions = arguments.tensor_like("predictions", predictions)
    scores = keras.ops.convert_to_numpy(predictions)
    names = imagenet_names()
    if class_names is not None:
        names = [(n, n) for n in arguments.texts("class_names", class_names)]
    good = scores.ndim == 2 and scores.shape[1] == len(names)
    whose = "the 1,000 of ImageNet" if class_names is None else "`class_names`"
    rule = f"of the shape (batch, {len(names)}), for the names are {whose}"
    arguments.check("predictions", scores, good, rule)
    return [
        [(*names[label], float(score)) for label, score in zip(*best(row, top))]
        for row in scores
    ]


# One image -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Classification(Ranking):
    """What a network says of an image: a `Ranking`, and what was classified.

    Attributes:
        image: uint8 `(height, width, channels)`.
    """

    image: np.ndarray

    def __post_init__(self):
        super().__post_init__()
        arguments.array("image", self.image, 3)

    def _drawn(self):
        shape = (*self.image.shape[:2], 3)
        pixels = np.broadcast_to(self.image, shape)
        return self._with_bars(enlarged(pixels)[0])


def preprocessing_for(model, given=None):
    """How images become what a classifier sees; the given way must fit it."""
    shape = tuple(arguments.model("model", model).input_shape)
    answer = model.output_shape
    if len(shape) != 4 or not isinstance(answer, tuple) or len(answer) != 2:
        rule = "a classifier, from images (batch, height, width, channels) "
        rule += "to classes (batch, classes), such as PyConvResNet50"
        arguments.refuse("model", model, rule)
    if keras.config.image_data_format() == "channels_first":
        shape = (shape[0], *shape[2:], shape[1])
    _, height, width, channels = shape
    if height != width:
        raise ValueError(
            "A classifier must take square images, or images of any size. "
            f"Received: {model.name!r}, which takes {height} x {width} pixels"
        )
    if given is not None:
        arguments.instance("preprocessing", given, Preprocessing)
    elif own := preprocessing_of_model(model, height):
        given = own
    else:
        is_scaled = scales_pixels(Graph(model))
        given = usual_preprocessing(height or 224, channels, is_scaled)
    if given is None or given.channels != channels:
        side, many = height or 224, "s" * (channels > 1)
        raise ValueError(
            f"The model's images have {channels} channel{many}. Pass a "
            f"`preprocessing` with as many, such as Preprocessing({side}, "
            f"{side}, mean={(0.5,) * channels}, "
            f"deviation={(0.25,) * channels}). Received: {given}"
        )
    if height not in (None, given.size):
        raise ValueError(
            f"The model takes images of {height} x {width} pixels. Received: a "
            f"`preprocessing` of size {given.size}"
        )
    return given


def class_names_for(model, given=None):
    """Names of a classifier's classes: the given, its own, ImageNet's for
    1,000, or None."""
    classes = model.output_shape[-1]
    names = check_names(given, classes, model=model)
    if names is None and classes == _IMAGENET_CLASSES:
        return tuple(name for _, name in imagenet_names())
    return names


def prepared_image(image, preprocessing):
    """An image's pixels, and the batch of it that a classifier sees."""
    pixels = read_image(image, preprocessing.channels, preprocessing.exif)
    prepared = prepare_picture(tf.constant(pixels), preprocessing)[tf.newaxis]
    if keras.config.image_data_format() == "channels_first":
        prepared = tf.transpose(prepared, (0, 3, 1, 2))
    return pixels, prepared


def classify(
    model: keras.Model,
    image: ImageLike,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    *,
    top: int | None = None,
    threshold: float | None = None,
) -> Classification:
    """Classifies one image.

    A model that ends in a sigmoid may find several classes, or none.

    Args:
        model: a classifier to probabilities or logits `(batch, classes)`.
        image: the path of a file, its bytes, a Pillow image, or an array
            `(height, width, 3)` in [0, 255]; of any size.
        class_names: names of the classes, in label order. The default is
            the model's own (`describe`), ImageNet's names for 1,000 classes,
            else the class numbers.
        preprocessing: the `Preprocessing` that the model was trained with. The
            default is the model's own, else ImageNet's, at the model's input
            size, or pixels in [0, 255] for a model that begins by scaling
            them.
        top: maximum number of classes to return; None for 5, or for all of a
            model of several labels.
        threshold: lowest score of a class to return, in [0, 1]; None for 0.5
            of a model of several labels, else for any.

    Returns:
        A `Classification`, with `label`, `score`, `draw` and `save`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the image, the model or the names are not valid.

    Example:

    >>> model = keras_pyconv.PyConvResNet50(weights="imagenet")
    >>> found = keras_pyconv.classify(model, "cat.jpg")
    >>> found.label, found.score
    """
    preprocessing = preprocessing_for(model, preprocessing)
    arguments.integer("top", top, optional=True)
    if threshold is not None:
        arguments.number("threshold", threshold, 0, 1)
    class_names = class_names_for(model, class_names)
    pixels, prepared = prepared_image(image, preprocessing)
    scores_of = traced(
        model, "classify", lambda: probabilities(model, lambda batch: batch)
    )
    rule = chosen(model, top, threshold)
    labels, scores = best(scores_of(prepared).numpy()[0], *rule)
    return Classification(labels, scores, class_names, pixels)
