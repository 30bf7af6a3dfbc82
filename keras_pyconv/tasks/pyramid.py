"""What each level of a pyramid has learned and answers, also as a figure."""

import pathlib
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.lazy import needed
from keras_pyconv.tasks.receptive_field import (
    check_images,
    data_format,
    effective_receptive_field,
    share_outside,
    stages,
    theoretical_receptive_field,
)
from keras_pyconv.typing import PathLike
from keras_pyconv.writing import make_folder

SHOWN_KERNELS = 9


class LevelResponse(NamedTuple):
    """One level of a layer, and what it answers to an image.

    `kernel` is (height, width, channels / groups, filters); `response` is
    (height, width, filters), whatever the layer's data format.
    """

    kernel_size: tuple[int, int]
    groups: int
    kernel: np.ndarray
    response: np.ndarray


def _pyramid(model, layer):
    """The PyConv layer of a name, or the first, of two levels or more."""
    known = {
        one.name: one
        for one in arguments.model("model", model).layers
        if isinstance(one, PyConv) and len(one.levels or ()) > 1
    }
    if not known:
        raise ValueError(
            f"`model` {model.name!r} has no PyConv layer with two or more "
            "levels; if it contains another model, pass that one: "
            "`model.get_layer(...)`."
        )
    if not arguments.is_one_of(layer, (None, *known)):
        raise ValueError(
            f"{model.name!r} has no PyConv `layer` {arguments.shown(layer)}. "
            f"Known: {', '.join(known)}."
        )
    return known[layer or next(iter(known))]


def level_responses(
    model: keras.Model, image: np.ndarray, layer: str | None = None
) -> list[LevelResponse]:
    """Every level of a PyConv layer, with its answer to an image.

    Args:
        model: A model with PyConv layers.
        image: (height, width, channels) as the model takes it, or channels
            first if it does.
        layer: Name of a PyConv layer; by default the first.

    Returns:
        One `LevelResponse(kernel_size, groups, kernel, response)` a level,
        in the order of the layer's channels, before normalization and ReLU.
        The layer's bias is part of it.

    Raises:
        ValueError: if the layer is unknown (the message lists the PyConv
            layers) or the image does not fit the model.
    """
    layer = _pyramid(model, layer)
    image = check_images(model, image, rank=3)
    output = keras.Model(model.input, layer.output)(
        image[np.newaxis], training=False
    )
    response = keras.ops.convert_to_numpy(output)[0].astype("float32")
    if layer.data_format == "channels_first":
        response = np.moveaxis(response, 0, -1)
    ends = np.cumsum([level.filters for level in layer.levels])[:-1]
    return [
        LevelResponse(level.kernel_size, level.groups, kernel, part)
        for level, kernel, part in zip(
            layer.levels,
            map(keras.ops.convert_to_numpy, layer.kernels),
            np.split(response, ends, axis=-1),
        )
    ]


def show_pyramid(
    model: keras.Model,
    image: np.ndarray,
    path: PathLike | None = None,
    beside: keras.Model | None = None,
    layer: str | None = None,
    stage: str | None = None,
    images: np.ndarray | None = None,
) -> Any:
    """Draws the levels of a layer and the receptive field of a stage.

    Top: the image, and for each level some kernels and the root mean square
    of its responses over its filters. Bottom, for residual networks: the
    effective receptive field of a stage, beside that of another network, with
    the square that can reach the other's unit (else its own), and the share of
    the gradient within growing squares. Networks without stages, such as those
    of `replace_convolutions`, get the top only.
    Needs matplotlib; the receptive fields need the TensorFlow backend.

    Args:
        model: A network with PyConv layers.
        image: (height, width, channels), preprocessed for the models.
        path: File to write, such as a PNG; None writes nothing.
        beside: Plain network for comparison, with the same inputs; both must
            then be residual networks of `keras_pyconv`.
        layer: Name of a PyConv layer; by default the first.
        stage: `"stem"`, or `"stage1"` to `"stage4"`, for the receptive field;
            by default `"stage1"` if the model has stages.
        images: (N, height, width, channels) to average the receptive fields
            over; by default the image alone.

    Returns:
        A `matplotlib.figure.Figure`, which notebooks show.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if the layer or stage is unknown, or an image does not fit.

    Example:

    >>> model = keras_pyconv.PyConvResNet50(include_top=False)
    >>> plain = keras_pyconv.ResNet50(include_top=False)
    >>> image = np.random.rand(224, 224, 3)
    >>> figure = show_pyramid(model, image, "pyramid.png", beside=plain)
    """
    if path is not None:
        arguments.image_file("path", path)
    if beside is not None:
        arguments.model("beside", beside)
    needed("matplotlib", "`show_pyramid`", "matplotlib")
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    name = _pyramid(model, layer).name
    levels = level_responses(model, image, name)
    image = np.asarray(image)
    if images is not None:
        check_images(model, images, rank=4)
    if stage is None and (beside is not None or stages(model)):
        stage = "stage1"
    images = image[np.newaxis] if images is None else images
    networks = [model] if beside is None else [model, beside]
    windows = []
    if stage is not None:
        # Before anything is drawn: here unknown stages are refused.
        windows = [theoretical_receptive_field(one, stage) for one in networks]
    size = (1.75 * (len(levels) + 1) + 0.5, 3.7 if stage is None else 6.6)
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    # This canvas draws without a screen and leaves pyplot's state alone.
    FigureCanvasAgg(figure)
    parts: Any = [figure]
    if stage is not None:
        parts = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    parts[0].suptitle(f"{model.name}, layer {name}", fontsize=10)
    _draw_levels(parts[0], _picture(model, image), levels)
    if stage is not None:
        _draw_fields(parts[1], stage, networks, windows, images)
    if path is not None:
        path = pathlib.Path(path)
        make_folder(path.parent)
        figure.savefig(path, dpi=100)
    return figure


