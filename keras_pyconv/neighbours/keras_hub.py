"""The backbone of KerasHub; imports it, and is imported where it is used."""

import contextlib

import keras
import keras_hub

from keras_pyconv.architectures import get_architecture
from keras_pyconv.neighbours.backbones import Described, levels, network_of


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConvHubBackbone(Described, keras_hub.models.FeaturePyramidBackbone):
    """A residual network of ours; arguments as `keras_hub_backbone`."""

    def __init__(
        self,
        architecture,
        input_shape=(None, None, 3),
        include_rescaling=False,
        name=None,
        trainable=True,
        dtype=None,
    ):
        row = get_architecture(architecture).name
        with _policy(dtype):
            network = network_of(row, input_shape, include_rescaling)
        super().__init__(
            *network,
            dtype=dtype,
            name=name or f"{row.lower()}_backbone",
            trainable=trainable,
        )
        self.architecture = row
        self.include_rescaling = include_rescaling
        self.pyramid_outputs = levels(self)


@contextlib.contextmanager
def _policy(dtype):
    """Within it layers compute in the given number type, if there is one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if dtype is None else dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConvImageClassifier(keras_hub.models.ImageClassifier):
    """The class that KerasHub's `ImageClassifier.from_preset` looks for."""

    backbone_cls = PyConvHubBackbone
