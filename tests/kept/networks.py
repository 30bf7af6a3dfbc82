"""Small networks of every kind, whose weights follow from names.

What this folder keeps was written by `python -m tests.kept.write` at commit
aa13343, when every network stood in several transcriptions of its own.
"""

import zlib
from pathlib import Path

import numpy as np

from keras_pyconv.architectures import (
    MINI_PYRAMIDS,
    PYRAMIDS,
    Architecture,
    BoxMap,
    Conv,
    Detector,
    ExtraLayer,
    Inception,
    Mixed,
    ParsingHead,
    Pool,
    Pyramid,
    Residuals,
    Stage,
    VideoArchitecture,
    make_segmenter,
)
from tests.reference import rule

FILES = {
    "classifier": "classifier.weights.h5",
    "basic": "saved_model",
    "video": "video.weights.h5",
    "inception": "inception.weights.h5",
    "segmenter": "segmenter.weights.h5",
    "detector": "detector.keras",
}
FOLDER = Path(__file__).parent
CLASSES = 3
SHAPES = {
    "classifier": (33, 40, 3),
    "basic": (33, 40, 3),
    "video": (3, 17, 20, 3),
    "inception": (75, 80, 3),
    "segmenter": (33, 40, 3),
    "detector": (40, 48, 3),
}

_PLAIN = Stage(8, 1, PYRAMIDS[1], 1, "conv")
_POOLED = Stage(16, 2, PYRAMIDS[2])
_STRIDED = Stage(8, 1, PYRAMIDS[1])
RECORDS = {
    "classifier": Architecture(
        "KeptClassifier",
        (Stage(32, 1, MINI_PYRAMIDS[4]), _POOLED, _PLAIN),
        "a test",
        expansion=2,
        stem_width=8,
        total_stride=8,
    ),
    "basic": Architecture(
        "KeptBasic",
        (_POOLED, Stage(16, 1, PYRAMIDS[1], 2, "conv")),
        "a test",
        expansion=1,
        block="basic2",
        stem_width=16,
        stem_pool=True,
        total_stride=16,
    ),
    "video": VideoArchitecture(
        "KeptVideo",
        Architecture(
            "KeptFrames",
            (_POOLED, _STRIDED),
            "a test",
            expansion=2,
            stem_width=8,
            stem_pool=True,
            total_stride=16,
        ),
        "a test",
        frames_strides=(1, 2),
        dropout=0.0,
    ),
    "inception": Inception(
        "KeptInception",
        (
            Mixed("stem", ((Conv(8, (3, 3), 2, "valid"),),)),
            Mixed(
                "mixed",
                (
                    (Conv(8),),
                    (Conv(4), Conv(8, (1, 7)), Conv(8, (7, 1))),
                    (Pool("average"), Conv(8)),
                ),
            ),
            Residuals("block", 2, ((Conv(4),), (Conv(8, (3, 3)),)), 0.2),
            Mixed(
                "reduction",
                ((Conv(8, (3, 3), 2, "valid"),), (Pool("max"),)),
            ),
            Residuals(
                "pyramid",
                1,
                ((Conv(16), Pyramid(16, PYRAMIDS[2])),),
                normalized=True,
                final_relu=False,
            ),
        ),
        "a test",
        80,
    ),
    "segmenter": make_segmenter(
        Architecture(
            "Kept",
            (_PLAIN, Stage(16, 1, PYRAMIDS[2]), _STRIDED, _STRIDED),
            "a test",
            expansion=2,
            stem_width=8,
            stem_pool=True,
        ),
        ParsingHead(16, PYRAMIDS[2], bins=3, merged_width=8),
    ),
    "detector": Detector(
        "KeptDetector",
        Architecture(
            "KeptBackbone",
            (_POOLED, _STRIDED, _PLAIN),
            "a test",
            expansion=2,
            stem_width=8,
            total_stride=8,
        ),
        (
            ExtraLayer(8, 16, PYRAMIDS[2]),
            ExtraLayer(8, 8, PYRAMIDS[1], 1, "valid"),
        ),
        (
            BoxMap(8, 14, 26, (2,)),
            BoxMap(16, 26, 52, (2, 3)),
            BoxMap(24, 52, 60, (2,), True),
        ),
        "a test",
        96,
    ),
}


def build(name, **options):
    """The network of that name, with its small input."""
    import keras_pyconv

    makers = {
        "video": keras_pyconv.build_video_classifier,
        "inception": keras_pyconv.build_inception,
        "segmenter": keras_pyconv.build_segmenter,
        "detector": keras_pyconv.build_detector,
    }
    make = makers.get(name, keras_pyconv.build_classifier)
    shape = SHAPES[name]
    return make(
        RECORDS[name],
        **{"input_shape": shape, "classes": CLASSES, **options},
    )


def inputs(shape, batch=2):
    """Normal noise."""
    random = np.random.default_rng(zlib.crc32(repr(shape).encode()))
    return random.standard_normal((batch, *shape)).astype("float32")


# What `tests.reference.rule` tells parameters by.
_KINDS = {"gamma": "weight", "moving_variance": "running_var"}


def seeded(layer, variable, shape):
    """The value of a variable, from names and a shape as in Keras."""
    kind = _KINDS.get(variable, variable.replace("kernel_1", "kernel"))
    name = f"{layer}.{kind}"
    if len(shape) < 2:
        return rule.weights({name: tuple(shape)})[name]
    shape = (shape[-1], shape[-2], *shape[:-2])
    return np.moveaxis(rule.weights({name: shape})[name], (0, 1), (-1, -2))


def fill(model):
    """Gives every variable of a Keras model its value by `seeded`."""
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(seeded(layer.name, variable.name, variable.shape))
    return model


def answers(model, images):
    """What a Keras model computes, `{name: array}`."""
    outputs = model(images, training=False)
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    return {name: np.asarray(value) for name, value in outputs.items()}
