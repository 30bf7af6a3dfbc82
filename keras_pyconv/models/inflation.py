"""A video network that starts from a network of images.

Layers have the same names in both, and the kernels of a video network are
those of its network of images with time put before. `rule="center"` puts the
image's kernel where the frame itself stands and zeros before and after it: a
clip whose frames are all the same gives the picture's features in every
frame, whatever its length. `rule="mean"` (I3D) spreads the kernel evenly over
its frames.

The fact a reader would get wrong: with "mean" a still clip gives the
picture's features only where no kernel reaches over the clip's ends, for
there it meets zeros instead of frames; in 16 frames of a network of this
depth that is nowhere. A max pooling in time has no such border.
"""

import keras
import numpy as np

from keras_pyconv.architectures import VIDEO_ARCHITECTURES
from keras_pyconv.models.video import build_video_classifier

RULES = ("center", "mean")
_CLASSIFIER = "predictions"


def _inflated(kernel, frames, rule):
    """(height, width, in, out) with `frames` of them before."""
    if rule == "mean":
        return np.repeat(kernel[None] / frames, frames, axis=0)
    clip = np.zeros((frames, *kernel.shape), kernel.dtype)
    clip[frames // 2] = kernel
    return clip


def _values(layer, source, rule):
    """(variable, value) of a layer; None for a value that does not fit."""
    found = {v.name: keras.ops.convert_to_numpy(v) for v in source.weights}
    # A convolution of one level is `Conv2D` or `PyConv` there.
    if "kernel" in found:
        found["kernel_1"] = found["kernel"]
    for variable in layer.weights:
        value = found.get(variable.name)
        if value is not None and value.ndim == len(variable.shape) - 1:
            value = _inflated(value, variable.shape[0], rule)
        fits = value is not None and value.shape == tuple(variable.shape)
        yield variable, value if fits else None


def _build_like(source):
    """The video network whose images' network `source` is."""
    names = {row.base.name.lower(): n for n, row in VIDEO_ARCHITECTURES.items()}
    if source.name not in names:
        raise ValueError(
            f"No video network is known by the name of {source.name!r}; pass "
            "the one to fill as `model`. Known: " + ", ".join(names)
        )
    top = {layer.name: layer for layer in source.layers}.get(_CLASSIFIER)
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
            picture's features in every frame, exactly; with `"mean"` every
            frame of a kernel starts alike, and the features of a still clip
            differ, since beyond the clip's ends there are zeros.

    Returns:
        The video network.

    Raises:
        ValueError: if the rule is unknown, or the networks are not of the
            same record; nothing is changed then.

    Example:

    >>> pictures = keras_pyconv.PyConvResNet50(weights="imagenet.npz")
    >>> video = keras_pyconv.PyConvResNet3D50(classes=400)
    >>> video = keras_pyconv.inflate(pictures, video)
    """
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {RULES}. Received: {rule!r}")
    model = _build_like(source) if model is None else model
    sources = {layer.name: layer for layer in source.layers}
    pairs, faults = [], []
    for layer in model.layers:
        if layer.weights and layer.name in sources:
            found = list(_values(layer, sources[layer.name], rule))
            unfit = [v.path for v, value in found if value is None]
            if layer.name != _CLASSIFIER:
                faults += unfit
            if not unfit:
                pairs += found
        elif layer.weights and layer.name != _CLASSIFIER:
            faults.append(layer.name)
    if faults:
        raise ValueError(
            f"{source.name!r} is not the network of images of "
            f"{model.name!r}; nothing was changed. Without a value of its "
            f"shape: {', '.join(faults[:8])}, {len(faults)} in all."
        )
    for variable, value in pairs:
        variable.assign(value)
    return model
