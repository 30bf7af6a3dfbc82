"""Functions from a record of `architectures` to a `keras.Model`."""

from keras_pyconv.models.auxiliary import AuxiliaryModel, inference_model
from keras_pyconv.models.classifiers import (
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
    build_inception,
    build_video_classifier,
)
from keras_pyconv.models.conversion import (
    replace_convolutions,
    replacement_report,
)
from keras_pyconv.models.detection import (
    SSD,
    PyConvSSD,
    build_detector,
)
from keras_pyconv.models.features import Feature, features
from keras_pyconv.models.inflation import inflate
from keras_pyconv.models.native_groups import native_groups
from keras_pyconv.models.segmentation import PyConvSegNet, build_segmenter
from keras_pyconv.renamed import former
from keras_pyconv.weights import load

__all__ = [
    "AuxiliaryModel",
    "Feature",
    "InceptionResNetV2",
    "NLResNet101",
    "NLResNet152",
    "NLResNet50",
    "PreActResNet101",
    "PreActResNet152",
    "PreActResNet50",
    "PyConvHGResNet101",
    "PyConvHGResNet152",
    "PyConvHGResNet50",
    "PyConvInceptionResNetV2",
    "PyConvResNet101",
    "PyConvResNet152",
    "PyConvResNet18",
    "PyConvResNet34",
    "PyConvResNet3D101",
    "PyConvResNet3D152",
    "PyConvResNet3D50",
    "PyConvResNet50",
    "PyConvSSD",
    "PyConvSegNet",
    "ResNeXt101",
    "ResNeXt152",
    "ResNeXt50",
    "ResNet101",
    "ResNet152",
    "ResNet3D101",
    "ResNet3D152",
    "ResNet3D50",
    "ResNet50",
    "SEResNet101",
    "SEResNet152",
    "SEResNet50",
    "SSD",
    "build_classifier",
    "build_detector",
    "build_inception",
    "build_segmenter",
    "build_video_classifier",
    "features",
    "inference_model",
    "inflate",
    "native_groups",
    "replace_convolutions",
    "replacement_report",
]


def _load_backbone(model, weights, variant=None):
    return load(model, weights, part="backbone")


_LOAD = "`keras_pyconv.weights.load` with `part='backbone'`"
__getattr__ = former(
    __name__,
    {
        "load_backbone": (_LOAD, lambda: _load_backbone),
        "load_body": (_LOAD, lambda: _load_backbone),
    },
)
