"""PyConvResNet3D and ResNet3D (supplement, section 2, Tables 2 and 3).

One function goes from a record of `VIDEO_ARCHITECTURES` to a `keras.Model`
over clips; layers have the names that they have in the networks of images.

Frames are an axis like height and width,
`(batch, frames, height, width, channels)`, and are halved in the last two
stages alone: 16 frames leave as 4.
"""

from keras_pyconv.architectures import get_video_architecture
from keras_pyconv.models.arguments import check_arguments, clip_input
from keras_pyconv.models.classifier import finish, named_builder, pool
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks import top, trunk


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
        include_top,
        weights,
        pooling,
        classes,
        classifier_activation,
        dropout,
        name,
    )
    clips = clip_input(input_tensor, input_shape, include_top)
    net = KerasNet(rank=3)
    x = trunk(net, clips, row)[-1]
    if include_top:
        x = top(net, x, int(classes), dropout, classifier_activation)
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
