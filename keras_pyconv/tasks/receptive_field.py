"""How far a unit of a network sees: by arithmetic, and by its gradient.

The pixels that move a unit are fewer than those that can reach it (Luo et al.,
arXiv:1701.04128). A gradient that is zero by structure and one that is merely
small both look black; `share_outside` tells them apart.
"""

import difflib
import re

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.models import Feature, features


def stages(model: keras.Model) -> list[Feature]:
    """What `features` finds; nothing in a network without such layers."""
    try:
        return features(model)
    except ValueError:
        return []


def data_format(model: keras.Model) -> str:
    """That of the first layer that has one."""
    for layer in model.layers:
        if hasattr(layer, "data_format"):
            return layer.data_format
    return keras.config.image_data_format()


def _target(model, stage):
    """Output of a stage or of a layer, and the stage's stride or None."""
    found = stages(model)
    for feature in found:
        if isinstance(stage, str) and feature.name == stage:
            return feature.output, feature.stride
    names = [layer.name for layer in model.layers]
    if not isinstance(stage, str) or stage not in names:
        known = [feature.name for feature in found]
        known += difflib.get_close_matches(str(stage), names) or names[-1:]
        raise ValueError(
            f"Unknown `stage` or layer {arguments.shown(stage)} of "
            f"{model.name!r}. Known: {', '.join(known)}, and the model's "
            "other layers."
        )
    output = model.get_layer(stage).output
    if len(getattr(output, "shape", ())) != 4:
        raise ValueError(
            f"Layer {stage!r} of {model.name!r} does not return a single "
            "feature map with four axes, so it has no central unit."
        )
    return output, None


def _windows(model):
    """Stage, kernel, dilation and stride of all windows but of shortcuts."""
    for layer in model.layers:
        name = re.fullmatch(
            r"conv(\d+)(_block(\d+)_([123]))?_(py)?conv", layer.name
        )
        if name:
            place = [int(name[group] or 0) for group in (1, 3, 4)]
            levels = getattr(layer, "levels", None)
            kernels = [level.kernel_size for level in levels or [layer]]
            side = max(size for kernel in kernels for size in kernel)
            yield *place, side, layer.dilation_rate[0], layer.strides[0]
        elif layer.name == "pool1_pool":
            yield 1, 1, 0, layer.pool_size[0], 1, layer.strides[0]


def theoretical_receptive_field(model: keras.Model, stage: str) -> int:
    """Side of the square of pixels that can reach one unit of a stage.

    The sum over all windows before the unit, `1 + sum (kernel - 1) *
    dilation * strides before it`; of a pyramid the largest kernel counts.
    Unit `p` of a map of stride `s` stands at pixel `p * s`.

    Args:
        model: A residual network of `keras_pyconv.models`.
        stage: `"stem"`, or `"stage1"` to `"stage4"`.

    Returns:
        The side in pixels; the map's edges are not considered.

    Raises:
        ValueError: if the model has no such stage; the message lists them.

    Example:

    >>> model = keras_pyconv.ResNet50(include_top=False)
    >>> theoretical_receptive_field(model, "stage1")
    35
    """
    arguments.model("model", model)
    known = [feature.name for feature in features(model)]
    if not arguments.is_one_of(stage, known):
        raise ValueError(
            f"Unknown `stage` {arguments.shown(stage)} of {model.name!r}. "
            f"Known: {', '.join(known)}."
        )
    last = 1 + known.index(stage)
    reach, step = 0, 1
    for number, _, _, kernel, dilation, stride in sorted(_windows(model)):
        # The stem's feature stands before its pooling.
        if number > last or (stage == "stem" and step > 1):
            break
        reach += (kernel - 1) * dilation * step
        step *= stride
    return 1 + reach


def check_images(model: keras.Model, images, rank: int) -> np.ndarray:
    """`images` as float32, refused if they are not what the model takes."""
    name = "image" if rank == 3 else "images"
    given, images = images, arguments.array(name, images).astype("float32")
    wanted = tuple(model.input_shape)[-rank:]
    sizes = zip(wanted, images.shape)
    if images.ndim != rank or any(n not in (None, size) for n, size in sizes):
        what = "an image" if rank == 3 else "a batch of images"
        raise ValueError(
            f"{model.name!r} needs {what} of shape {wanted}, where None is any "
            f"size. Received: {name}={arguments.shown(given)}, shape "
            f"{images.shape}."
        )
    return images


