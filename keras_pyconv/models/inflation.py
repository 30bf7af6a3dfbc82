"""A video network that starts from a network of images.

Layers have the same names in both, and the kernels of a video network are
those of its network of images with time put before. `rule="center"` puts the
image's kernel where the frame itself stands and zeros before and after it: a
clip whose frames are all the same gives the image's features in every
frame, whatever its length. `rule="mean"` (I3D) spreads the kernel evenly over
its frames.

With "mean" a still clip gives the
image's features only where no kernel reaches over the clip's ends, for
there it meets zeros instead of frames; in 16 frames of a network of this
depth that is nowhere. A max pooling in time has no such border.
"""

import keras

from keras_pyconv import arguments
from keras_pyconv.architectures import VIDEO_ARCHITECTURES
from keras_pyconv.models.video import build_video_classifier
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
    options = {"include_top": False}
    if top is not None:
        activation = keras.activations.serialize(top.activation)
        options = {
            "classes": top.units,
            "classifier_activation": activation,
        }
    return build_video_classifier(names[source.name], **options)


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
        rule: `"center"` or `"mean"`. With `"center"` a still clip gives the
            image's features in every frame, exactly; with `"mean"` every
            frame of a kernel starts alike, and the features of a still clip
            differ, since beyond the clip's ends there are zeros.

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
    if len(source.input_shape) != 4:
        arguments.refuse("source", source, "a network of images")
    if (
        model is not None
        and len(arguments.model("model", model).input_shape) != 5
    ):
        arguments.refuse("model", model, "a network of clips")
    model = _build_like(source) if model is None else model
    return from_model(model, source, rule=rule)
