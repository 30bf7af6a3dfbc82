"""The backbone of keras-cv; imports it, and is imported where it is used."""

import keras
import keras_cv

from keras_pyconv.architectures import get_architecture
from keras_pyconv.neighbours.backbones import Described, levels, network_of


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConvBackbone(Described, keras_cv.models.Backbone):
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
        super().__init__(
            *network_of(row, input_shape, include_rescaling),
            name=name or f"{row.lower()}_backbone",
            trainable=trainable,
        )
        self.architecture = row
        self.include_rescaling = include_rescaling
        self.pyramid_level_inputs = {
            level: tensor._keras_history.operation.name
            for level, tensor in levels(self).items()
        }
