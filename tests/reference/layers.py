"""Digests of every network's layers, as counted and as built.

`layers.json` was written at commit aa13343: what a layer is called, gives,
holds and costs has not changed since where the digests are the same.
"""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path

RECORDED = json.loads(Path(__file__).with_suffix(".json").read_text())


def digest(rows):
    """Of anything that JSON can hold."""
    text = json.dumps(rows, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def counted(count):
    """Parts, layers, shapes, costs and levels of a `Complexity`."""
    return digest(
        [
            [
                part.name,
                [
                    [x.name, x.output_shape, astuple(x.cost)]
                    + [[v.kernel, v.filters, v.groups] for v in x.levels]
                    for x in part.layers
                ],
            ]
            for part in count.parts
        ]
    )


def built(model):
    """Kinds, names, outputs and variables of a Keras model's layers.

    Without the input, whose name counts the models of a process.
    """
    return digest(
        [
            [type(layer).__name__, layer.name, layer.output.shape]
            + [[v.path, tuple(v.shape)] for v in layer.weights]
            for layer in model.layers[1:]
        ]
    )
