"""ReLU as TensorFlow can move it into the convolution before it."""

import keras

from keras_pyconv.ops.uncut import uncut


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ReLU(keras.layers.ReLU):
    """`keras.layers.ReLU` that works on results before they are cut.

    In a graph of unknown batch a convolution of ours ends in a cut, because
    of empty batches; TensorFlow would not move what stands behind that into
    the convolution. Arguments and results are those of the Keras layer.
    """

    def call(self, inputs):
        return uncut(super().call, inputs)
