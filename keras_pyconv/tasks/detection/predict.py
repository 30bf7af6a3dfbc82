"""Finding objects in one image, and drawing what was found."""

import colorsys
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments, renamed
from keras_pyconv.figures import share
from keras_pyconv.tasks.detection.decoding import DecodeDetections
from keras_pyconv.tasks.detection.default_boxes import box_layer, box_settings
from keras_pyconv.tasks.drawing import enlarged, label
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.preprocessing import Preprocessing, normalize, shown_as
from keras_pyconv.tasks.resizing import resize
from keras_pyconv.tasks.results import Result, check_names, traced
from keras_pyconv.typing import Array, ArrayLike, ImageLike, PathLike, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Detections(Result):
    """What was found in one image, best first.

    Attributes:
        boxes: float32 `(n, 4)`: ymin, xmin, ymax, xmax in pixels of the
            image, inside of it.
        labels: int `(n,)`, from 0.
        scores: float32 `(n,)` in [0, 1], descending.
        class_names: of the labels, or None.
        image: uint8 `(height, width, 3)`, what was looked at.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    class_names: tuple[str, ...] | None = None
    image: np.ndarray | None = None

    def __post_init__(self):
        arguments.array("boxes", self.boxes, 2, last=4)
        super().__post_init__()
        if self.image is not None:
            arguments.array("image", self.image, 3, last=3)

    def __len__(self):
        return len(self.scores)

    def __str__(self):
        rows = zip(self.boxes, self.labels, self.scores)
        return "\n".join(
            f"{self.name(label)} {score:.2f} at "
            f"[{', '.join(f'{side:.1f}' for side in box)}]"
            for box, label, score in rows
        )

    def to_dict(self) -> dict[str, Any]:
        size = None if self.image is None else self.image.shape[:2]
        rows = zip(self._rows(), self.boxes.tolist())
        return {
            **({} if size is None else dict(zip(("height", "width"), size))),
            "objects": [{**row, "box": box} for row, box in rows],
        }

    def _drawn(self):
        from PIL import ImageDraw

        if self.image is None:
            raise ValueError(
                "These detections have no image: pass `image=`, or use the "
                "result of `detect`."
            )
        drawing, times = enlarged(self.image)
        pen = ImageDraw.Draw(drawing)
        line = max(2, round(min(drawing.size) / 200))
        # The best are drawn last, over the others; labels over all boxes.
        rows = self.to_dict()["objects"][::-1]
        for row in rows:
            ymin, xmin, ymax, xmax = (times * side for side in row["box"])
            colour = _colour(row["label"])
            # A dark edge on both sides is seen on any ground.
            outer = (xmin - 1, ymin - 1, xmax + 1, ymax + 1)
            pen.rectangle(outer, outline="black", width=line + 2)
            pen.rectangle((xmin, ymin, xmax, ymax), outline=colour, width=line)
        for row in rows:
            ymin, xmin, _, _ = (times * side for side in row["box"])
            text = f"{row['name']} {share(row['score'], 0)}"
            label(drawing, (xmin, ymin), text, _colour(row["label"]))
        return np.asarray(drawing)


def _colour(label):
    """One that differs from those of the labels around."""
    hue = label * 0.618034 % 1.0  # the golden section spreads hues
    return tuple(int(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.75, 1.0))


def stretch(
    picture: Tensor,
    height: int,
    width: int,
    preprocessing: Preprocessing | None = None,
) -> Tensor:
    """From a decoded image to a detector's input for it.

    Args:
        picture: tensor of shape `(rows, columns, 3)` in [0, 255].
        height, width: of the network's images, in pixels.
        preprocessing: its mean and deviation are taken; None for ImageNet's.

    Returns:
        float32 tensor of shape `(height, width, 3)`.
    """
    picture = arguments.tensor_like("picture", picture, (3,))
    arguments.integer("height", height)
    arguments.integer("width", width)
    if preprocessing is not None:
        arguments.instance("preprocessing", preprocessing, Preprocessing)
    resized = resize(picture, (height, width))
    return normalize(resized, preprocessing or Preprocessing())


@renamed.keywords(names="class_names")
def detect(
    model: keras.Model,
    image: ImageLike,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    **options: float,
) -> Detections:
    """Detects the objects in one image.

    Args:
        model: a trained `PyConvSSD` or `SSD` with a fixed image size, or the
            `detection_model` of one.
        image: the path of a file, its bytes, a Pillow image, or an array
            `(rows, columns, 3)` in [0, 255]; of any size.
        class_names: names of the classes without the background, such as
            `keras_pyconv.datasets.COCO_NAMES`; the default is the model's own
            (`describe`), else the class numbers.
        preprocessing: a `Preprocessing`, of which `mean`, `deviation` and
            `exif` apply; the default is the model's own, else ImageNet's.
        **options: `score_threshold` (0.05), `iou_threshold` (0.5) and
            `max_detections` (200) of `DecodeDetections`. A `detection_model`
            has its own and takes none.

    Returns:
        `Detections` in pixels of the image, with `draw` and `save`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the model is not a detector with a fixed image size, the
            image is not valid, the number of `class_names` is wrong, or an
            option is out of range.

    Example:

    >>> model = keras_pyconv.PyConvSSD(weights="detector.weights.h5")
    >>> found = keras_pyconv.detect(model, "street.jpg", score_threshold=0.4)
    >>> found.boxes, found.labels, found.scores
    """
    height, width = box_settings(model)["image_shape"]
    # Its outputs do not tell, where `detection_model` made the model.
    classes = box_layer(model, "logits").width - 1
    names = check_names(class_names, classes, " and the background", model)
    if preprocessing is None:
        own = shown_as(Preprocessing, model, "detection")
        preprocessing = own or Preprocessing()
    arguments.instance("preprocessing", preprocessing, Preprocessing)
    decoded = _decoding(model, options)
    pixels = read_image(image, exif=preprocessing.exif)
    batch = stretch(pixels, height, width, preprocessing)[None]
    if keras.config.image_data_format() == "channels_first":
        batch = keras.ops.transpose(batch, (0, 3, 1, 2))
    found = decoded(model(batch, training=False))
    count = int(found["count"][0])
    boxes, labels, scores = (
        np.array(found[name][0][:count])
        for name in ("boxes", "labels", "scores")
    )
    boxes = to_pixels(boxes, *pixels.shape[:2])
    return Detections(boxes, labels, scores, names, pixels)


def _decoding(model, options):
    """What makes detections of the outputs of a model."""
    if "offsets" in model.output:
        # Making the default boxes takes a while.
        return traced(
            model,
            ("boxes", repr(sorted(options.items()))),
            lambda: DecodeDetections.for_model(model, **options),
        )
    if options:
        raise ValueError(
            f"{model.name!r} decodes with its own settings and takes no "
            f"others. Received: {', '.join(options)}"
        )
    return lambda found: found


def to_pixels(boxes: ArrayLike, height: int, width: int) -> np.ndarray:
    """Boxes in fractions, clipped to the image, in its pixels."""
    boxes = arguments.array("boxes", boxes, 2, last=4)
    arguments.integer("height", height)
    arguments.integer("width", width)
    scale = np.array([height, width, height, width], "float32")
    return np.clip(boxes, 0, 1) * scale


def draw_detections(
    image: ImageLike, detections: Detections, path: PathLike | None = None
) -> Array:
    """The old name of `detections.draw(path)`, of an image as in `detect`."""
    renamed.warn(
        "`draw_detections(image, found, path)` is `found.draw(path)` now, and "
        f"goes with version {renamed.GOES}."
    )
    arguments.instance("detections", detections, Detections)
    return dataclasses.replace(detections, image=read_image(image)).draw(path)
