"""PyConvSegNet and its rivals (paper, section 5; supplement, Table 6).

A dilated backbone, a head on its last stage, a classifier on the small map,
and only then the enlargement to the image's size; an auxiliary head on the
stage before works in training alone.

The facts a reader would get wrong: all resizing keeps the corner pixels in
place; the global branch pools to 9 x 9 bins whatever the image's shape; and the
layers of the heads start as PyTorch starts them, not as the backbone's do.
"""

import keras
from keras import layers

from keras_pyconv.architectures import (
    AtrousHead,
    ParsingHead,
    PoolingHead,
    get_segmenter,
    make_segmenter,
)
from keras_pyconv.architectures.levels import split
from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.layers.resizing import (
    AdaptiveAveragePooling,
    AlignedResizing,
)
from keras_pyconv.models.arguments import (
    check_arguments,
    image_input,
)
from keras_pyconv.models.auxiliary import AuxiliaryModel
from keras_pyconv.models.blocks import activate, channel_axis, normalize
from keras_pyconv.models.classifier import load
from keras_pyconv.models.features import features
from keras_pyconv.models.resnet import build_classifier


def _uniform():
    """Uniform within 1 / sqrt(fan in), as PyTorch starts a convolution."""
    return keras.initializers.VarianceScaling(
        1 / 3, mode="fan_in", distribution="uniform"
    )


def _conv(x, filters, kernels=(1,), groups=1, dilation_rate=1, *, name):
    """Convolution without bias, batch normalization, ReLU."""
    kind = "pyconv" if len(kernels) > 1 else "conv"
    x = PyConv(
        filters,
        kernels,
        groups=groups,
        dilation_rate=dilation_rate,
        use_bias=False,
        kernel_initializer=_uniform(),
        name=f"{name}_{kind}",
    )(x)
    return activate(normalize(x, name=name), name=f"{name}_relu")


def _concatenate(maps, *, name):
    return layers.Concatenate(axis=channel_axis(), name=name)(maps)


def _context(x, head, *, name):
    """1x1, PyConv, 1x1."""
    x = _conv(x, head.width, name=f"{name}_1")
    x = _conv(
        x,
        split(head.width, head.levels),
        tuple(level.kernel for level in head.levels),
        tuple(level.groups for level in head.levels),
        name=f"{name}_2",
    )
    return _conv(x, head.width, name=f"{name}_3")


def parsing_head(x, head):
    """Local and global context, merged by a 3x3 (paper, Figure 5)."""
    local = _context(x, head, name="local")
    y = AdaptiveAveragePooling(head.bins, name="global_pool")(x)
    y = _context(y, head, name="global")
    y = AlignedResizing(name="global_resize")(y, like=x)
    x = _concatenate([local, y], name="merge_concat")
    return _conv(x, head.merged_width, (3,), name="merge")


def pooling_head(x, head):
    """The map beside its averages over bins, then a 3x3 (PSPNet)."""
    maps = [x]
    for bins in head.bins:
        name = f"bins{bins}"
        y = AdaptiveAveragePooling(bins, name=f"{name}_pool")(x)
        y = _conv(y, head.width, name=name)
        maps.append(AlignedResizing(name=f"{name}_resize")(y, like=x))
    if head.bins:
        x = _concatenate(maps, name="merge_concat")
    return _conv(x, head.width, (3,), name="merge")


def atrous_head(x, head):
    """A 1x1, dilated 3x3s and an image average, then a 1x1 (ASPP)."""
    maps = [_conv(x, head.width, name="branch1")]
    for number, rate in enumerate(head.rates, 2):
        name = f"branch{number}"
        maps.append(_conv(x, head.width, (3,), dilation_rate=rate, name=name))
    y = AdaptiveAveragePooling(1, name="image_pool")(x)
    y = _conv(y, head.width, name="image")
    maps.append(AlignedResizing(name="image_resize")(y, like=x))
    x = _concatenate(maps, name="merge_concat")
    return _conv(x, head.width, name="merge")


HEAD_BUILDERS = {
    ParsingHead: parsing_head,
    PoolingHead: pooling_head,
    AtrousHead: atrous_head,
}


def _classify(x, images, classes, dropout, *, name, output):
    """Dropout of channels, 1x1 with bias, enlargement to the images' size."""
    if dropout:
        x = layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(x)
    bound = x.shape[channel_axis()] ** -0.5
    # Under a mixed policy logits have the variables' precision.
    precise = keras.config.dtype_policy().variable_dtype
    x = PyConv(
        int(classes),
        (1,),
        kernel_initializer=_uniform(),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        dtype=precise,
        name=f"{name}_conv",
    )(x)
    return AlignedResizing(dtype=precise, name=output)(x, like=images)


