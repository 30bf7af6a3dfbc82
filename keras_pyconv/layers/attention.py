"""Attention of every position of a feature map to the positions of another."""

from math import prod

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PositionAttention(keras.layers.Layer):
    """Means of the values, weighted by softmax(query times key).

    Inputs are three maps, queries, keys and values; the output has the sizes of
    the queries and the channels of the values. As in non-local networks (Wang
    et al. 2018, equation 6), without the factor 1 / sqrt(channels).
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format or keras.config.image_data_format()

    def _rows(self, x):
        """(batch, positions, channels)."""
        if self.data_format == "channels_first":
            x = ops.moveaxis(x, 1, -1)
        batch, *sizes, channels = ops.shape(x)
        return ops.reshape(x, (batch, prod(sizes), channels)), sizes

    def call(self, inputs):
        (queries, sizes), (keys, _), (values, _) = map(self._rows, inputs)
        products = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        wide = keras.backend.result_type(products.dtype, "float32")
        products = ops.cast(products, wide)
        # Keras's softmax warns of maps of one position, which are no fault.
        weights = ops.exp(products - ops.logsumexp(products, -1, True))
        means = ops.matmul(ops.cast(weights, values.dtype), values)
        batch, _, channels = ops.shape(means)
        means = ops.reshape(means, (batch, *sizes, channels))
        if self.data_format == "channels_first":
            means = ops.moveaxis(means, -1, 1)
        return means

    def compute_output_shape(self, input_shapes):
        queries, _, values = input_shapes
        if self.data_format == "channels_first":
            return (queries[0], values[1], *queries[2:])
        return (*queries[:-1], values[-1])

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}