def check_gradients(name):
    """Refuses a backend whose gradients the function of a name cannot take."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"`{name}` needs TensorFlow. Received: the backend "
            f"{keras.backend.backend()!r}; set KERAS_BACKEND=tensorflow."
        )


def effective_receptive_field(
    model: keras.Model, stage: str, images: np.ndarray
) -> np.ndarray:
    """How much each pixel moves the centre unit of a stage or layer.

    The gradient of the unit's channels, summed, with respect to the image;
    its absolute values added over the colours and averaged over the images.
    Batch normalization uses its moving statistics, as at inference.

    Args:
        model: A model of images on the TensorFlow backend.
        stage: `"stem"`, or `"stage1"` to `"stage4"`, of a residual network of
            `keras_pyconv.models`; of any model, the name of a layer whose
            output is a feature map.
        images: (N, height, width, channels) as the model takes them, or
            channels first if it does.

    Returns:
        (2 a + 1, 2 b + 1) float array of sum 1 with the unit's own pixel in
        the middle, zero where the image ends; all zero if nothing moves the
        unit. For a layer's name that pixel is a guess by the sizes of map and
        image, up to half a stride off.

    Raises:
        ValueError: if the stage or layer is unknown, or images do not fit.
        RuntimeError: on another backend than TensorFlow.

    Example:

    >>> model = keras_pyconv.PyConvResNet18(include_top=False)
    >>> images = np.random.rand(2, 128, 128, 3)
    >>> effective_receptive_field(model, "stage1", images).shape
    (129, 129)
    """
    arguments.model("model", model)
    check_gradients("effective_receptive_field")
    output, stride = _target(model, stage)
    images = check_images(model, images, rank=4)
    trunk = keras.Model(model.input, output)
    first = data_format(model) == "channels_first"
    # One image at a time: memory stays that of one.
    found = [_gradient(trunk, image[np.newaxis], first) for image in images]
    field = np.mean([gradient for gradient, _ in found], axis=0)
    # Where the unit stands: between pixels, unless the stride is known.
    centre = [
        (
            int((size // 2 + 0.5) * pixels / size)
            if stride is None
            else size // 2 * stride
        )
        for pixels, size in zip(field.shape, found[0][1])
    ]
    return _centred(field, centre) / (field.sum() or 1)


def _gradient(trunk, image, channels_first):
    """Of the middle unit, and the sizes of its map."""
    image = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        outputs = trunk(image, training=False)
        if channels_first:
            outputs = tf.transpose(outputs, (0, 2, 3, 1))
        sizes = tuple(outputs.shape[1:3])
        row, column = (size // 2 for size in sizes)
        unit = tf.reduce_sum(tf.cast(outputs[:, row, column], "float32"))
    gradient = np.abs(tape.gradient(unit, image).numpy()[0].astype("float64"))
    return gradient.sum(axis=0 if channels_first else -1), sizes


def _centred(field, pixel):
    """Zeros around, so that the unit's own pixel is in the middle."""
    margins = []
    for size, centre in zip(field.shape, pixel):
        reach = max(centre, size - 1 - centre)
        margins.append((reach - centre, reach - (size - 1 - centre)))
    return np.pad(field, margins)


def share_outside(field: np.ndarray, window: int) -> float:
    """Share of a field that lies outside of a square around its middle.

    Args:
        field: What `effective_receptive_field` returns.
        window: Side of the square in pixels, an odd positive integer, such as
            `theoretical_receptive_field` of another network.

    Returns:
        0 to 1; exactly 0 if every value outside is 0.
    """
    field = arguments.array("field", field, 2)
    arguments.integer("window", window)
    if window % 2 == 0:
        rule = "odd and positive, to have a middle"
        arguments.refuse("window", window, rule)
    rows, columns = (
        np.abs(np.arange(size) - size // 2) <= window // 2
        for size in field.shape
    )
    outside = field[~(rows[:, np.newaxis] & columns)]
    total = field.sum()
    return float(outside.sum() / total) if total > 0 else 0.0
