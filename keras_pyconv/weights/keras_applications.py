"""The weights of `keras.applications.InceptionResNetV2` in our network.

Keras numbers its convolutions and normalizations as it makes them, and makes
them in the order of our record: the n-th there is the n-th here.

The fact a reader would get wrong: Keras's normalizations have no scale. Ours
becomes 1, and both networks compute the same.
"""

import collections
import itertools
import re

import keras
import numpy as np

from keras_pyconv.complexity import complexity

RECORD = "InceptionResNetV2"
# What Keras names instead of numbering it: the last unit, and the convolutions
# behind the branches of blocks.
_LAST = {"conv7b_1_conv": "conv_7b", "conv7b_1_bn": "conv_7b_bn"}
_UP = re.compile(r"(block\d+)(?:last)?_\d+_up_conv")


def _numbered(source, kind):
    """The layers that Keras numbered, in the order it made them."""
    found = {}
    for layer in source.layers:
        match = re.fullmatch(rf"{kind}(?:_(\d+))?", layer.name)
        if match:
            found[int(match[1] or 0)] = layer.name
    return iter([name for _, name in sorted(found.items())])


def _pairs(source):
    """(our layer, Keras's) in the order of the network."""
    numbered = {
        "conv": _numbered(source, "conv2d"),
        "bn": _numbered(source, "batch_normalization"),
    }
    count = complexity(RECORD, include_top=False)
    ups = collections.Counter()
    for name in (layer.name for layer in count.layers if layer.variables):
        up = _UP.fullmatch(name)
        if name in _LAST:
            yield name, _LAST[name]
        elif up:
            # Keras calls the last, linear block like those before it.
            ups[up[1]] += 1
            yield name, f"{up[1]}_{ups[up[1]]}_conv"
        else:
            yield name, next(numbered[name.rpartition("_")[2]], None)
    for left_over in itertools.chain(*numbered.values()):
        yield left_over, left_over


def _values(ours, theirs):
    """The arrays of their layer for the variables of ours, in order."""
    found = {v.name: keras.ops.convert_to_numpy(v) for v in theirs.variables}
    if "kernel" in found:
        # A convolution of one level is `Conv2D` or `PyConv` here.
        found["kernel_1"] = found["kernel"]
    for variable in ours.variables:
        default = None
        if variable.name == "gamma":
            default = np.ones(variable.shape, "float32")
        value = found.get(variable.name, default)
        if value is None or value.shape != tuple(variable.shape):
            shape = None if value is None else value.shape
            raise ValueError(
                f"The weights do not fit; nothing was loaded. Layer "
                f"{ours.name!r}, {variable.name}: {theirs.name!r} has "
                f"shape {shape}, expected {tuple(variable.shape)}."
            )
        yield variable, value


def from_keras_applications(
    model: keras.Model, source: keras.Model
) -> keras.Model:
    """Loads `keras.applications.InceptionResNetV2` into our network.

    Afterwards both compute the same, up to rounding. Nothing is loaded
    unless every variable finds its value. A classifier of the source may be
    left over; one of the model must find its own.

    Args:
        model: `InceptionResNetV2` of `keras_pyconv`.
        source: `InceptionResNetV2` of `keras.applications`, with whatever
            weights it has. Those that it publishes expect RGB pixels in
            [-1, 1], as `keras.applications.inception_resnet_v2`'s
            `preprocess_input` gives them.

    Returns:
        The model.

    Raises:
        ValueError: if the source is another network, or shapes differ.

    Example:

    >>> source = keras.applications.InceptionResNetV2(weights=None)
    >>> model = keras_pyconv.InceptionResNetV2()
    >>> model = from_keras_applications(model, source)
    """
    pairs = list(_pairs(source))
    theirs = {layer.name: layer for layer in source.layers}
    ours = {layer.name: layer for layer in model.layers}
    if "predictions" in ours:
        pairs.append(("predictions", "predictions"))
    for name, other in pairs:
        if name not in ours or other not in theirs:
            raise ValueError(
                "Both must be InceptionResNetV2, the model of keras_pyconv "
                "and the source of keras.applications; nothing was loaded. "
                f"Model {model.name!r} or source {source.name!r} has no "
                f"counterpart of layer {name!r}."
            )
    values = [
        pair
        for name, other in pairs
        for pair in _values(ours[name], theirs[other])
    ]
    for variable, value in values:
        variable.assign(value)
    return model
