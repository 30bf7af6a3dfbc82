"""ReLU as TensorFlow can move it into the convolution before it."""

import keras

from keras_pyconv.ops.empty_batch import before_cut


@keras.saving.register_keras_serializable(package="keras_pyconv")
class ReLU(keras.layers.ReLU):
    """`keras.layers.ReLU` that works on rows before they are cut off.

    In a graph of unknown batch a convolution of ours ends in a cut, because
    of empty batches; TensorFlow would not move what stands behind that into
    the convolution. Arguments and results are those of the Keras layer.
    """

    def call(self, inputs):
        return before_cut(super().call, inputs)
