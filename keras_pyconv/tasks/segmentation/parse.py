"""From a picture of any size to a label map and a coloured overlay.

The fact a reader would get wrong: an array must hold pixels from 0 to 255, as a
file does. Normalizing them is part of the call.
"""

import functools
import os

import numpy as np

from keras_pyconv import arguments
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


class Segmentation:
    """A picture parsed into regions.

    Attributes:
        image: uint8 `(height, width, 3)`, what was parsed.
        labels: int32 `(height, width)`, the class of each pixel.
        overlay: uint8 `(height, width, 3)`, the picture under the colours.
        shares: `{name: part of the picture}`, the largest first.
    """

    def __init__(self, image, labels, colors, class_names):
        labels = arguments.array("labels", labels, 2, "iub")
        class_names = arguments.texts("class_names", class_names)
        if labels.max(initial=0) >= len(class_names):
            rule = f"a name for each label, up to {labels.max()}"
            arguments.refuse("class_names", class_names, rule)
        self.image, self.labels = image, labels
        self.overlay = overlay(image, labels, colors)
        classes, counts = np.unique(labels, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        self.shares = {
            class_names[classes[i]]: float(counts[i] / labels.size)
            for i in order
        }

    def save(self, path):
        """Writes the overlay as a picture file."""
        from PIL import Image

        Image.fromarray(self.overlay).save(arguments.image_file("path", path))


# Tracing the network takes longer than a picture.
_windows = functools.lru_cache(maxsize=2)(SlidingWindows)


def read_picture(image) -> np.ndarray:
    """A path, a Pillow image or an array as uint8 `(height, width, 3)`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be read as a picture, or an array has
            no pixels from 0 to 255.
    """
    if isinstance(image, (str, os.PathLike)):
        return _read_file(arguments.path("image", image))
    if hasattr(image, "convert"):
        return np.asarray(image.convert("RGB"))
    array = arguments.array("image", image)
    if array.ndim == 2:
        array = np.stack([array] * 3, axis=-1)
    if array.ndim != 3 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(
            "A picture is an array (height, width, 3), a Pillow image or a "
            f"path. Received: image={arguments.shown(image)}"
        )
    low, high = array.min(), array.max()
    small = array.dtype.kind == "f" and high <= 1 and high > 0
    if small or not (0 <= low and high <= 255):
        raise ValueError(
            "The pixels of a picture go from 0 to 255, as in a file. "
            f"Received: `image` of {array.dtype} from {low} to {high}"
        )
    return np.broadcast_to(
        np.round(array).astype("uint8"), (*array.shape[:2], 3)
    )


def _read_file(path):
    from PIL import Image

    try:
        with Image.open(path) as file:
            return np.asarray(file.convert("RGB"))
    except FileNotFoundError:
        raise
    # A decoder may raise anything on bytes that are no picture.
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} cannot be read as a picture: {error}"
        ) from error


def segment(
    model,
    image,
    protocol: Protocol = SINGLE_SCALE,
    *,
    class_names=None,
    colors=None,
) -> Segmentation:
    """Parses a picture of any size into labelled regions.

    Args:
        model: A network of `PyConvSegNet`, or any other to logits at the
            image's size.
        image: Path of a picture, a Pillow image, or an array
            `(height, width, 3)` of pixels in [0, 255].
        protocol: How the picture is shown to the network;
            `MULTI_SCALE` is slower and better.
        class_names: A name for each class; by default ADE20K's where there
            are 150, else the numbers.
        colors: uint8 `(classes, 3)`, or None for `palette`.

    Returns:
        A `Segmentation`: `labels`, `overlay`, `shares`, `save(path)`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the picture, the model or the names cannot be used.

    Example:

    ```python
    parsed = keras_pyconv.segment(model, "street.jpg")
    parsed.save("street_parsed.png")
    print(parsed.shares)  # {"building": 0.41, "sky": 0.22, ...}
    ```
    """
    picture = read_picture(image)
    classes = number_of_classes(model)
    names = names_of_classes(classes, class_names)
    arguments.instance("protocol", protocol, Protocol)
    if colors is None:
        colors = palette(classes)
    colors = arguments.array("colors", colors, 2, last=3)
    if len(colors) != classes:
        raise ValueError(
            f"`colors` must be {classes}, one a class. Received: "
            f"{len(colors)}, colors={arguments.shown(colors)}"
        )
    labels = _windows(model, protocol).labels(picture)
    return Segmentation(picture, labels, colors, names)
