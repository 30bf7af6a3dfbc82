"""ReLU as TensorFlow can move it into the convolution before it."""

from typing import Any

import keras

from keras_pyconv.arguments import number, told_options
from keras_pyconv.layers.checked import CheckedCall
from keras_pyconv.ops.uncut import uncut


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ReLU(CheckedCall, keras.layers.ReLU):
    """`keras.layers.ReLU` that works on results before they are cut.

    In a graph of unknown batch a convolution of ours ends in a cut, because
    of empty batches; TensorFlow would not move what stands behind that into
    the convolution. Arguments and results are those of the Keras layer.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any
    ):
        if max_value is not None:
            number("max_value", max_value, 0)
        number("negative_slope", negative_slope, 0)
        number("threshold", threshold, 0)
        with told_options(kwargs) as options:
            super().__init__(max_value, negative_slope, threshold, **options)

    def call(self, inputs):
        return uncut(super().call, inputs)
