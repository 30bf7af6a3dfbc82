"""Our classifiers as backbones of other libraries' tasks."""

import importlib
from typing import Any

import keras

from keras_pyconv import arguments
from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.models.arguments import check_input_shape, check_weights
from keras_pyconv.models.classifiers import build_classifier
from keras_pyconv.models.features import features
from keras_pyconv.tasks.library import keras_cv as import_keras_cv
from keras_pyconv.tasks.preprocessing import IMAGENET_DEVIATION, IMAGENET_MEAN
from keras_pyconv.typing import Shape, Weights
from keras_pyconv.weights import load as load_weights


class _Later:
    """Stands for a backbone in a saved model until its library is imported.

    Keras imports no module that a file names, so that the class must be known
    beforehand, and `import keras_pyconv` is to stay light.
    """

    library = None

    def get_config(self):
        """None is ever made; Keras registers no class without it."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        return cls.library().from_config(config)


def _of_keras_cv():
    import_keras_cv("The backbone")
    module = importlib.import_module("keras_pyconv.neighbours.keras_cv")
    return module.PyConvBackbone


def _of_keras_hub():
    try:
        module = importlib.import_module("keras_pyconv.neighbours.keras_hub")
    except ModuleNotFoundError as error:
        if error.name != "keras_hub":
            raise
        raise ImportError(
            "The backbone needs KerasHub, which is not installed: "
            "pip install keras-hub"
        ) from error
    return module.PyConvHubBackbone


for _name, _library in (
    ("PyConvBackbone", _of_keras_cv),
    ("PyConvHubBackbone", _of_keras_hub),
):
    _class = type("_Later", (_Later,), {"library": staticmethod(_library)})
    keras.saving.register_keras_serializable("keras_pyconv", _name)(_class)


def keras_cv_backbone(
    architecture: str,
    weights: Weights | None = None,
    input_shape: Shape = (None, None, 3),
    include_rescaling: bool = False,
    name: str | None = None,
) -> Any:
    """Builds one of our classifiers as a keras-cv backbone.

    Use it in keras-cv's `ImageClassifier`, `DeepLabV3Plus`, `RetinaNet` and
    any other model that takes a `keras_cv.models.Backbone`.

    Args:
        architecture: The name of a row of `ARCHITECTURES`, such as
            `"PyConvResNet50"`.
        weights: None, the name of published weights, or the path of a file, as
            for `build_classifier`.
        input_shape: Shape of an image without the batch; sizes may be None.
        include_rescaling: Whether the backbone takes pixels from 0 to 255, as
            keras-cv does, and normalizes them itself: division by 255,
            ImageNet's mean and standard deviation.
        name: Name of the model; by default the architecture's in lower case,
            with `_backbone`.

    Returns:
        A `keras_cv.models.Backbone` that returns the feature map of the last
        stage. `pyramid_level_inputs` has P1 (stem) to P5 (stage 4); map Pn has
        1 / 2^n of the image's height and width. They equal the outputs of
        `keras_pyconv.features` with the same weights.

    Raises:
        ImportError: if keras-cv is not installed.
        RuntimeError: on another backend than TensorFlow.
        ValueError: if an argument is not valid.

    Example:

    >>> backbone = keras_pyconv.keras_cv_backbone("PyConvResNet50")
    >>> model = keras_cv.models.ImageClassifier(backbone, num_classes=10)
    """
    options = input_shape, include_rescaling, name
    return _built(_of_keras_cv, architecture, weights, *options)


def keras_hub_backbone(
    architecture: str,
    weights: Weights | None = None,
    input_shape: Shape = (None, None, 3),
    include_rescaling: bool = False,
    name: str | None = None,
) -> Any:
    """Builds one of our classifiers as a KerasHub backbone.

    Use it in KerasHub's `RetinaNetBackbone`, `DeepLabV3Backbone` and any other
    model that takes a `keras_hub.models.FeaturePyramidBackbone`, and in the
    class `PyConvImageClassifier` of `keras_pyconv.neighbours.keras_hub`.
    KerasHub loads presets of these models once that module is imported.

    Args:
        architecture: The name of a row of `ARCHITECTURES`, such as
            `"PyConvResNet50"`.
        weights: None, the name of a published set, or the path of a file, as
            for `build_classifier`.
        input_shape: Of an image without the batch; sizes may be None.
        include_rescaling: Whether the backbone takes pixels from 0 to 255 and
            normalizes them: division by 255, ImageNet's mean and standard
            deviation. Leave it out where a KerasHub preprocessor does that.
        name: Of the model; by default the architecture's in lower case, with
            `_backbone`.

    Returns:
        A `keras_hub.models.FeaturePyramidBackbone` whose output is the last
        stage's feature map. `pyramid_outputs` has P1, of the stem, to P5, of
        stage 4; map Pn has 1 / 2^n of the image's height and width. The maps
        equal those of `keras_pyconv.features` with the same weights.

    Raises:
        ImportError: if KerasHub is not installed.
        ValueError: if an argument is none of the above.

    Example:

    >>> backbone = keras_pyconv.keras_hub_backbone("PyConvResNet50")
    >>> model = PyConvImageClassifier(backbone=backbone, num_classes=10)
    """
    options = input_shape, include_rescaling, name
    return _built(_of_keras_hub, architecture, weights, *options)


def _built(library, architecture, weights, input_shape, rescaling, name):
    """A library's backbone, filled as a classifier without its top would be."""
    arguments.one_of("architecture", architecture, ARCHITECTURES)
    check_weights(weights, architecture)
    check_input_shape(input_shape)
    arguments.flag("include_rescaling", rescaling)
    arguments.layer_name("name", name)
    backbone = library()(architecture, input_shape, rescaling, name=name)
    return backbone if weights is None else load_weights(backbone, weights)


class Described:
    """Adds the arguments of a backbone to its configuration."""

    def get_config(self):
        return {
            **super().get_config(),
            "architecture": self.architecture,
            "input_shape": self.input_shape[1:],
            "include_rescaling": self.include_rescaling,
        }


def network_of(architecture, input_shape, include_rescaling):
    """The input and the output of a backbone's network."""
    images = x = keras.Input(tuple(input_shape))
    if include_rescaling:
        scales = [1 / (255 * deviation) for deviation in IMAGENET_DEVIATION]
        pairs = zip(IMAGENET_MEAN, IMAGENET_DEVIATION)
        shifts = [-mean / deviation for mean, deviation in pairs]
        x = keras.layers.Rescaling(scales, shifts, name="rescaling")(x)
    network = build_classifier(architecture, include_top=False, input_tensor=x)
    return images, network.output


def levels(model):
    """The map of each level, `{"P1": tensor, ...}`."""
    return {
        f"P{feature.stride.bit_length() - 1}": feature.output
        for feature in features(model)
    }
