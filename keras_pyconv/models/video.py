"""PyConvResNet3D and ResNet3D (supplement, section 2, Tables 2 and 3).

One function goes from a record of `VIDEO_ARCHITECTURES` to a `keras.Model`
over clips; layers have the names that they have in the networks of images.

The fact a reader would get wrong: frames are an axis like height and width,
`(batch, frames, height, width, channels)`, and are halved in the last two
stages alone: 16 frames leave as 4.
"""

from keras_pyconv.architectures import get_video_architecture
from keras_pyconv.layers.pooling import SymmetricMaxPooling3D
from keras_pyconv.layers.pyconv import PyConv3D
from keras_pyconv.layers.residual import ResidualAdd
from keras_pyconv.models.arguments import check_arguments, clip_input
from keras_pyconv.models.blocks import (
    activate,
    channel_axis,
    kaiming_normal,
    normalize,
)
from keras_pyconv.models.classifier import (
    classify,
    finish,
    named_builder,
    pool,
)

_POINT = ((1, 1, 1),)


def _conv(x, filters, kernels=_POINT, groups=1, strides=1, *, name):
    """Convolution of one or more levels, symmetrically padded."""
    kind = "pyconv" if len(kernels) > 1 else "conv"
    return PyConv3D(
        filters,
        kernels,
        groups=groups,
        strides=strides,
        use_bias=False,
        kernel_initializer=kaiming_normal(),
        name=f"{name}_{kind}",
    )(x)


def _conv_norm(x, filters, *options, name, **more):
    x = _conv(x, filters, *options, name=name, **more)
    return normalize(x, name=name)


def _max_pool(x, window, strides, *, name):
    return SymmetricMaxPooling3D(window, strides, name=f"{name}_pool")(x)


def _bottleneck(x, row, number, strides, *, name):
    """1x1x1, pyramid, 1x1x1 (supplement, Table 2)."""
    stage = row.base.stages[number]
    x = _conv_norm(x, stage.width, name=f"{name}_1")
    x = activate(x, name=f"{name}_1_relu")
    x = _conv_norm(
        x,
        stage.filters,
        row.kernels(number),
        stage.groups,
        strides,
        name=f"{name}_2",
    )
    x = activate(x, name=f"{name}_2_relu")
    return _conv_norm(x, row.base.channels[number], name=f"{name}_3")


def _shortcut(x, row, number, *, name):
    """What a stage's first block adds to its body."""
    strides, channels = row.strides(number), row.base.channels[number]
    if row.base.stages[number].shortcut == "pool":
        x = _max_pool(x, row.pool_window(number), strides, name=name)
        strides = (1, 1, 1)
    if strides == (1, 1, 1) and x.shape[channel_axis()] == channels:
        return x
    return _conv_norm(x, channels, strides=strides, name=name)


def _stage(x, row, number):
    for block in range(1, row.base.stages[number].blocks + 1):
        name = f"conv{number + 2}_block{block}"
        strides = row.strides(number) if block == 1 else 1
        y = _bottleneck(x, row, number, strides, name=name)
        if block == 1:
            x = _shortcut(x, row, number, name=f"{name}_0")
        x = ResidualAdd(name=f"{name}_add")([x, y])
        x = activate(x, name=f"{name}_out")
    return x


def _trunk(x, row):
    """Stem and stages: clips to the last stage's feature map."""
    x = _conv_norm(
        x,
        row.base.stem_width,
        (row.stem_kernel,),
        strides=(1, 2, 2),
        name="conv1",
    )
    x = activate(x, name="conv1_relu")
    if row.base.stem_pool:
        x = _max_pool(x, (1, 3, 3), (1, 2, 2), name="pool1")
    for number in range(len(row.base.stages)):
        x = _stage(x, row, number)
    return x


def build_video_classifier(
    architecture,
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name=None,
    dropout=None,
):
    """Builds the video network of a record (supplement, Tables 2 and 3).

    Args:
        architecture: A `VideoArchitecture`, or the name of a row of
            `VIDEO_ARCHITECTURES`.
        include_top: Whether to end with global average pooling, dropout and
            the linear classifier.
        weights: None for the authors' random initialization, or the path of
            a file: of Keras (`.weights.h5`, `.keras`), or of PyTorch
            (`.npz`, `.safetensors`, `.pth`, `.pt`), whose parameters are
            named as in the authors' networks of images.
        input_tensor: Keras tensor to use as the clips.
        input_shape: Shape of a clip without the batch: any number of
            channels; any number of frames and size, None for what varies.
            The default is `(16, 224, 224, 3)`, and `(None, None, None, 3)`
            without the top; with `"channels_first"` images the channels
            come first.
        pooling: What follows the last stage when `include_top=False`: None
            for its 5-D output, `"avg"` or `"max"` for global pooling.
        classes: Number of classes, when `include_top=True`.
        classifier_activation: Activation of the classifier; None returns
            logits.
        name: Name of the model; by default the record's, in lower case.
        dropout: Rate of the dropout before the classifier. The default is
            the record's: 0.5 in every row of `VIDEO_ARCHITECTURES`.

    Returns:
        A `keras.Model` from clips, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to probabilities `(batch, classes)`.
        Under a mixed precision policy these stay float32.

    Raises:
        ValueError: if an argument is none of the above.
    """
    row = get_video_architecture(architecture)
    dropout = row.dropout if dropout is None else dropout
    check_arguments(
        include_top, weights, pooling, classes, classifier_activation, dropout
    )
    clips = clip_input(input_tensor, input_shape, include_top)
    x = _trunk(clips, row)
    if include_top:
        x = classify(x, classes, classifier_activation, dropout)
    else:
        x = pool(x, pooling)
    return finish(clips, x, name or row.name.lower(), weights)


def _named(name):
    """The builder of one row: `build_video_classifier`, its record fixed."""
    source = get_video_architecture(name).source
    summary = f"{name} (paper, {source})."
    return named_builder(build_video_classifier, name, summary)


PyConvResNet3D50 = _named("PyConvResNet3D50")
PyConvResNet3D101 = _named("PyConvResNet3D101")
PyConvResNet3D152 = _named("PyConvResNet3D152")
ResNet3D50 = _named("ResNet3D50")
ResNet3D101 = _named("ResNet3D101")
ResNet3D152 = _named("ResNet3D152")
