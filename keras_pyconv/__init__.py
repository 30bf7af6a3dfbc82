"""Pyramidal convolution (PyConv) for Keras 3 and TensorFlow."""

from keras_pyconv import (
    architectures,
    complexity,
    datasets,
    export,
    ops,
    tables,
    tasks,
    weights,
)
from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.layers import (
    FusedBatchNormalization,
    PyConv,
    PyConv1D,
    PyConv3D,
)
from keras_pyconv.models import (
    InceptionResNetV2,
    PyConvHGResNet50,
    PyConvHGResNet101,
    PyConvHGResNet152,
    PyConvInceptionResNetV2,
    PyConvResNet18,
    PyConvResNet34,
    PyConvResNet50,
    PyConvResNet101,
    PyConvResNet152,
    ResNet50,
    ResNet101,
    ResNet152,
    build_classifier,
    build_inception,
    features,
    replace_convolutions,
    replacement_report,
)
from keras_pyconv.tasks import show_pyramid

__version__ = "0.1.0"

__all__ = [
    "ARCHITECTURES",
    "FusedBatchNormalization",
    "InceptionResNetV2",
    "PyConv",
    "PyConv1D",
    "PyConv3D",
    "PyConvHGResNet101",
    "PyConvHGResNet152",
    "PyConvHGResNet50",
    "PyConvInceptionResNetV2",
    "PyConvResNet101",
    "PyConvResNet152",
    "PyConvResNet18",
    "PyConvResNet34",
    "PyConvResNet50",
    "ResNet101",
    "ResNet152",
    "ResNet50",
    "__version__",
    "architectures",
    "build_classifier",
    "build_inception",
    "complexity",
    "datasets",
    "export",
    "features",
    "ops",
    "replace_convolutions",
    "replacement_report",
    "show_pyramid",
    "tables",
    "tasks",
    "weights",
]
