"""Every public layer and network, and how to make and feed a small one."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np

import keras_pyconv
from keras_pyconv.architectures import (
    PYRAMIDS,
    VIDEO_ARCHITECTURES,
    Architecture,
    BoxMap,
    Detector,
    ExtraLayer,
    ParsingHead,
    Stage,
    make_segmenter,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A public name, how to make a small model of it, and its input."""

    name: str
    layers: Callable
    input_shape: tuple

    def model(self, batch=None) -> keras.Model:
        keras.utils.set_random_seed(1)
        inputs = keras.Input(self.input_shape, batch_size=batch)
        return keras.Model(inputs, self.layers(inputs))

    def inputs(self, batch=2):
        rng = np.random.default_rng(2)
        shape = (batch, *self.input_shape)
        return rng.standard_normal(shape).astype("float32")


def _layer(make, *input_shape):
    return Case(
        make.__name__, lambda x: make(**_ARGUMENTS[make])(x), input_shape
    )


def _without_variables(make, *input_shape):
    """Behind a convolution, so that there is something to train."""

    def layers(x):
        clips = len(input_shape) == 4
        conv = keras_pyconv.PyConv3D if clips else keras_pyconv.PyConv
        return make(**_ARGUMENTS[make])(conv(4, (1,))(x))

    return Case(make.__name__, layers, input_shape)


_ARGUMENTS = {
    keras_pyconv.PyConv1D: {"filters": 8, "kernel_size": (3, 5)},
    keras_pyconv.PyConv: {"filters": 8, "kernel_size": (3, 5), "strides": 2},
    keras_pyconv.PyConv3D: {"filters": 8, "kernel_size": (3, (3, 5, 5))},
    keras_pyconv.FusedBatchNormalization: {"momentum": 0.9},
    keras_pyconv.AdaptiveAveragePooling: {"bins": (4, 3)},
    keras_pyconv.AlignedResizing: {"size": (9, 13)},
    keras_pyconv.SymmetricMaxPooling2D: {"pool_size": 3, "strides": 2},
    keras_pyconv.SymmetricMaxPooling3D: {"pool_size": 3, "strides": (1, 2, 2)},
}

LAYERS = [
    _layer(keras_pyconv.PyConv1D, 10, 8),
    _layer(keras_pyconv.PyConv, 9, 10, 8),
    _layer(keras_pyconv.PyConv3D, 4, 6, 6, 8),
    _layer(keras_pyconv.FusedBatchNormalization, 5, 6, 8),
    _without_variables(keras_pyconv.AdaptiveAveragePooling, 5, 6, 8),
    _without_variables(keras_pyconv.AlignedResizing, 5, 6, 8),
    _without_variables(keras_pyconv.SymmetricMaxPooling2D, 5, 6, 8),
    _without_variables(keras_pyconv.SymmetricMaxPooling3D, 3, 4, 5, 8),
]

# The builders differ in the record alone; two small records stand for them.
NETWORKS = [
    Case(
        name,
        lambda x, name=name: keras_pyconv.build_classifier(
            name, input_tensor=x, classes=3
        ).output,
        (32, 40, 3),
    )
    for name in ("PyConvResNetMini", "ResNetMini")
]
# Two of four stages: time is halved in the second one.
_MINI = VIDEO_ARCHITECTURES["PyConvResNet3DMini"]
VIDEO = dataclasses.replace(
    _MINI,
    name="PyConvResNet3DTiny",
    base=dataclasses.replace(
        _MINI.base, stages=_MINI.base.stages[:2], total_stride=8
    ),
    frames_strides=(1, 2),
)
NETWORKS.append(
    Case(
        VIDEO.name,
        lambda x: keras_pyconv.build_video_classifier(
            VIDEO, input_tensor=x, classes=3, dropout=0.0
        ).output,
        (3, 16, 12, 3),
    )
)

_STAGE = Stage(16, 1, PYRAMIDS[2])
# A detector of two maps; the paper's differ in the record alone.
DETECTOR = Detector(
    "PyConvSSDTiny",
    Architecture(
        "Tiny",
        (_STAGE, _STAGE, replace(_STAGE, stride=1)),
        "a test",
        expansion=2,
        stem_width=8,
        total_stride=8,
    ),
    (ExtraLayer(8, 16, PYRAMIDS[2]),),
    (BoxMap(8, 14, 26, (2,)), BoxMap(16, 26, 52, (2, 3))),
    "a test",
    64,
)


def _detector(x):
    outputs = keras_pyconv.build_detector(
        DETECTOR, input_tensor=x, classes=3
    ).output
    return keras.ops.concatenate([*outputs.values()], axis=-1)


NETWORKS.append(Case("PyConvSSDTiny", _detector, (32, 40, 3)))

# The paper's segmentation networks differ from it in the record alone too.
SEGMENTER = make_segmenter(
    Architecture(
        "Tiny",
        tuple(
            Stage(8, 1, PYRAMIDS[1], stride, "conv") for stride in (1, 2, 2, 2)
        ),
        "a test",
        expansion=2,
        stem_width=8,
        stem_pool=True,
    ),
    ParsingHead(8, PYRAMIDS[2], bins=3, merged_width=8),
    dropout=0.0,
)


def _segmenter(x):
    outputs = keras_pyconv.build_segmenter(
        SEGMENTER, input_tensor=x, classes=3
    ).output
    return keras.ops.concatenate([*outputs.values()], axis=-1)


NETWORKS.append(Case("PyConvSegNetTiny", _segmenter, (32, 40, 3)))

CASES = LAYERS + NETWORKS
