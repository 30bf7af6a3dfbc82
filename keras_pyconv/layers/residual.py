"""The sum at the end of a residual block."""

from typing import Any

import keras

from keras_pyconv.arguments import told_options
from keras_pyconv.layers.checked import CheckedCall
from keras_pyconv.ops.graph import barrier, on_tensorflow
from keras_pyconv.ops.uncut import uncut


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ResidualAdd(CheckedCall, keras.layers.Add):
    """`keras.layers.Add` that stays apart from the convolution before it.

    TensorFlow moves a sum into the convolution whose result is added, and
    with oneDNN, for a batch of one, that convolution then takes up to five
    times as long. Arguments and results are those of the Keras layer; where a
    graph had cut numbers to 16 bits, they are added before that.
    """

    def __init__(self, **kwargs: Any):
        with told_options(kwargs) as options:
            super().__init__(**options)

    def call(self, inputs):
        if not on_tensorflow():
            return super().call(inputs)
        return uncut(self._sum, *inputs)

    def _sum(self, *inputs):
        return super().call([barrier(tensor) for tensor in inputs])
