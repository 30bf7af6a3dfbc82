"""PyConvSegNet and its rivals (paper, section 5; supplement, Table 6)."""

import keras

from keras_pyconv.architectures import (
    Architecture,
    Head,
    Segmenter,
    get_segmenter,
    make_segmenter,
)
from keras_pyconv.arguments import flag
from keras_pyconv.models.arguments import (
    check_arguments,
    check_backbone_weights,
    image_input,
    names_itself,
)
from keras_pyconv.models.auxiliary import AuxiliaryModel
from keras_pyconv.models.classifiers import complete_help, finish
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks import segmenter as described
from keras_pyconv.typing import Shape, Tensor, Weights


@names_itself
def build_segmenter(
    segmenter: Segmenter | str,
    weights: Weights | None = None,
    classes: int = 150,
    input_shape: Shape | None = None,
    auxiliary: bool = True,
    input_tensor: Tensor | None = None,
    name: str | None = None,
    backbone_weights: Weights | keras.Model | None = None,
) -> keras.Model:
    """Builds the segmentation network of a record.

    Args:
        segmenter: A `Segmenter`, or the name of a row of `SEGMENTERS`, such
            as `"PyConvSegNetPyConvResNet50"`.
        name: Name of the model; by default the record's, in lower case.
    """
    row = get_segmenter(segmenter)
    check_backbone_weights(backbone_weights, row.backbone.name)
    ending = True, None, classes, None, row.dropout
    check_arguments(*ending, weights, name, row.name)
    flag("auxiliary", auxiliary)
    images = image_input(input_tensor, input_shape, include_top=False)
    outputs = described(KerasNet(), images, row, int(classes), auxiliary)
    make = AuxiliaryModel
    if not auxiliary:
        make, outputs = keras.Model, outputs["logits"]
    name = name or row.name.lower()
    return finish(images, outputs, name, weights, backbone_weights, make)


@names_itself
def PyConvSegNet(
    backbone: Architecture | str = "PyConvResNet50",
    weights: Weights | None = None,
    classes: int = 150,
    input_shape: Shape | None = None,
    output_stride: int = 8,
    head: Head | str = "pyconv",
    auxiliary: bool = True,
    dropout: float = 0.1,
    input_tensor: Tensor | None = None,
    name: str | None = None,
    head_width: int | None = None,
    backbone_weights: Weights | keras.Model | None = None,
) -> keras.Model:
    """Builds PyConvSegNet, or another segmentation network on its backbone.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 5 and Table 4; supplement, Table 6.

    Args:
        backbone: Name of a row of `ARCHITECTURES`, such as `"ResNet50"`, or
            an `Architecture`.
        weights: None for random weights; `"ade20k"` for published weights,
            if there are any; or the path of a file: Keras (`.weights.h5`,
            `.keras`), or PyTorch and arrays with the authors' names (`.pth`,
            `.pt`, `.npz`, `.safetensors`).
        classes: Number of classes.
        input_shape: Shape of an image without the batch; the default is
            `(None, None, 3)`, any size. The authors train at 473 x 473.
        output_stride: Ratio of image size to backbone output size: 8 or 16.
        head: `"pyconv"`, `"ppm"` (PSPNet), `"aspp"` (DeepLabv3), `"conv"`
            (baseline), or a record of `keras_pyconv.architectures`.
        auxiliary: Whether to add an auxiliary head, for training.
        dropout: Rate of the channel dropout before the classifiers.
        input_tensor: Keras tensor to use as the images.
        name: Name of the model; by default made of the head's and the
            backbone's.
        head_width: Filters of a narrower head, for small backbones, as the
            recipe's `--head-width`; a multiple of 64 for `"pyconv"`. The
            default is the paper's, 512, or 256 for `"aspp"`.
        backbone_weights: None; or a classifier with this backbone, the path
            of its weights file, or the name of published weights, such as
            `"imagenet"`.

    Returns:
        A `keras.Model` from images, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to logits
        `(batch, height, width, classes)` at the images' size, also float32
        under a mixed precision policy. With `auxiliary=True` it is an
        `AuxiliaryModel`: with `training=True`, as in `fit`, it gives
        `{"logits": ..., "aux_logits": ...}`.

    Raises:
        ValueError: if an argument is not valid.

    Example:

    >>> model = keras_pyconv.PyConvSegNet("ResNet50", classes=21)
    >>> logits = model(np.zeros((1, 65, 97, 3), "float32"))
    >>> print(logits.shape)
    (1, 65, 97, 21)
    """
    check_arguments(True, None, classes, None, dropout, None, name)
    row = make_segmenter(
        backbone, head, output_stride, float(dropout), head_width=head_width
    )
    return build_segmenter(
        row,
        weights,
        classes,
        input_shape,
        auxiliary,
        input_tensor,
        name,
        backbone_weights,
    )


complete_help(build_segmenter, PyConvSegNet)