def _outputs(row, images, classes, auxiliary):
    """Logits by name."""
    backbone = build_classifier(
        row.backbone,
        include_top=False,
        input_tensor=images,
        output_stride=row.output_stride,
    )
    *_, before, last = [feature.output for feature in features(backbone)]
    x = HEAD_BUILDERS[type(row.head)](last, row.head)
    options = (images, classes, row.dropout)
    outputs = {
        "logits": _classify(x, *options, name="classifier", output="logits")
    }
    if auxiliary:
        y = _conv(before, row.auxiliary_width, (3,), name="auxiliary_1")
        outputs["aux_logits"] = _classify(
            y, *options, name="auxiliary_2", output="aux_logits"
        )
    return outputs


def build_segmenter(
    segmenter,
    weights=None,
    classes=150,
    input_shape=None,
    auxiliary=True,
    input_tensor=None,
    name=None,
):
    """Builds the segmentation network of a record.

    Args:
        segmenter: A `Segmenter`, or the name of a row of `SEGMENTERS`, such
            as `"PyConvSegNetPyConvResNet50"`.
        weights: As in `PyConvSegNet`.
        classes: As in `PyConvSegNet`.
        input_shape: As in `PyConvSegNet`.
        auxiliary: As in `PyConvSegNet`.
        input_tensor: Keras tensor to use as the images.
        name: Name of the model; by default the record's, in lower case.

    Returns:
        As `PyConvSegNet`.

    Raises:
        ValueError: if an argument is none of the above.
    """
    row = get_segmenter(segmenter)
    check_arguments(True, weights, None, classes, None, row.dropout, row.name)
    images = image_input(input_tensor, input_shape, include_top=False)
    outputs = _outputs(row, images, classes, auxiliary)
    name = name or row.name.lower()
    sources = keras.utils.get_source_inputs(images)
    sources = sources[0] if len(sources) == 1 else sources
    if auxiliary:
        model = AuxiliaryModel(sources, outputs, name=name)
    else:
        model = keras.Model(sources, outputs["logits"], name=name)
    return load(model, weights, row.name)


def PyConvSegNet(
    backbone="PyConvResNet50",
    weights=None,
    classes=150,
    input_shape=None,
    output_stride=8,
    head="pyconv",
    auxiliary=True,
    dropout=0.1,
    input_tensor=None,
    name=None,
    head_width=None,
):
    """Builds PyConvSegNet, or a rival of the same backbone.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 5 and Table 4; supplement, Table 6.

    Args:
        backbone: Name of a row of `ARCHITECTURES`, such as `"ResNet50"`, or
            an `Architecture`.
        weights: None for random ones; `"ade20k"` for those that the authors
            publish, where they do; or the path of a file of Keras
            (`.weights.h5`, `.keras`) or of the authors' framework (`.npz`,
            `.safetensors`, `.pth`, `.pt`). For a classifier's weights in the
            backbone see `keras_pyconv.models.load_backbone`.
        classes: Number of classes.
        input_shape: Shape of an image without the batch; the default is
            `(None, None, 3)`, any size. The authors train at 473 x 473.
        output_stride: Image size over the size of the last map: 8 or 16.
        head: `"pyconv"`, `"ppm"` of PSPNet, `"aspp"` of DeepLabv3, `"conv"`
            of the baseline, or a record of `keras_pyconv.architectures`.
        auxiliary: Whether there is an auxiliary head, for training.
        dropout: Rate, of whole channels, before the classifiers.
        input_tensor: Keras tensor to use as the images.
        name: Name of the model; by default made of the head's and the
            backbone's.
        head_width: Filters of a narrower head, for small backbones, as the
            recipe's `--head-width`; a multiple of 64 for `"pyconv"`. The
            default is the paper's, 512, or 256 for `"aspp"`.

    Returns:
        A `keras.Model` from images, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to logits
        `(batch, height, width, classes)` at the images' size, also float32
        under a mixed precision policy. With `auxiliary=True` it is an
        `AuxiliaryModel`: with `training=True`, as in `fit`, it gives
        `{"logits": ..., "aux_logits": ...}`.

    Raises:
        ValueError: if an argument is none of the above.

    Example:

    >>> model = keras_pyconv.PyConvSegNet("ResNet50", classes=21)
    >>> logits = model(np.zeros((1, 65, 97, 3), "float32"))
    >>> print(logits.shape)
    (1, 65, 97, 21)
    """
    check_arguments(True, None, None, classes, None, dropout)
    row = make_segmenter(
        backbone, head, output_stride, float(dropout), head_width=head_width
    )
    return build_segmenter(
        row, weights, classes, input_shape, auxiliary, input_tensor, name
    )
