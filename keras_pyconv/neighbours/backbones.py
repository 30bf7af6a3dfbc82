"""Our classifiers as backbones of other libraries' tasks."""

import importlib
from typing import Any

import keras

from keras_pyconv import arguments
from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.models.arguments import check_input_shape, check_weights
from keras_pyconv.models.features import features
from keras_pyconv.tasks.detection.library import keras_cv
from keras_pyconv.typing import Shape, Weights


@keras.saving.register_keras_serializable("keras_pyconv", "PyConvBackbone")
class _Later:
    """Stands for the backbone in a saved model until keras-cv is imported.

    Keras imports no module that a file names, so that the class must be known
    beforehand, and `import keras_pyconv` is to stay light.
    """

    def get_config(self):
        """None is ever made; Keras registers no class without it."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        return _module().PyConvBackbone.from_config(config)


def _module():
    keras_cv()
    return importlib.import_module("keras_pyconv.neighbours.keras_cv")


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
    arguments.one_of("architecture", architecture, ARCHITECTURES)
    check_weights(weights, architecture)
    check_input_shape(input_shape)
    arguments.flag("include_rescaling", include_rescaling)
    arguments.layer_name("name", name)
    module = _module()
    backbone = module.PyConvBackbone(
        architecture, input_shape, include_rescaling, name=name
    )
    return module.load(backbone, weights)


def levels(model):
    """Names of the layers with the map of each level, `{"P1": ...}`."""
    return {
        f"P{feature.stride.bit_length() - 1}": feature.output._keras_history[
            0
        ].name
        for feature in features(model)
    }
