"""The sum at the end of a residual block."""

import keras

from keras_pyconv.ops.graph import barrier


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ResidualAdd(keras.layers.Add):
    """`keras.layers.Add` that stays apart from the convolution before it.

    TensorFlow moves a sum into the convolution whose result is added, and
    with oneDNN, for a batch of one, that convolution then takes up to five
    times as long. Arguments and results are those of the Keras layer.
    """

    def call(self, inputs):
        if keras.backend.backend() == "tensorflow":
            inputs = [barrier(tensor) for tensor in inputs]
        return super().call(inputs)