def _picture(model, image):
    """The image stretched to [0, 1], whatever the model's pixels are."""
    if data_format(model) == "channels_first":
        image = np.moveaxis(image, 0, -1)
    low, high = image.min(), image.max()
    image = (image - low) / max(high - low, 1e-9)
    return image if image.shape[-1] == 3 else image.mean(axis=-1)


def _mosaic(kernel):
    """Some filters of a level side by side, each in its first channel."""
    side = int(SHOWN_KERNELS**0.5)
    height, width, _, filters = kernel.shape
    shape = (side * (height + 1) - 1, side * (width + 1) - 1)
    mosaic = np.full(shape, np.nan)
    chosen = np.linspace(0, filters - 1, min(SHOWN_KERNELS, filters))
    for place, index in enumerate(chosen.astype(int)):
        top = place // side * (height + 1)
        left = place % side * (width + 1)
        mosaic[top : top + height, left : left + width] = kernel[:, :, 0, index]
    return mosaic


def _draw_levels(figure, picture, levels):
    axes = figure.subplots(2, len(levels) + 1)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    axes[0, 0].axis("off")
    axes[0, 0].text(
        0.5,
        0.5,
        f"{SHOWN_KERNELS} filters of each level,\none input channel\nof "
        "each; a square is\none kernel position\n\nbelow: root mean\n"
        "square of the\nlevel's responses,\neach in its own colours",
        ha="center",
        va="center",
        fontsize=7,
    )
    axes[1, 0].imshow(picture, cmap="gray")
    axes[1, 0].set_title("image", fontsize=8)
    # Kernels are drawn at one scale: a larger window looks larger.
    largest = max(max(_mosaic(level.kernel).shape) for level in levels)
    for level, (above, below) in zip(levels, axes.T[1:]):
        mosaic = _mosaic(level.kernel)
        extreme = np.nanmax(np.abs(mosaic))
        above.imshow(mosaic, cmap="RdBu", vmin=-extreme, vmax=extreme)
        top, left = ((size - 1 - largest) / 2 for size in mosaic.shape)
        above.set(xlim=(left, left + largest), ylim=(top + largest, top))
        above.axis("off")
        size = "x".join(map(str, level.kernel_size))
        depth, filters = level.kernel.shape[2:]
        title = f"{size}, depth {depth}\n{filters} filters"
        above.set_title(title, fontsize=8)
        strength = np.sqrt(np.square(level.response).mean(axis=-1))
        below.imshow(strength, cmap="magma", vmin=0)
        title = f"{size} responses\n0 to {strength.max():.2g}"
        below.set_title(title, fontsize=8)


def _draw_fields(figure, stage, networks, windows, images):
    from matplotlib.patches import Rectangle

    fields = [effective_receptive_field(one, stage, images) for one in networks]
    figure.suptitle(
        f"Effective receptive field of a unit of {stage}, mean of "
        f"{len(images)} image{'s' * (len(images) > 1)}",
        fontsize=10,
    )
    axes = figure.subplots(1, len(fields) + 1)
    tallest, square = max(field.max() for field in fields), windows[-1]
    for axis, network, field, own in zip(axes, networks, fields, windows):
        rows, columns = (size // 2 for size in field.shape)
        # The fourth root shows what is weak; zero stays black.
        axis.imshow(
            field**0.25,
            cmap="magma",
            vmin=0,
            vmax=tallest**0.25,
            extent=(-columns - 0.5, columns + 0.5, rows + 0.5, -rows - 0.5),
        )
        corner = (-square / 2, -square / 2)
        frame = Rectangle(corner, square, square, fill=False, color="cyan")
        axis.add_patch(frame)
        margin = 0.6 * max(windows)
        axis.set(xlim=(-margin, margin), ylim=(margin, -margin))
        axis.tick_params(labelsize=7)
        outside = share_outside(field, square)
        axis.set_title(
            f"{network.name}: {own} px can reach it\n"
            f"{share(outside)} of the gradient outside {square} px",
            fontsize=8,
        )
    axes[0].set_ylabel("pixels; fourth root of gradient", fontsize=7)
    _draw_growth(axes[-1], networks, fields, windows)


def _draw_growth(axis, networks, fields, windows):
    for network, field in zip(networks, fields):
        sides = range(1, min(*field.shape, int(1.2 * max(windows))) + 1, 2)
        inside = [100 * (1 - share_outside(field, side)) for side in sides]
        axis.plot(sides, inside, label=network.name)
    label = f"reach of {networks[-1].name}, {windows[-1]} px"
    axis.axvline(windows[-1], color="c", label=label)
    axis.set_xlabel("side of a centred square, pixels", fontsize=7)
    axis.set_ylabel("% of the gradient inside", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc="lower right")
