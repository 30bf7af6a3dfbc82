"""The weights of one Keras model in another, layer by layer, by their names.

Keras numbers the convolutions and normalizations of its InceptionResNetV2 in
the order of our record. Kernels of a network of images get a time axis where
the other is one of clips.
"""

import collections
import itertools
import logging
import re

import keras
import numpy as np

from keras_pyconv.complexity import complexity
from keras_pyconv.weights.torch_names import backbone_layers, blocks_left_over

_LOG = logging.getLogger("keras_pyconv")
RULES = ("center", "mean")
_CLASSIFIER = "predictions"
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


def _names_in_keras(source):
    """Keras's name for each of our layers, from its InceptionResNetV2."""
    if _LAST["conv7b_1_conv"] not in {layer.name for layer in source.layers}:
        return {}
    numbered = {
        "conv": _numbered(source, "conv2d"),
        "bn": _numbered(source, "batch_normalization"),
    }
    count = complexity("InceptionResNetV2", include_top=False)
    names, ups = dict(_LAST), collections.Counter()
    for name in (layer.name for layer in count.layers if layer.variables):
        up = _UP.fullmatch(name)
        if up:
            # Keras calls the last, linear block like those before it.
            ups[up[1]] += 1
            names[name] = f"{up[1]}_{ups[up[1]]}_conv"
        elif name not in _LAST:
            names[name] = next(numbered[name.rpartition("_")[2]], None)
    return names | {n: n for n in itertools.chain(*numbered.values())}


def _inflated(kernel, frames, rule):
    """A kernel (height, width, in, out) with a time axis of `frames`."""
    if rule == "mean":
        return np.repeat(kernel[None] / frames, frames, axis=0)
    clip = np.zeros((frames, *kernel.shape), kernel.dtype)
    clip[frames // 2] = kernel
    return clip


def _values(layer, source, rule):
    """(variable, value) of a layer; None for a value that does not fit."""
    found = {v.name: keras.ops.convert_to_numpy(v) for v in source.variables}
    # A convolution of one level is `Conv2D` or `PyConv`.
    if "kernel" in found:
        found["kernel_1"] = found["kernel"]
    # Normalizations without a scale, as in Keras's Inception, multiply by 1.
    if "beta" in found:
        found.setdefault("gamma", np.ones_like(found["beta"]))
    for variable in layer.variables:
        value = found.get(variable.name)
        if value is not None and value.ndim == len(variable.shape) - 1:
            value = _inflated(value, variable.shape[0], rule)
        fits = value is not None and value.shape == tuple(variable.shape)
        yield variable, value if fits else None


def from_model(model, source, part="all", rule="center"):
    """Fills a model with another one's weights, or refuses and changes nothing.

    `source` and `part` are as for `keras_pyconv.weights.load`, `rule` as for
    `keras_pyconv.inflate`. A classifier of other classes keeps its own weights.
    """
    layers = model.layers if part == "all" else backbone_layers(model)
    layers = [layer for layer in layers if layer.weights]
    names, others = _names_in_keras(source), {x.name: x for x in source.layers}
    pairs, wrong = [], []
    for layer in layers:
        other = others.get(names.get(layer.name, layer.name))
        found = list(_values(layer, other, rule)) if other else []
        if found and all(value is not None for _, value in found):
            pairs += found
        elif other and layer.name == _CLASSIFIER:
            _LOG.warning(
                "%s: the classifier does not fit that of %s and starts anew; "
                "all else has its weights.",
                *(model.name, source.name),
            )
        elif layer.name != _CLASSIFIER:
            wrong.append(layer.name)
    wrong += _left_over(layers, source, names)
    if wrong or not pairs:
        raise ValueError(
            f"{source.name!r} does not have the weights of {model.name!r}; "
            "nothing was changed. Missing, left over or of another shape: "
            f"{', '.join(wrong[:8]) or 'all'}, {len(wrong)} in all."
        )
    for variable, value in pairs:
        variable.assign(value)
    return model


def _left_over(layers, source, names):
    """Blocks of the source that the model lacks, in stages that it has."""
    own = {layer.name for layer in layers}
    if names:
        return [name for name in names if name not in own]
    theirs = [layer.name for layer in source.layers if layer.weights]
    return blocks_left_over(theirs, own, "_")
