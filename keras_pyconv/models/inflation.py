"""A video network that starts from a network of images, of the same names."""

from typing import Literal

import keras

from keras_pyconv import arguments
from keras_pyconv.architectures import VIDEO_ARCHITECTURES
from keras_pyconv.models.classifiers import build_video_classifier
from keras_pyconv.weights.other_models import RULES, from_model


def _build_like(source):
    """The video network whose images' network `source` is."""
    names = {row.base.name.lower(): n for n, row in VIDEO_ARCHITECTURES.items()}
    if source.name not in names:
        raise ValueError(
            f"No video network is known by the name of {source.name!r}; pass "
            "the one to fill as `model`. Known: " + ", ".join(names)
        )
    top = {layer.name: layer for layer in source.layers}.get("predictions")
    name = names[source.name]
    if top is None:
        return build_video_classifier(name, include_top=False)
    activation = keras.activations.serialize(top.activation)
    return build_video_classifier(
        name, classes=top.units, classifier_activation=activation
    )


def inflate(
    source: keras.Model,
    model: keras.Model | None = None,
    rule: Literal["center", "mean"] = "center",
) -> keras.Model:
    """Initializes a video network from the weights of an image network.

    It inflates kernels by `rule` and copies everything else. It copies the
    classifier if both have one with the same number of classes; otherwise the
    video network keeps its own.

    Args:
        source: Image network, such as `PyConvResNet50`, with the weights to
            start from.
        model: The video network to fill, such as `PyConvResNet3D50`. By
            default, the video network of the same name is built, with the
            classes of the source, for 16 frames of 224 x 224.
        rule: `"center"` puts the image kernel at the central frame and zeros
            elsewhere: a still clip gives the image's features in every frame,
            exactly. `"mean"` (I3D) spreads it evenly over the frames; the
            features of a still clip then differ, because there are zeros
            beyond its ends.

    Returns:
        The video network.

    Raises:
        ValueError: if the rule is unknown, or the networks are not of the
            same record; nothing is changed then.

    Example:

    >>> images = keras_pyconv.PyConvResNet50(weights="imagenet.npz")
    >>> video = keras_pyconv.PyConvResNet3D50(classes=400)
    >>> video = keras_pyconv.inflate(images, video)
    """
    arguments.one_of("rule", rule, RULES)
    arguments.model("source", source)
    good = len(source.input_shape) == 4
    arguments.check("source", source, good, "a network of images")
    if model is None:
        return from_model(_build_like(source), source, rule=rule)
    good = len(arguments.model("model", model).input_shape) == 5
    arguments.check("model", model, good, "a network of clips")
    return from_model(model, source, rule=rule)
