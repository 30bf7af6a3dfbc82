"""The default boxes of a detector: 8,732 at 300 x 300 (supplement, section 1).

They are ordered map by map and row by row. The reference clamps centre and size
of a box to the image, not its corners: most boxes at the margin stick out.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.architectures import DETECTORS, BoxMap, Detector
from keras_pyconv.architectures.lookup import find
from keras_pyconv.layers.box_maps import JoinBoxMaps
from keras_pyconv.models.nesting import all_models
from keras_pyconv.tasks.library import keras_cv


def _map_boxes(row, cells, image_shape, input_size):
    """`(rows * columns * boxes, 4)` of one map, in fractions of the image."""
    sizes = [row.size, (row.size * row.next_size) ** 0.5]
    ratios = [1.0, 1.0]  # width by height
    for ratio in row.aspect_ratios:
        sizes += [row.size, row.size]
        ratios += [float(ratio), 1 / ratio]
    generator = keras_cv().layers.AnchorGenerator(
        "center_xywh",
        # A list of one list: keras-cv then pairs its sizes with the ratios.
        sizes=[[float(size) for size in sizes]],
        scales=[1.0],
        aspect_ratios=ratios,
        strides=[row.step],
        clip_boxes=False,
        # Under a mixed policy it would compute in half precision.
        dtype="float32",
    )
    shape = (cells[0] * row.step, cells[1] * row.step, 3)
    boxes = np.array(generator(image_shape=shape)[0])
    # Centres in steps of this image, sizes in fractions of any.
    whole = shape[:2] if row.spread else image_shape
    boxes[:, :2] /= whole[::-1]
    boxes[:, 2:] /= input_size
    return boxes


def boxes_of_maps(box_maps, cells, image_shape, input_size) -> np.ndarray:
    """Default boxes from the numbers that `box_settings` gives."""
    arguments.integers("image_shape", image_shape, 2)
    arguments.integer("input_size", input_size)
    if len(arguments.rows("box_maps", box_maps, 5)) != len(
        arguments.rows("cells", cells, 2)
    ):
        raise ValueError(
            "`box_maps` and `cells` must have one row a map. Received: "
            f"{len(box_maps)} and {len(cells)}: cells={arguments.shown(cells)},"
            f" box_maps={arguments.shown(box_maps)}"
        )
    for row in cells:
        arguments.integers("cells", row, 2)
    boxes = [
        _map_boxes(BoxMap(*arguments.plain(row)), size, image_shape, input_size)
        for row, size in zip(box_maps, cells)
    ]
    return np.clip(np.concatenate(boxes), 0, 1).astype("float32")


def box_layer(model: keras.Model, name: str | None = None) -> JoinBoxMaps:
    """The layer of a detector, or of a nested one, that knows its boxes."""
    arguments.model("model", model)
    for one in all_models(model):
        for layer in one.layers:
            if isinstance(layer, JoinBoxMaps) and name in (None, layer.name):
                return layer
    raise ValueError(
        f"`model` {model.name!r} is not a detector: it has no layer "
        "`JoinBoxMaps`, the last layer of keras_pyconv.PyConvSSD and SSD."
    )


def is_detector(model) -> bool:
    """Whether a model ends in the maps of boxes that `box_layer` finds."""
    return any(
        isinstance(layer, JoinBoxMaps)
        for one in all_models(model)
        for layer in one.layers
    )


def box_settings(model: keras.Model) -> dict:
    """The arguments of `boxes_of_maps` for a built model."""
    layer = box_layer(model)
    axis = 1 if layer.data_format == "channels_last" else 2
    cells = [tuple(x.shape[axis : axis + 2]) for x in layer.input]
    image_shape = tuple(model.input_shape[axis : axis + 2])
    if None in image_shape:
        raise ValueError(
            f"The default boxes of {model.name!r} depend on the image size, "
            "which is not fixed: build it with the sizes in `input_shape`."
        )
    return {
        "box_maps": [list(row) for row in layer.box_maps],
        "cells": cells,
        "image_shape": image_shape,
        "input_size": layer.input_size,
    }


def default_boxes(
    source: keras.Model | Detector | str,
    image_shape: Sequence[int] | None = None,
) -> np.ndarray:
    """The default boxes of a detector.

    Args:
        source: a model of `PyConvSSD` or `SSD`, also a loaded one; a
            `Detector`; or the name of a row of `DETECTORS`.
        image_shape: height and width in pixels, for a record; by default
            those that the record is made for.

    Returns:
        float32 `(num_boxes, 4)`: centre x, centre y, width and height as
        fractions of the image, in the order of the model's outputs.

    Raises:
        ValueError: if `source` is none of these or has no fixed size.
    """
    if isinstance(source, keras.Model):
        settings = box_settings(arguments.model("source", source))
        shape = settings["image_shape"]
        if image_shape is not None and arguments.plain(image_shape) != shape:
            arguments.refuse(
                "image_shape", image_shape, f"{shape}, the model's"
            )
        return boxes_of_maps(**settings)
    source = find("source", source, Detector, DETECTORS)
    if image_shape is None:
        image_shape = (source.input_size,) * 2
    image_shape = arguments.integers("image_shape", image_shape, 2)
    rows = [dataclasses.astuple(row) for row in source.box_maps]
    cells = source.map_sizes(*image_shape)
    return boxes_of_maps(rows, cells, image_shape, source.input_size)
