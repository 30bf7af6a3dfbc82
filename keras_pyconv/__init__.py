"""Pyramidal convolution (PyConv) for Keras 3 and TensorFlow."""

import types

# First: of the command it answers what needs no framework.
from keras_pyconv import early  # isort: skip
from keras_pyconv import (
    architectures,
    complexity,
    datasets,
    export,
    ops,
    tables,
    tasks,
    training,
    weights,
)
from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.layers import (
    AdaptiveAveragePooling,
    AlignedResizing,
    FusedBatchNormalization,
    PyConv,
    PyConv1D,
    PyConv3D,
    SymmetricMaxPooling2D,
    SymmetricMaxPooling3D,
)
from keras_pyconv.models import (
    SSD,
    InceptionResNetV2,
    NLResNet50,
    NLResNet101,
    NLResNet152,
    PreActResNet50,
    PreActResNet101,
    PreActResNet152,
    PyConvHGResNet50,
    PyConvHGResNet101,
    PyConvHGResNet152,
    PyConvInceptionResNetV2,
    PyConvResNet3D50,
    PyConvResNet3D101,
    PyConvResNet3D152,
    PyConvResNet18,
    PyConvResNet34,
    PyConvResNet50,
    PyConvResNet101,
    PyConvResNet152,
    PyConvSegNet,
    PyConvSSD,
    ResNet3D50,
    ResNet3D101,
    ResNet3D152,
    ResNet50,
    ResNet101,
    ResNet152,
    ResNeXt50,
    ResNeXt101,
    ResNeXt152,
    SEResNet50,
    SEResNet101,
    SEResNet152,
    build_classifier,
    build_detector,
    build_inception,
    build_segmenter,
    build_video_classifier,
    features,
    inflate,
    native_groups,
    replace_convolutions,
    replacement_report,
)
from keras_pyconv.neighbours import keras_cv_backbone
from keras_pyconv.placement import level_devices
from keras_pyconv.tasks import (
    classify,
    detect,
    explain,
    recognize,
    segment,
    show_pyramid,
)

__version__ = "0.1.0"

_ROOMS = (
    *("architectures", "complexity", "datasets", "export", "ops", "tables"),
    *("tasks", "training", "weights"),
)
# What is imported above, but for other modules of the package.
__all__ = sorted(
    name
    for name, value in globals().items()
    if name in ("__version__", *_ROOMS)
    or not (name.startswith("_") or isinstance(value, types.ModuleType))
)
