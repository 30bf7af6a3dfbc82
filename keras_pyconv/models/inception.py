"""Inception-ResNet-v2, and PyConv in its place (supplement, section 5).

One function goes from a record of `architectures.inception` to a
`keras.Model`.

PyConvInception is our reconstruction. The
paper prints what it costs and how well it does, and not what it is.
"""

import os

from keras_pyconv.architectures import INCEPTIONS, Inception
from keras_pyconv.architectures.lookup import find
from keras_pyconv.models.arguments import (
    check_arguments,
    image_input,
)
from keras_pyconv.models.classifier import finish, named_builder, pool
from keras_pyconv.models.keras_net import KerasNet, channel_axis
from keras_pyconv.networks import inception_trunk, top
from keras_pyconv.weights.loading import is_torch_file

# Below it nothing is left for the last reduction's valid windows.
SMALLEST_SIZE = 75


def _check_weights(weights):
    if weights is not None and is_torch_file(weights):
        raise ValueError(
            "Inception networks load no checkpoints of PyTorch: "
            "`weights` must be None or a file of Keras (.weights.h5, .keras). "
            f"Received: weights={os.fspath(weights)!r}"
        )


def _check_size(images):
    sizes = [*images.shape[1:]]
    sizes.pop(channel_axis() % 4 - 1)
    if any(size is not None and size < SMALLEST_SIZE for size in sizes):
        raise ValueError(
            f"Inception networks need images of at least {SMALLEST_SIZE} x "
            f"{SMALLEST_SIZE} pixels. Received: {sizes[0]} x {sizes[1]}"
        )


def build_inception(
    architecture,
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name=None,
    dropout=0.0,
):
    """Builds the network of an Inception record (supplement, Table 5).

    Args:
        architecture: An `Inception` record, or the name of a row of
            `INCEPTIONS`.
        include_top: Whether to end with global average pooling and the
            linear classifier.
        weights: None for random initialization, or the path of a file of
            Keras (`.weights.h5`, `.keras`) and no other. For the weights that
            `keras.applications` publishes for InceptionResNetV2 see
            `keras_pyconv.weights.load`.
        input_tensor: Keras tensor to use as the images.
        input_shape: Shape of an image without the batch: any number of
            channels; sizes from 75 pixels, None for sizes that vary. The
            default is `(299, 299, 3)`, and `(None, None, 3)` without the
            top; with `"channels_first"` images the channels come first.
        pooling: What follows the last feature map when
            `include_top=False`: None for its 4-D output, `"avg"` or `"max"`
            for global pooling.
        classes: Number of classes, when `include_top=True`.
        classifier_activation: Activation of the classifier; None returns
            logits.
        name: Name of the model; by default the record's, in lower case.
        dropout: Rate of the dropout before the classifier.

    Returns:
        A `keras.Model` from images, RGB, to probabilities
        `(batch, classes)`. Weights of `keras.applications` expect pixels in
        [-1, 1]. Under a mixed precision policy probabilities stay float32.

    Raises:
        ValueError: if an argument is none of the above.
    """
    architecture = find("architecture", architecture, Inception, INCEPTIONS)
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
    _check_weights(weights)
    images = image_input(
        input_tensor, input_shape, include_top, architecture.input_size
    )
    _check_size(images)
    net = KerasNet()
    x = inception_trunk(net, images, architecture)
    if include_top:
        x = top(net, x, int(classes), dropout, classifier_activation)
    else:
        x = pool(x, pooling)
    return finish(images, x, name or architecture.name.lower(), weights)


def _named(row, remark):
    """The builder of one row: `build_inception` with its record fixed."""
    summary = f"{row} (paper, {INCEPTIONS[row].source}).\n\n{remark}"
    return named_builder(build_inception, row, summary)


InceptionResNetV2 = _named(
    "InceptionResNetV2",
    """Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning (https://arxiv.org/abs/1602.07261). The network of
`keras.applications`, its normalizations with a learned scale as well.""",
)
PyConvInceptionResNetV2 = _named(
    "PyConvInceptionResNetV2",
    """This network is our reconstruction, for the paper does not say how PyConv
blocks replace Inception blocks. Stem, reductions and numbers of blocks are
those of Inception-ResNet-v2; each residual block is 1x1, PyConv, 1x1, of
96, 256 and 192 filters with 4, 4 and 3 levels. It has 43.43 M parameters
where the paper prints 43.48 M, and the printed 11.92 G operations.
`build_inception("PyConvInceptionResNetV2Branch")` is another candidate, with
a 1x1 branch beside each PyConv and with both printed figures.""",
)
