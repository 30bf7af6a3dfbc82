"""A small residual network of Keras's own layers, with no PyConv in it."""

import keras

CLASSES = 10


def conv_bn(x, filters, kernel, strides=1, *, name):
    """Convolution and batch normalization."""
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)


def block(x, filters, strides, *, name):
    """A basic residual block."""
    y = conv_bn(x, filters, 3, strides, name=f"{name}_1")
    y = keras.layers.ReLU(name=f"{name}_1_relu")(y)
    y = conv_bn(y, filters, 3, name=f"{name}_2")
    if strides > 1 or x.shape[-1] != filters:
        x = conv_bn(x, filters, 1, strides, name=f"{name}_0")
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def make_model(image_shape, widths):
    """A residual network on images in [0, 255], without keras_pyconv."""
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    x = conv_bn(x, widths[0], 3, 2, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stage, filters in enumerate(widths, 1):
        x = block(x, filters, 1 if stage == 1 else 2, name=f"stage{stage}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    scores = keras.layers.Dense(CLASSES, "softmax", name="scores")(x)
    return keras.Model(images, scores, name="small_resnet")
