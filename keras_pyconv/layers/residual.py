"""The sum at the end of a residual block."""

import keras

from keras_pyconv.ops.empty_batch import before_cut
from keras_pyconv.ops.graph import barrier, before_cast

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ResidualAdd(keras.layers.Add):
    """`keras.layers.Add` that stays apart from the convolution before it.

    TensorFlow moves a sum into the convolution whose result is added, and
    with oneDNN, for a batch of one, that convolution then takes up to five
    times as long. Arguments and results are those of the Keras layer; where a
    graph had cut numbers to 16 bits, they are added before that.
    """

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        return before_cut(self._sum, *inputs)

    def _sum(self, *inputs):
        wide = [before_cast(tensor) for tensor in inputs]
        if len({tensor.dtype for tensor in wide}) > 1:
            wide = list(inputs)
        outputs = super().call([barrier(tensor) for tensor in wide])
        return tf.cast(outputs, inputs[0].dtype)
