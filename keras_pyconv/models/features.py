"""A network's feature maps by stride, for use as a backbone.

They are found by the names of layers, so that a loaded model serves as well.
"""

import re
from typing import NamedTuple

import keras

from keras_pyconv import arguments


class Feature(NamedTuple):
    """One feature map: `output` is a Keras tensor of the model."""

    name: str
    stride: int
    channels: int
    output: keras.KerasTensor


def _stride(model, pattern):
    """Product of the strides in width of the layers whose names match."""
    stride = 1
    for layer in model.layers:
        if re.fullmatch(pattern, layer.name):
            stride *= layer.strides[-1]
    return stride


def features(model: keras.Model) -> list[Feature]:
    """Returns the outputs of the stem and of each stage, shallowest first.

    Args:
        model: A network of `keras_pyconv`, built or loaded.

    Returns:
        A list of `Feature(name, stride, channels, output)` with the names
        `"stem"` (before its max pooling) and `"stage1"` to `"stage4"`. The
        stride is relative to the input image; for a video network it is the
        spatial one.

    Raises:
        ValueError: if the model has no layers of such names.

    Example:

    >>> model = keras_pyconv.PyConvResNet50(include_top=False)
    >>> outputs = [feature.output for feature in features(model)]
    >>> backbone = keras.Model(model.input, outputs)
    """
    model = arguments.model("model", model)
    stages = {}
    for layer in model.layers:
        match = re.fullmatch(r"conv(\d+)_(block\d+|nonlocal)_out", layer.name)
        if match:
            stages[int(match[1])] = layer
        elif layer.name == "post_relu":
            # A pre-activation network's last stage ends with it.
            stages[max(stages)] = layer
    if not stages:
        raise ValueError(
            f"`model` {model.name!r} has no layer named `conv2_block1_out` or "
            "alike: `features` needs a residual network of keras_pyconv. For "
            "other models, use `model.get_layer(name).output`."
        )
    stem = model.get_layer("conv1_conv")
    axis = -1 if stem.data_format == "channels_last" else 1
    rows = [("stem", "conv1_conv", model.get_layer("conv1_relu"))]
    for number, last in sorted(stages.items()):
        strided = rf"conv{number}_block1_[123]_(py)?conv"
        rows.append((f"stage{number - 1}", strided, last))
    stride, found = 1, []
    for name, strided, layer in rows:
        stride *= _stride(model, strided)
        found.append(
            Feature(name, stride, layer.output.shape[axis], layer.output)
        )
        if name == "stem":
            stride *= _stride(model, "pool1_pool")
    return found
