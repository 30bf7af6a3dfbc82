"""A video network that starts from a network of images, of the same names."""

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


def inflate(source: keras.Model, model: keras.Model = None, rule="center"):
    """Starts a video network from the weights of a network of images.

    Kernels are inflated by `rule`, everything else is copied. The classifier
    is copied where both have one of as many classes; else the video network
    keeps its own.

    Args:
        source: Network of images, such as `PyConvResNet50`, with the weights
            to start from.
        model: The video network to fill, such as `PyConvResNet3D50`. By
            default one is made: the record's of the same name, with the
            classes of the source, for 16 frames of 224 x 224.
        rule: `"center"` puts an image's kernel at the middle of the frames
            that a kernel spans, and zeros elsewhere: a still clip gives the
            image's features in every frame, exactly. `"mean"` (I3D) spreads
            it evenly; the features of a still clip differ, since beyond the
            clip's ends there are zeros.

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
