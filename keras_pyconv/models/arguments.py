"""The `keras.applications` arguments of a network, checked and made ready.

Names, order and defaults are those of Keras, but for `weights`, which is None
by default. Any number of channels and any size, also unknown, are fine.
"""

import functools
import inspect
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import keras

from keras_pyconv import arguments
from keras_pyconv.models.keras_net import channel_axis
from keras_pyconv.reading import check_file, nearest, short
from keras_pyconv.weights import get_published, published_sets
from keras_pyconv.weights.keras_files import ENDINGS
from keras_pyconv.weights.loading import is_published, is_torch_file
from keras_pyconv.weights.torch_files import TORCH_FILES

DEFAULT_SIZE = 224
DEFAULT_CLIP = (16, DEFAULT_SIZE, DEFAULT_SIZE)
IMAGE_SIZES = ("height", "width")
CLIP_SIZES = ("frames", "height", "width")
Options = ParamSpec("Options")
Result = TypeVar("Result")


def names_itself(
    function: Callable[Options, Result],
) -> Callable[Options, Result]:
    """A call that does not fit names the function, and the nearest argument."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args: Options.args, **kwargs: Options.kwargs) -> Result:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            unknown = [n for n in kwargs if n not in signature.parameters]
            near = "".join(nearest(n, signature.parameters) for n in unknown)
            told = f"{function.__name__} {error}.{near}"
            raise TypeError(told) from None
        return function(*args, **kwargs)

    return called


def check_arguments(
    include_top,
    pooling,
    classes,
    activation,
    dropout,
    weights,
    name,
    variant=None,
):
    """Refuses what no network, a `variant` by its record, can be made from."""
    arguments.flag("include_top", include_top)
    arguments.one_of("pooling", pooling, (None, "avg", "max"))
    if include_top or classes is not None:
        arguments.integer("classes", classes)
    arguments.of_keras("classifier_activation", activation)
    arguments.rate("dropout", dropout)
    arguments.layer_name("name", name)
    check_weights(weights, variant)


def check_weights(weights, variant=None, argument="weights"):
    """Refuses what is no None, no published set of `variant` and no file."""
    if weights is None:
        return
    if is_published(weights):
        get_published(variant or "this network", weights)
        return
    names = published_sets(variant)
    known = f", one of {', '.join(map(repr, names))}," if names else ""
    good = isinstance(weights, (str, os.PathLike))
    rule = f"None{known} or the path of a file"
    arguments.check(argument, weights, good, rule)
    try:
        check_file(weights)
    except OSError as error:
        lost = isinstance(error, FileNotFoundError)
        lost = lost and not os.path.islink(weights)
        cause = "There is no such file:" if lost else f"{error} Received:"
        near = nearest(weights, names)
        none = "" if names else "; no weights are published for this network"
        raise ValueError(
            f"`{argument}` must be None (random initialization){known} or the "
            "path of an existing file (.weights.h5, .keras, "
            f"{', '.join(TORCH_FILES)}){none}. "
            f"{cause} {argument}={short(os.fspath(weights))}"
            f"{'.' * bool(near)}{near}"
        ) from None
    if not os.fspath(weights).lower().endswith((*ENDINGS, *TORCH_FILES)):
        raise ValueError(
            f"The name of the file in `{argument}` must end in one of "
            f"{', '.join((*ENDINGS, *TORCH_FILES))}. "
            f"Received: {argument}={short(os.fspath(weights))}"
        )


def check_keras_weights(weights, networks, hint=""):
    """Refuses PyTorch's files for networks that have no names there."""
    if weights is not None and is_torch_file(weights):
        raise ValueError(
            f"{networks} load no checkpoints of PyTorch: `weights` must be "
            f"None or a file of Keras (.weights.h5, .keras){hint}. "
            f"Received: weights={os.fspath(weights)!r}"
        )


def check_backbone_weights(weights, variant):
    """Refuses what is no classifier, and none of `check_weights`."""
    if not isinstance(weights, keras.Model):
        check_weights(weights, variant, "backbone_weights")


def check_input_shape(input_shape, sizes=IMAGE_SIZES):
    """`input_shape` as a tuple; `sizes` names its axes but the channels."""
    shape = arguments.plain(input_shape)
    shape = shape if isinstance(shape, tuple) else ()
    last = channel_axis() == -1
    names = (*sizes, "channels") if last else ("channels", *sizes)
    axes = f"({', '.join(names)})"
    good, rule = len(shape) == len(names), f"{axes}, without the batch"
    arguments.check("input_shape", input_shape, good, rule)
    good = arguments.is_integer(shape[-1 if last else 0]) and all(
        size is None or arguments.is_integer(size)
        for size in _without_channels(shape)
    )
    rule = f"{axes}: sizes None or at least 1, channels a positive integer"
    arguments.check("input_shape", input_shape, good, rule)
    return tuple(size if size is None else int(size) for size in shape)


def sizes_of(images):
    """The sizes of Keras tensors, None where they are not known."""
    return _without_channels(images.shape[1:])


def _without_channels(shape):
    return shape[:-1] if channel_axis() == -1 else shape[1:]


def image_input(input_tensor, input_shape, include_top, size=DEFAULT_SIZE):
    """The Keras tensor that enters a network of images."""
    default = (size, size) if include_top else (None, None)
    return _input(input_tensor, input_shape, default, IMAGE_SIZES)


def clip_input(input_tensor, input_shape, include_top):
    """The Keras tensor that enters a network of clips."""
    default = DEFAULT_CLIP if include_top else (None, None, None)
    return _input(input_tensor, input_shape, default, CLIP_SIZES)


def _input(input_tensor, input_shape, default, sizes):
    if input_tensor is None:
        last = channel_axis() == -1
        shape = (*default, 3) if last else (3, *default)
        shape = shape if input_shape is None else input_shape
        return keras.layers.Input(check_input_shape(shape, sizes))
    good = isinstance(input_tensor, keras.KerasTensor)
    rule = "a Keras tensor, such as the output of `keras.Input`"
    arguments.check("input_tensor", input_tensor, good, rule)
    good = len(input_tensor.shape) == len(sizes) + 2
    rule = f"of the axes batch, {', '.join(sizes)} and channels"
    arguments.check("input_tensor", input_tensor, good, rule)
    shape = check_input_shape(input_tensor.shape[1:], sizes)
    if input_shape is None:
        return input_tensor
    if check_input_shape(input_shape, sizes) != shape:
        raise ValueError(
            f"`input_tensor` has shape {shape} without the batch, and "
            f"`input_shape` says otherwise. Received: {input_shape!r}"
        )
    return input_tensor
