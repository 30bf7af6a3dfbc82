"""Residual blocks: from one `Stage` of a record to Keras tensors.

The paper's Figure 4 and the two basic blocks of the authors' code. Layers are
named `<block>_<position>_<kind>`, position 0 being the projection shortcut;
names are public, since users address layers by them.

The fact a reader would get wrong: `keras.layers.Conv2D(padding="same")` and
`MaxPooling2D(padding="same")` pad unevenly at stride 2. Every window larger
than 1x1 is padded by half its size on both sides here, as the authors do.
"""

import keras

from keras_pyconv.layers.activation import ReLU
from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pooling import SymmetricMaxPooling2D
from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.layers.residual import ResidualAdd


def channel_axis() -> int:
    """The axis of the channels under `keras.config.image_data_format()`."""
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def kaiming_normal():
    """Standard deviation sqrt(2 / (k * k * filters)) for every level.

    Keras's fan out of a grouped kernel is not divided by its groups, and
    neither is the authors'. One object a layer: Keras's initializers return
    the same numbers at every call.
    """
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )


def spatial_conv(
    x,
    kernels,
    filters,
    groups=1,
    strides=1,
    dilation_rate=1,
    *,
    name,
    padding="same",
    use_bias=False,
):
    """Convolution of one or more levels, symmetrically padded if at all."""
    kind = "pyconv" if len(kernels) > 1 else "conv"
    return PyConv(
        filters,
        kernels,
        groups=groups,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        use_bias=use_bias,
        kernel_initializer=kaiming_normal(),
        name=f"{name}_{kind}",
    )(x)


def pointwise_conv(x, filters, strides=1, *, name, use_bias=False):
    """1x1 convolution."""
    return PointwiseConv2D(
        filters,
        strides,
        use_bias=use_bias,
        kernel_initializer=kaiming_normal(),
        name=f"{name}_conv",
    )(x)


def normalize(x, *, name, epsilon=1e-5):
    """Batch normalization with the authors' constants."""
    return FusedBatchNormalization(
        axis=channel_axis(), momentum=0.9, epsilon=epsilon, name=f"{name}_bn"
    )(x)


def activate(x, *, name):
    """ReLU."""
    return ReLU(name=name)(x)


def max_pool(x, strides, *, name):
    """3x3 max pooling, symmetrically padded."""
    return SymmetricMaxPooling2D(3, strides, name=f"{name}_pool")(x)


def _pyramid(x, stage, strides, dilation_rate, *, name):
    x = spatial_conv(
        x,
        stage.kernels,
        stage.filters,
        stage.groups,
        strides,
        dilation_rate,
        name=name,
    )
    return normalize(x, name=name)


def bottleneck(x, stage, channels, strides, dilation_rate, *, name):
    """1x1, PyConv, 1x1 (paper, Figure 4)."""
    x = pointwise_conv(x, stage.width, name=f"{name}_1")
    x = normalize(x, name=f"{name}_1")
    x = activate(x, name=f"{name}_1_relu")
    x = _pyramid(x, stage, strides, dilation_rate, name=f"{name}_2")
    x = activate(x, name=f"{name}_2_relu")
    x = pointwise_conv(x, channels, name=f"{name}_3")
    return normalize(x, name=f"{name}_3")


def basic1(x, stage, channels, strides, dilation_rate, *, name):
    """PyConv, PyConv (authors' BasicBlock1)."""
    x = _pyramid(x, stage, strides, dilation_rate, name=f"{name}_1")
    x = activate(x, name=f"{name}_1_relu")
    return _pyramid(x, stage, 1, dilation_rate, name=f"{name}_2")


def basic2(x, stage, channels, strides, dilation_rate, *, name):
    """PyConv, 1x1 (authors' BasicBlock2)."""
    x = _pyramid(x, stage, strides, dilation_rate, name=f"{name}_1")
    x = activate(x, name=f"{name}_1_relu")
    x = pointwise_conv(x, channels, name=f"{name}_2")
    return normalize(x, name=f"{name}_2")


# The records name a block by these keys (`architectures.BLOCKS`).
BODIES = {"bottleneck": bottleneck, "basic1": basic1, "basic2": basic2}


def shortcut(x, kind, channels, strides, *, name):
    """What a stage's first block adds to its body.

    A pooled shortcut whose channels do not change is the pooling alone, as
    in stage 1 of PyConvResNet-18.
    """
    if kind == "pool":
        x, strides = max_pool(x, strides, name=name), 1
    if strides == 1 and x.shape[channel_axis()] == channels:
        return x
    x = pointwise_conv(x, channels, strides, name=name)
    return normalize(x, name=name)


def residual_stage(x, stage, block, channels, strides, dilation_rate, *, name):
    """A stage: its first block strides and projects, the others do not.

    Args:
        x: Tensor from the stage before.
        stage: `Stage` of the record.
        block: Key of `BODIES`.
        channels: Channels of the output.
        strides: Stride of the first block.
        dilation_rate: Dilation of every spatial convolution, the first
            block's too (authors' rule).
        name: Prefix of the layers' names, such as `"conv2"`.
    """
    for number in range(1, stage.blocks + 1):
        prefix = f"{name}_block{number}"
        y = BODIES[block](
            x, stage, channels, strides, dilation_rate, name=prefix
        )
        if number == 1:
            kind = stage.shortcut
            x = shortcut(x, kind, channels, strides, name=f"{prefix}_0")
            strides = 1
        x = ResidualAdd(name=f"{prefix}_add")([x, y])
        x = activate(x, name=f"{prefix}_out")
    return x
