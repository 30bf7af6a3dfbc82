"""The networks that classify, as functions like those of `keras.applications`.

A general function builds a record of `keras_pyconv.architectures`; a named one
has its record fixed. `weights` defaults to None, not to "imagenet".
"""

import inspect
import re
from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import keras

from keras_pyconv.architectures import (
    INCEPTIONS,
    RECORDS,
    Architecture,
    Inception,
    VideoArchitecture,
    get_architecture,
    get_video_architecture,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.models.arguments import (
    check_arguments,
    check_keras_weights,
    clip_input,
    image_input,
    names_itself,
    sizes_of,
)
from keras_pyconv.models.keras_net import GLOBAL_POOLINGS, KerasNet
from keras_pyconv.networks import inception_trunk, top, trunk
from keras_pyconv.typing import Identifier, Shape, Tensor, Weights
from keras_pyconv.weights import load

Options = ParamSpec("Options")
Function = TypeVar("Function", bound=Callable[..., Any])
# Below it nothing is left for the valid windows of Inception's last reduction.
SMALLEST_INCEPTION = 75


def finish(
    images, outputs, name, weights, backbone_weights=None, make=keras.Model
):
    """The model from the source of `images`, its weights loaded."""
    sources = keras.utils.get_source_inputs(images)
    sources = sources[0] if len(sources) == 1 else sources
    model = make(sources, outputs, name=name)
    if weights is not None:
        load(model, weights)
    if backbone_weights is not None:
        load(model, backbone_weights, part="backbone")
    return model


def _classify(net, x, include_top, pooling, classes, activation, dropout):
    """The classifier, or global pooling, or neither, after a feature map."""
    if include_top:
        return top(net, x, int(classes), dropout, activation)
    if pooling is None:
        return x
    layer = GLOBAL_POOLINGS[pooling][net.rank]
    return layer(name=f"{pooling}_pool")(x)


def _help_of(function):
    """Summary, arguments by name and last sections of a docstring."""
    summary, _, rest = inspect.getdoc(function).partition("\n\nArgs:\n")
    arguments, _, sections = rest.partition("\n\n")
    entries = re.split(r"^    (?=\w+: )", arguments, flags=re.MULTILINE)[1:]
    return summary, {e.split(":")[0]: e.rstrip() for e in entries}, sections


def complete_help(function: Function, like) -> Function:
    """Adds to a docstring what that of `like` says and it does not."""
    summary, own, sections = _help_of(function)
    _, others, others_sections = _help_of(like)
    names = inspect.signature(function).parameters
    entries = [own.get(name) or others[name] for name in names]
    arguments = "\n    ".join(["Args:", *entries])
    sections = sections or others_sections
    function.__doc__ = "\n\n".join([summary, arguments, sections])
    return function


def _helped_by(like) -> Callable[[Function], Function]:
    return lambda function: complete_help(function, like)


@names_itself
def build_classifier(
    architecture: Architecture | str,
    include_top: bool = True,
    weights: Weights | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classes: int = 1000,
    classifier_activation: Identifier | None = "softmax",
    name: str | None = None,
    output_stride: int | None = None,
    dropout: float = 0.0,
) -> keras.Model:
    """Builds the network of a record (paper, Tables 1 to 3).

    Args:
        architecture: An `Architecture`, or the name of a row of
            `ARCHITECTURES`.
        include_top: Whether to end with global average pooling, dropout and
            the linear classifier.
        weights: None for the authors' random initialization; `"imagenet"`
            or `"imagenet_cutmix"` for published weights, if there are any
            (`keras_pyconv.weights.published_sets`); or the path of a file:
            Keras (`.weights.h5`, `.keras`), or PyTorch and arrays with the
            authors' names (`.pth`, `.pt`, `.npz`, `.safetensors`).
            Published weights work with any `classes`, with a new
            classifier, and with any number of channels
            (`keras_pyconv.weights.adapt_stem`).
        input_tensor: Keras tensor to use as the input.
        input_shape: Shape of an image without the batch: any number of
            channels; any size, None for sizes that vary. The default is
            `(224, 224, 3)`, and `(None, None, 3)` without the top; with
            `"channels_first"` images the channels come first.
        pooling: What follows the last feature map when `include_top=False`:
            None for the map itself, `"avg"` or `"max"` for global pooling.
        classes: Number of classes, when `include_top=True`.
        classifier_activation: Activation of the classifier; None returns
            logits.
        name: Name of the model; by default the record's, in lower case.
        output_stride: Ratio of input size to output size: 32, or 16 or 8
            for dense prediction, for which the last stages dilate instead
            of striding (the authors' rule for segmentation). The default is
            the record's `total_stride`: 32 in every row of `ARCHITECTURES`.
        dropout: Rate of the dropout before the classifier.

    Returns:
        A `keras.Model` from images, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to probabilities `(batch, classes)`.
        Under a mixed precision policy these stay float32.

    Raises:
        ValueError: if an argument is not valid.
    """
    row = get_architecture(architecture)
    ending = include_top, pooling, classes, classifier_activation, dropout
    check_arguments(*ending, weights, name, row.name)
    images = image_input(input_tensor, input_shape, include_top)
    _check_non_local(images, row)
    net = KerasNet()
    x = trunk(net, images, row, output_stride=output_stride)[-1]
    outputs = _classify(net, x, *ending)
    return finish(images, outputs, name or row.name.lower(), weights)


def _check_non_local(images, row):
    """Refuses images whose last map a non-local block could not pool."""
    least = row.total_stride + 1
    sizes = [size for size in sizes_of(images) if size]
    if row.non_local and any(size < least for size in sizes):
        raise ValueError(
            f"{row.name} needs images of at least {least} x {least} "
            "pixels: its non-local blocks halve every map. Received: "
            f"`input_shape`={tuple(images.shape[1:])}"
        )


@names_itself
@_helped_by(build_classifier)
def build_video_classifier(
    architecture: VideoArchitecture | str,
    include_top: bool = True,
    weights: Weights | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classes: int = 400,
    classifier_activation: Identifier | None = "softmax",
    name: str | None = None,
    dropout: float | None = None,
) -> keras.Model:
    """Builds the video network of a record (supplement, Tables 2 and 3).

    Args:
        architecture: A `VideoArchitecture`, or the name of a row of
            `VIDEO_ARCHITECTURES`.
        weights: None for the authors' random initialization, or the path of
            a file: Keras (`.weights.h5`, `.keras`), or PyTorch and arrays
            (`.pth`, `.pt`, `.npz`, `.safetensors`) with the names of the
            authors' image networks.
        input_shape: Shape of a clip without the batch: any number of
            channels; any number of frames and size, None for what varies.
            The default is `(16, 224, 224, 3)`, and `(None, None, None, 3)`
            without the top; with `"channels_first"` images the channels
            come first.
        dropout: Rate of the dropout before the classifier. The default is
            the record's: 0.5 in every row of `VIDEO_ARCHITECTURES`.

    Returns:
        A `keras.Model` from clips, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to probabilities `(batch, classes)`.
        Under a mixed precision policy these stay float32.

    Raises:
        ValueError: if an argument is not valid.
    """
    row = get_video_architecture(architecture)
    dropout = row.dropout if dropout is None else dropout
    ending = include_top, pooling, classes, classifier_activation, dropout
    check_arguments(*ending, weights, name, row.name)
    clips = clip_input(input_tensor, input_shape, include_top)
    net = KerasNet(rank=3)
    outputs = _classify(net, trunk(net, clips, row)[-1], *ending)
    return finish(clips, outputs, name or row.name.lower(), weights)


@names_itself
@_helped_by(build_classifier)
def build_inception(
    architecture: Inception | str,
    include_top: bool = True,
    weights: Weights | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    pooling: Literal["avg", "max"] | None = None,
    classes: int = 1000,
    classifier_activation: Identifier | None = "softmax",
    name: str | None = None,
    dropout: float = 0.0,
) -> keras.Model:
    """Builds the network of an Inception record (supplement, Table 5).

    Args:
        architecture: An `Inception` record, or the name of a row of
            `INCEPTIONS`.
        weights: None for random initialization, or the path of a Keras file
            (`.weights.h5`, `.keras`). For the InceptionResNetV2 weights of
            `keras.applications`, see `keras_pyconv.weights.load`.
        input_shape: Shape of an image without the batch: any number of
            channels; sizes from 75 pixels, None for sizes that vary. The
            default is `(299, 299, 3)`, and `(None, None, 3)` without the
            top; with `"channels_first"` images the channels come first.

    Returns:
        A `keras.Model` from images, RGB, to probabilities
        `(batch, classes)`. Weights of `keras.applications` expect pixels in
        [-1, 1]. Under a mixed precision policy probabilities stay float32.

    Raises:
        ValueError: if an argument is not valid.
    """
    row = find("architecture", architecture, Inception, INCEPTIONS)
    ending = include_top, pooling, classes, classifier_activation, dropout
    check_arguments(*ending, weights, name, row.name)
    check_keras_weights(weights, "Inception networks")
    images = image_input(input_tensor, input_shape, include_top, row.input_size)
    _check_inception(images)
    net = KerasNet()
    outputs = _classify(net, inception_trunk(net, images, row), *ending)
    return finish(images, outputs, name or row.name.lower(), weights)


def _check_inception(images):
    least, sizes = SMALLEST_INCEPTION, sizes_of(images)
    if any(size is not None and size < least for size in sizes):
        raise ValueError(
            f"Inception networks need images of at least {least} x {least} "
            f"pixels. Received: {sizes[0]} x {sizes[1]}"
        )


BUILDERS = {
    Architecture: build_classifier,
    Inception: build_inception,
    VideoArchitecture: build_video_classifier,
}


def _named(
    build: Callable[Concatenate[Any, Options], keras.Model],
    name: str,
    remark: str = "",
) -> Callable[Options, keras.Model]:
    """The general function with its record fixed, and a help to match."""
    record = RECORDS[name]

    def builder(*args: Options.args, **kwargs: Options.kwargs) -> keras.Model:
        return build(record, *args, **kwargs)

    signature = inspect.signature(build)
    _, *parameters = signature.parameters.values()
    parameters = [
        p.replace(default=name.lower()) if p.name == "name" else p
        for p in parameters
    ]
    signature = signature.replace(parameters=parameters)
    vars(builder)["__signature__"] = signature
    builder.__name__ = builder.__qualname__ = name
    builder.__doc__ = f"{name} (paper, {record.source}).{remark}"
    return names_itself(complete_help(builder, build))


PyConvResNet18 = _named(build_classifier, "PyConvResNet18")
PyConvResNet34 = _named(build_classifier, "PyConvResNet34")
PyConvResNet50 = _named(build_classifier, "PyConvResNet50")
PyConvResNet101 = _named(build_classifier, "PyConvResNet101")
PyConvResNet152 = _named(build_classifier, "PyConvResNet152")
PyConvHGResNet50 = _named(build_classifier, "PyConvHGResNet50")
PyConvHGResNet101 = _named(build_classifier, "PyConvHGResNet101")
PyConvHGResNet152 = _named(build_classifier, "PyConvHGResNet152")
ResNet50 = _named(build_classifier, "ResNet50")
ResNet101 = _named(build_classifier, "ResNet101")
ResNet152 = _named(build_classifier, "ResNet152")
PreActResNet50 = _named(build_classifier, "PreActResNet50")
PreActResNet101 = _named(build_classifier, "PreActResNet101")
PreActResNet152 = _named(build_classifier, "PreActResNet152")
NLResNet50 = _named(build_classifier, "NLResNet50")
NLResNet101 = _named(build_classifier, "NLResNet101")
NLResNet152 = _named(build_classifier, "NLResNet152")
SEResNet50 = _named(build_classifier, "SEResNet50")
SEResNet101 = _named(build_classifier, "SEResNet101")
SEResNet152 = _named(build_classifier, "SEResNet152")
ResNeXt50 = _named(build_classifier, "ResNeXt50")
ResNeXt101 = _named(build_classifier, "ResNeXt101")
ResNeXt152 = _named(build_classifier, "ResNeXt152")
PyConvResNet3D50 = _named(build_video_classifier, "PyConvResNet3D50")
PyConvResNet3D101 = _named(build_video_classifier, "PyConvResNet3D101")
PyConvResNet3D152 = _named(build_video_classifier, "PyConvResNet3D152")
ResNet3D50 = _named(build_video_classifier, "ResNet3D50")
ResNet3D101 = _named(build_video_classifier, "ResNet3D101")
ResNet3D152 = _named(build_video_classifier, "ResNet3D152")
InceptionResNetV2 = _named(
    build_inception,
    "InceptionResNetV2",
    """

Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning (https://arxiv.org/abs/1602.07261). The network of
`keras.applications`, its normalizations with a learned scale as well.""",
)
PyConvInceptionResNetV2 = _named(
    build_inception,
    "PyConvInceptionResNetV2",
    """

This network is our reconstruction, for the paper does not say how PyConv
blocks replace Inception blocks. Stem, reductions and numbers of blocks are
those of Inception-ResNet-v2; each residual block is 1x1, PyConv, 1x1, of
96, 256 and 192 filters with 4, 4 and 3 levels. It has 43.43 M parameters
where the paper prints 43.48 M, and the printed 11.92 G operations.
`build_inception("PyConvInceptionResNetV2Branch")` is another candidate, with
a 1x1 branch beside each PyConv and with both printed figures.""",
)
