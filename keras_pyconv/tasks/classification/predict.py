"""Naming what one image shows."""

import dataclasses

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.classification.imagenet import (
    IMAGENET_CLASSES,
    imagenet_names,
)
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    imagenet_preprocessing,
    prepare_picture,
)
from keras_pyconv.tasks.results import (
    Ranking,
    best,
    check_names,
    probabilities,
    traced,
)

DEFAULT_SIDE = 224  # pixels, of a network for any size


@dataclasses.dataclass(frozen=True, eq=False)
class Classification(Ranking):
    """What a network says of an image, best first.

    Attributes:
        labels: int `(n,)`, from 0.
        scores: float32 `(n,)`, probabilities, descending.
        class_names: of all classes, or None.
        image: uint8 `(height, width, channels)`, what was classified.
    """

    image: np.ndarray

    def __post_init__(self):
        super().__post_init__()
        arguments.array("image", self.image, 3)

    def _drawn(self):
        shape = (*self.image.shape[:2], 3)
        return self._with_bars(np.broadcast_to(self.image, shape).copy())


def _sides(model):
    """Side and channels of the images that a classifier takes."""
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
            "A classifier must take square images, or such of any size. "
            f"Received: {model.name!r}, which takes {height} x {width} pixels"
        )
    return height or DEFAULT_SIDE, channels


def _preprocessing(model, given):
    side, channels = _sides(model)
    if given is not None:
        arguments.instance("preprocessing", given, Preprocessing)
    if given is None and channels == 3:
        return imagenet_preprocessing(side)
    if given is None or given.channels != channels:
        raise ValueError(
            f"The model takes images of {channels} channels; give a "
            f"`preprocessing` of as many. Received: {given}"
        )
    if given.size != side and model.input_shape[2] is not None:
        raise ValueError(
            f"The model takes images of {side} x {side} pixels. Received: a "
            f"`preprocessing` of size {given.size}"
        )
    return given


def classify(
    model,
    image,
    class_names=None,
    preprocessing: Preprocessing | None = None,
    *,
    top: int = 5,
) -> Classification:
    """Names what an image shows.

    Args:
        model: a trained classifier, from images to probabilities or logits
            `(batch, classes)`.
        image: the path of a file, its bytes, a Pillow image, or an array
            `(height, width, 3)` in [0, 255]; of any size.
        class_names: of the classes in the order of the labels; by default
            ImageNet's where there are 1,000, else their numbers.
        preprocessing: the `Preprocessing` that the model was trained with; by
            default ImageNet's, at the model's size.
        top: how many classes to name, at most.

    Returns:
        A `Classification`: `label`, `score`, `labels`, `scores`, `draw(path)`,
        `to_dict()`, `save(path)`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the image, the model or the names cannot be used.

    Example:

    >>> model = keras_pyconv.PyConvResNet50(weights="imagenet")
    >>> found = keras_pyconv.classify(model, "cat.jpg")
    >>> found.label, found.score
    """
    preprocessing = _preprocessing(model, preprocessing)
    classes = model.output_shape[-1]
    arguments.integer("top", top)
    class_names = check_names(class_names, classes)
    pixels = read_image(image, preprocessing.channels, preprocessing.exif)
    prepared = prepare_picture(tf.constant(pixels), preprocessing)[tf.newaxis]
    if keras.config.image_data_format() == "channels_first":
        prepared = tf.transpose(prepared, (0, 3, 1, 2))
    scores_of = traced(
        model, "classify", lambda: probabilities(model, lambda batch: batch)
    )
    labels, scores = best(scores_of(prepared).numpy()[0], top)
    if class_names is None and classes == IMAGENET_CLASSES:
        class_names = tuple(name for _, name in imagenet_names())
    return Classification(labels, scores, class_names, pixels)
