"""PyConv in other libraries of Keras, each imported where it is asked for."""

from keras_pyconv.neighbours.backbones import (
    keras_cv_backbone,
    keras_hub_backbone,
)
from keras_pyconv.neighbours.presets import from_preset, save_to_preset
from keras_pyconv.neighbours.serving import retinanet_signatures

__all__ = [
    "from_preset",
    "keras_cv_backbone",
    "keras_hub_backbone",
    "retinanet_signatures",
    "save_to_preset",
]
