"""The backbone of keras-cv; imports it, and is imported where it is used."""

import keras
import keras_cv

from keras_pyconv.architectures import get_architecture
from keras_pyconv.models.classifiers import build_classifier
from keras_pyconv.neighbours.backbones import levels
from keras_pyconv.tasks.preprocessing import IMAGENET_DEVIATION, IMAGENET_MEAN
from keras_pyconv.weights import load as load_weights


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConvBackbone(keras_cv.models.Backbone):
    """A residual network of ours; arguments as `keras_cv_backbone`."""

    def __init__(
        self,
        architecture,
        input_shape=(None, None, 3),
        include_rescaling=False,
        name=None,
        trainable=True,
    ):
        row = get_architecture(architecture).name
        images = keras.Input(tuple(input_shape))
        x = images
        if include_rescaling:
            scales = [1 / (255 * deviation) for deviation in IMAGENET_DEVIATION]
            pairs = zip(IMAGENET_MEAN, IMAGENET_DEVIATION)
            shifts = [-mean / deviation for mean, deviation in pairs]
            x = keras.layers.Rescaling(scales, shifts, name="rescaling")(x)
        network = build_classifier(row, include_top=False, input_tensor=x)
        super().__init__(
            images,
            network.output,
            name=name or f"{row.lower()}_backbone",
            trainable=trainable,
        )
        self.architecture = row
        self.include_rescaling = include_rescaling
        self.pyramid_level_inputs = levels(self)

    def get_config(self):
        return {
            **super().get_config(),
            "architecture": self.architecture,
            "input_shape": self.input_shape[1:],
            "include_rescaling": self.include_rescaling,
        }


def load(backbone, weights):
    """The backbone, filled as a classifier without its top would be."""
    return backbone if weights is None else load_weights(backbone, weights)
