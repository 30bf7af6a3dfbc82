"""From an image of any size to a label map and a coloured overlay."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.tasks.drawing import enlarged, with_legend
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.preprocessing import shown_as
from keras_pyconv.tasks.results import Result, traced
from keras_pyconv.tasks.segmentation.classes import (
    names_of_classes,
    number_of_classes,
    overlay,
    palette,
)
from keras_pyconv.tasks.segmentation.windows import (
    SINGLE_SCALE,
    Protocol,
    SlidingWindows,
)
from keras_pyconv.typing import Array, ArrayLike, ImageLike

_NAMED = 12  # regions in the legend


class Segmentation(Result):
    """An image parsed into regions.

    Attributes:
        image: uint8 `(height, width, 3)`, what was parsed.
        labels: int32 `(height, width)`, the class of each pixel.
        class_names: of all classes.
        overlay: uint8 `(height, width, 3)`, the image under the colours.
        shares: `{name: part of the image}`, the largest first.
    """

    def __init__(
        self,
        image: Array,
        labels: Array,
        colors: ArrayLike | None,
        class_names: Sequence[str] | None,
    ):
        labels = arguments.array("labels", labels, 2, "iub")
        class_names = arguments.texts("class_names", class_names)
        if labels.max(initial=0) >= len(class_names):
            rule = f"a name for each label, up to {labels.max()}"
            arguments.refuse("class_names", class_names, rule)
        self.image, self.labels = image, labels
        self.class_names = class_names
        self.overlay = overlay(image, labels, colors)
        self._colors = palette(len(class_names)) if colors is None else colors
        classes, counts = np.unique(labels, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        pairs = zip(classes[order].tolist(), counts[order].tolist())
        self._regions = [
            {
                "label": label,
                "name": self.name(label),
                "pixels": count,
                "share": count / labels.size,
            }
            for label, count in pairs
        ]
        self.shares = {row["name"]: row["share"] for row in self._regions}

    def _drawn(self):
        image, _ = enlarged(self.overlay)
        rows = [
            (
                f"{row['name']}  {share(row['share'])}",
                tuple(map(int, self._colors[row["label"]])),
            )
            for row in self._regions[:_NAMED]
        ]
        return np.asarray(with_legend(image, rows))

    def to_dict(self) -> dict[str, Any]:
        height, width = self.labels.shape
        rows = [dict(row) for row in self._regions]
        return {"height": height, "width": width, "classes": rows}


def segment(
    model: keras.Model,
    image: ImageLike,
    protocol: Protocol | None = None,
    *,
    class_names: Sequence[str] | None = None,
    colors: ArrayLike | None = None,
    exif: bool = True,
) -> Segmentation:
    """Segments an image of any size: one class for every pixel.

    Args:
        model: A network to logits at the image's size, such as `PyConvSegNet`.
        image: Path of a file, its bytes, a Pillow image, or an array
            `(height, width, 3)` of pixels in [0, 255].
        protocol: Windows and scales of the prediction; the default is the
            model's own (`describe`), else `SINGLE_SCALE`. `MULTI_SCALE` is
            slower and more accurate.
        class_names: A name for each class. The default is the model's own,
            ADE20K's names for 150 classes, else the class numbers.
        colors: uint8 `(classes, 3)`, or None for `palette`.
        exif: Whether to rotate the image as its EXIF data say.

    Returns:
        A `Segmentation`, with `labels`, `shares`, `draw` and `save`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the image, the model or the names are not valid.

    Example:

    >>> parsed = keras_pyconv.segment(model, "street.jpg")
    >>> parsed.save("street_parsed.png")
    >>> parsed.shares  # such as {"building": 0.41, "sky": 0.22}
    """
    classes = number_of_classes(model)
    names = names_of_classes(classes, class_names, model)
    if protocol is None:
        own = shown_as(Protocol, model, "segmentation")
        protocol = own or SINGLE_SCALE
    arguments.instance("protocol", protocol, Protocol)
    arguments.flag("exif", exif)
    if colors is None:
        colors = palette(classes)
    colors = arguments.array("colors", colors, 2, last=3)
    if len(colors) != classes:
        raise ValueError(
            f"`colors` must have {classes} entries, one per class. Received: "
            f"{len(colors)}, colors={arguments.shown(colors)}"
        )
    pixels = read_image(image, exif=exif)
    windows = traced(model, protocol, lambda: SlidingWindows(model, protocol))
    return Segmentation(pixels, windows.labels(pixels), colors, names)
