"""PyConvResNet, PyConvHGResNet, ResNet and the ablation rows (Tables 1 to 3).

One function goes from a record of `architectures` to a `keras.Model`; the
named builders fix the record and keep the signature of `keras.applications`.

The fact a reader would get wrong: `weights` defaults to None, not to
"imagenet", and pixels are expected as the authors' training code has them
(RGB in [0, 1], normalized by ImageNet's mean and standard deviation).
"""

from keras_pyconv.architectures import ARCHITECTURES, get_architecture
from keras_pyconv.models.arguments import check_arguments, image_input
from keras_pyconv.models.classifier import finish, named_builder, pool
from keras_pyconv.models.keras_net import KerasNet, channel_axis
from keras_pyconv.networks import top, trunk


def build_classifier(
    architecture,
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
    output_stride=None,
    dropout=0.0,
):
    """Builds the network of a record (paper, Tables 1 to 3).

    Args:
        architecture: An `Architecture`, or the name of a row of
            `ARCHITECTURES`.
        include_top: Whether to end with global average pooling and the
            linear classifier.
        weights: None for the authors' random initialization; `"imagenet"`
            or `"imagenet_cutmix"` for the authors' weights, where they
            publish them (`keras_pyconv.weights.published_sets`); or the
            path of a file: of Keras (`.weights.h5`, `.keras`), or of the
            authors' framework (`.npz`, `.safetensors`, `.pth`, `.pt`), which
            goes through `keras_pyconv.weights.from_torch`. Published weights
            go with any `classes`, whose classifier is new then, and with any
            number of channels (`keras_pyconv.weights.adapt_stem`).
        input_tensor: Keras tensor to use as the images.
        input_shape: Shape of an image without the batch: any number of
            channels; any size, None for sizes that vary. The default is
            `(224, 224, 3)`, and `(None, None, 3)` without the top; with
            `"channels_first"` images the channels come first.
        pooling: What follows the last stage when `include_top=False`: None
            for its 4-D output, `"avg"` or `"max"` for global pooling.
        classes: Number of classes, when `include_top=True`.
        classifier_activation: Activation of the classifier; None returns
            logits.
        name: Name of the model; by default the record's, in lower case.
        output_stride: Input size over the size of the last feature map: 32,
            or 16 or 8 for dense prediction, where the last stages dilate
            instead of striding (authors' rule for segmentation). The
            default is the record's `total_stride`: 32 in every row of
            `ARCHITECTURES`.
        dropout: Rate of the dropout before the classifier.

    Returns:
        A `keras.Model` from images, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to probabilities `(batch, classes)`.
        Under a mixed precision policy these stay float32.

    Raises:
        ValueError: if an argument is none of the above.
    """
    architecture = get_architecture(architecture)
    check_arguments(
        include_top,
        weights,
        pooling,
        classes,
        classifier_activation,
        dropout,
        name,
        architecture.name,
    )
    images = image_input(input_tensor, input_shape, include_top)
    _check_size(images, architecture)
    net = KerasNet()
    x = trunk(net, images, architecture, output_stride=output_stride)[-1]
    if include_top:
        x = top(net, x, int(classes), dropout, classifier_activation)
    else:
        x = pool(x, pooling)
    name = name or architecture.name.lower()
    return finish(images, x, name, weights)


def _check_size(images, architecture):
    """Refuses images whose last map a non-local block could not pool."""
    least = architecture.total_stride + 1
    sizes = [size for size in images.shape[1:] if size]
    sizes.remove(images.shape[channel_axis()])
    if architecture.non_local and any(size < least for size in sizes):
        raise ValueError(
            f"{architecture.name} needs images of at least {least} x {least} "
            "pixels: its non-local blocks halve every map. Received: "
            f"`input_shape`={tuple(images.shape[1:])}"
        )


def _named(row):
    """The builder of one row: `build_classifier` with its record fixed."""
    summary = f"{row} (paper, {ARCHITECTURES[row].source})."
    return named_builder(build_classifier, row, summary)


PyConvResNet18 = _named("PyConvResNet18")
PyConvResNet34 = _named("PyConvResNet34")
PyConvResNet50 = _named("PyConvResNet50")
PyConvResNet101 = _named("PyConvResNet101")
PyConvResNet152 = _named("PyConvResNet152")
PyConvHGResNet50 = _named("PyConvHGResNet50")
PyConvHGResNet101 = _named("PyConvHGResNet101")
PyConvHGResNet152 = _named("PyConvHGResNet152")
ResNet50 = _named("ResNet50")
ResNet101 = _named("ResNet101")
ResNet152 = _named("ResNet152")
PreActResNet50 = _named("PreActResNet50")
PreActResNet101 = _named("PreActResNet101")
PreActResNet152 = _named("PreActResNet152")
NLResNet50 = _named("NLResNet50")
NLResNet101 = _named("NLResNet101")
NLResNet152 = _named("NLResNet152")
SEResNet50 = _named("SEResNet50")
SEResNet101 = _named("SEResNet101")
SEResNet152 = _named("SEResNet152")
ResNeXt50 = _named("ResNeXt50")
ResNeXt101 = _named("ResNeXt101")
ResNeXt152 = _named("ResNeXt152")
