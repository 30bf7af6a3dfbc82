"""The reader of `networks` that makes Keras layers.

A 1x1 of a backbone is another class than one of a head: saved files of weights
know them by it.
"""

import dataclasses

import keras
from keras import layers

from keras_pyconv.layers.activation import ReLU
from keras_pyconv.layers.attention import PositionAttention
from keras_pyconv.layers.box_maps import JoinBoxMaps
from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pooling import (
    MaxPooling2D,
    MaxPooling3D,
    SymmetricMaxPooling2D,
    SymmetricMaxPooling3D,
)
from keras_pyconv.layers.pyconv import PyConv, PyConv3D
from keras_pyconv.layers.residual import ResidualAdd
from keras_pyconv.layers.resizing import (
    AdaptiveAveragePooling,
    AlignedResizing,
)
from keras_pyconv.networks import Net

# By rank.
_CONVOLUTIONS = {2: PyConv, 3: PyConv3D}
_MAX_POOLINGS = {
    "same": {2: SymmetricMaxPooling2D, 3: SymmetricMaxPooling3D},
    "valid": {2: MaxPooling2D, 3: MaxPooling3D},
}
GLOBAL_POOLINGS = {
    "avg": {2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D},
    "max": {2: layers.GlobalMaxPooling2D, 3: layers.GlobalMaxPooling3D},
}
_POINTS = ((1,), ((1, 1),))


def channel_axis() -> int:
    """The axis of the channels under `keras.config.image_data_format()`."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


# Functions, since each layer needs an initializer of its own: Keras's return
# the same numbers at every call.
_STARTS = {
    # sqrt(2 / (k * k * filters)), whatever the groups, as in the authors' code.
    "kaiming": lambda: keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    ),
    # Within 1 / sqrt(fan in), as PyTorch starts a convolution.
    "uniform": lambda: keras.initializers.VarianceScaling(
        1 / 3, mode="fan_in", distribution="uniform"
    ),
    "xavier": lambda: "glorot_uniform",
}


def _within(fan_in):
    """Uniform within 1 / sqrt(fan in)."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound)


def _precise():
    """The precision of the variables, also under a mixed policy."""
    return keras.config.dtype_policy().variable_dtype


class KerasNet(Net):
    """Makes the layers of a description, over images (2) or clips (3)."""

    def __init__(self, rank=2):
        self.rank = rank

    def channels(self, x):
        return x.shape[channel_axis()]

    def conv(
        self,
        x,
        filters,
        kernels=(1,),
        groups=1,
        strides=1,
        dilation=1,
        *,
        name,
        padding="same",
        use_bias=False,
        start="kaiming",
        precise=False,
    ):
        options = {
            "strides": strides,
            "use_bias": use_bias,
            "kernel_initializer": _STARTS[start](),
            "name": name,
        }
        if start == "kaiming" and self.rank == 2 and kernels in _POINTS:
            filters = filters if isinstance(filters, int) else sum(filters)
            return PointwiseConv2D(filters, **options)(x)
        if use_bias:
            # The bias of PyTorch's convolutions, which is not zero.
            positions = kernels[0] ** self.rank
            options["bias_initializer"] = _within(positions * self.channels(x))
        if precise:
            options["dtype"] = _precise()
        return _CONVOLUTIONS[self.rank](
            filters,
            kernels,
            groups=groups,
            padding=padding,
            dilation_rate=dilation,
            **options,
        )(x)

    def norm(self, x, *, name, epsilon=1e-5, start=1.0):
        options = {"momentum": 0.9, "epsilon": epsilon, "name": name}
        if start != 1:
            options["gamma_initializer"] = keras.initializers.Constant(start)
        return FusedBatchNormalization(axis=channel_axis(), **options)(x)

    def relu(self, x, *, name, shared=False):
        return ReLU(name=name)(x)

    def add(self, shortcut, x, *, name):
        return ResidualAdd(name=name)([shortcut, x])

    def scale(self, x, factor, *, name):
        return layers.Rescaling(factor, name=name)(x)

    def concat(self, maps, *, name):
        return layers.Concatenate(axis=channel_axis(), name=name)(maps)

    def max_pool(self, x, window, strides, *, name, padding="same"):
        pool = _MAX_POOLINGS[padding][self.rank]
        return pool(window, strides, name=name)(x)

    def average_pool(self, x, window, *, name):
        # Keras divides by the positions inside the map.
        return layers.AveragePooling2D(window, 1, "same", name=name)(x)

    def adaptive_pool(self, x, bins, *, name):
        return AdaptiveAveragePooling(bins, name=name)(x)

    def global_pool(self, x, *, name, adaptive=True):
        return GLOBAL_POOLINGS["avg"][self.rank](name=name)(x)

    def resize(self, x, like, *, name, precise=False):
        dtype = {"dtype": _precise()} if precise else {}
        return AlignedResizing(name=name, **dtype)(x, like=like)

    def dropout(self, x, rate, *, name, of_channels=False):
        if not rate:
            return x
        drop = layers.SpatialDropout2D if of_channels else layers.Dropout
        return drop(float(rate), name=name)(x)

    def dense(self, x, units, *, name, activation=None, use_bias=True):
        # Under a mixed policy probabilities stay in this precision.
        return layers.Dense(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=_within(x.shape[-1]),
            bias_initializer=_within(x.shape[-1]),
            dtype=_precise(),
            name=name,
        )(x)

    def gate(self, x, weights, *, name):
        weights = layers.Activation("sigmoid", name=f"{name}_sigmoid")(weights)
        shape = [1] * (self.rank + 1)
        shape[channel_axis() % (self.rank + 2) - 1] = weights.shape[-1]
        weights = layers.Reshape(shape, name=f"{name}_weights")(weights)
        return layers.Multiply(name=name)([x, weights])

    def attend(self, queries, keys, values, *, name):
        return PositionAttention(name=name)([queries, keys, values])

    def join_boxes(self, maps, width, detector, *, name):
        box_maps = [dataclasses.astuple(row) for row in detector.box_maps]
        size = detector.input_size
        return JoinBoxMaps(width, box_maps, size, name=name)(maps)
