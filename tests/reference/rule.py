"""Weights and images of the recorded values, made from names and seeds.

The values in this folder were recorded from the authors' networks in PyTorch,
with these weights and images, so that no file of weights is needed.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np


def recorded(network):
    """The values recorded for a network, by the name of its file."""
    path = Path(__file__).with_name(f"{network}.json")
    return json.loads(path.read_text())


def _parameter(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) > 1:
        gain = 2 if len(shape) == 4 else 1
        values = rng.standard_normal(shape) * math.sqrt(
            gain / math.prod(shape[1:])
        )
    elif name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif name.endswith("weight"):
        values = rng.uniform(0.3, 0.7, shape)
    else:
        values = 0.1 * rng.standard_normal(shape)
    return values.astype("float32")


def weights(shapes):
    """{name: shape} in PyTorch's names and axes -> {name: float32 array}."""
    return {name: _parameter(name, shape) for name, shape in shapes.items()}


def training_weights(shapes):
    """As `weights`, with every residual branch at a tenth.

    Networks this deep amplify rounding in training mode; so tamed, float32
    follows float64.
    """
    return {
        name: values * np.float32(0.1 if name.endswith("bn3.weight") else 1)
        for name, values in weights(shapes).items()
    }


def with_classes(shapes, classes):
    """The same network's shapes with another number of classes."""
    width = shapes["fc.weight"][1]
    return {**shapes, "fc.weight": (classes, width), "fc.bias": (classes,)}


def image(batch, height, width, seed=2021):
    """Images of normal noise, channels last."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, height, width, 3)).astype("float32")
