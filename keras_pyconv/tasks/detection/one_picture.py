"""Finding objects in one picture, and drawing what was found.

The fact a reader would get wrong: the picture is stretched to the network's
size, as the reference does, not cropped or padded; so boxes go back by
multiplying with the picture's own height and width.
"""

import dataclasses
import os
import weakref

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.tasks.detection.decoding import DecodeDetections
from keras_pyconv.tasks.detection.default_boxes import box_layer, box_settings
from keras_pyconv.tasks.preprocessing import (
    MOST_PIXELS,
    Preprocessing,
    decode_picture,
    normalize,
)

# One layer a model and its settings: making the default boxes takes a while.
_LAYERS = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one picture, best first.

    Attributes:
        boxes: float32 `(n, 4)`: ymin, xmin, ymax, xmax in pixels of the
            picture, inside of it.
        labels: int `(n,)`, from 0.
        scores: float32 `(n,)` in [0, 1], descending.
        names: of the labels, or None.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...] | None = None

    def __post_init__(self):
        arguments.array("boxes", self.boxes, 2, last=4)
        arguments.array("labels", self.labels, 1)
        arguments.array("scores", self.scores, 1)
        if self.names is not None:
            arguments.texts("names", self.names)

    def __len__(self):
        return len(self.scores)

    def __str__(self):
        rows = zip(self.boxes, self.labels, self.scores)
        return "\n".join(
            f"{self.name(label)} {score:.2f} at "
            f"[{', '.join(f'{side:.1f}' for side in box)}]"
            for box, label, score in rows
        )

    def name(self, label) -> str:
        """The name of a label, or its number."""
        most = arguments.MOST if self.names is None else len(self.names) - 1
        label = arguments.integer("label", label, 0, most)
        return str(label) if self.names is None else self.names[label]


def stretch(picture, height: int, width: int, preprocessing=None):
    """From a decoded picture to a detector's input for it.

    Args:
        picture: tensor of shape `(rows, columns, 3)` in [0, 255].
        height: of the network's images, in pixels.
        width: likewise.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default ImageNet's.

    Returns:
        float32 tensor of shape `(height, width, 3)`.
    """
    import tensorflow as tf

    picture = arguments.tensor_like("picture", picture, (3,))
    arguments.integer("height", height)
    arguments.integer("width", width)
    if preprocessing is not None:
        arguments.instance("preprocessing", preprocessing, Preprocessing)
    resized = tf.image.resize(
        tf.cast(picture, tf.float32), (height, width), antialias=True
    )
    return normalize(resized, preprocessing or Preprocessing())


def _decoded(path):
    """Pixels of a file, or an error that names it."""
    import tensorflow as tf

    with open(path, "rb") as file:
        encoded = file.read()
    try:
        return decode_picture(encoded).numpy()
    except tf.errors.InvalidArgumentError as error:
        # TensorFlow's message says what operation failed, and of which file
        # it says nothing.
        reason = "the file is empty (0 bytes)"
        if encoded:
            reason = "it is of another kind, breaks off, or is too large"
        raise ValueError(
            f"{os.fspath(path)} holds no picture that can be read: {reason}. "
            f"Files must be JPEG or PNG, whole, and of at most {MOST_PIXELS:,} "
            "pixels; open others with Pillow and pass the Pillow image."
        ) from error


def _pixels(image):
    """`(rows, columns, 3)` array in [0, 255] of a path, picture or array."""
    if isinstance(image, (str, os.PathLike)):
        return _decoded(arguments.file("image", image))
    if hasattr(image, "convert"):
        image = np.asarray(image.convert("RGB"))
    image = arguments.array("image", image)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
        raise ValueError(
            "`image` must be a path, a Pillow image, or an array of shape "
            "(rows, columns, 3) in [0, 255]. Received: "
            f"image={arguments.shown(image)}"
        )
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        arguments.refuse("image", image, "without NaN and infinity")
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _layer(model, options):
    known = _LAYERS.setdefault(model, {})
    key = tuple(sorted(options.items()))
    if key not in known:
        known[key] = DecodeDetections.for_model(model, **options)
    return known[key]


def _check_names(model, names):
    """Refuses names that are not as many as the model's classes."""
    # Its outputs do not tell, where `detection_model` made the model.
    classes = box_layer(model, "logits").width - 1
    if names is None:
        return
    if len(arguments.texts("names", names)) != classes:
        raise ValueError(
            f"The model has {classes} classes and the background. "
            f"Received {len(names)} names: names={arguments.shown(names)}"
        )


def detect(model, image, names=None, preprocessing=None, **options):
    """Finds the objects in one picture.

    Args:
        model: a trained `PyConvSSD` or `SSD` of a fixed image size, or what
            `detection_model` made of one.
        image: the path of a JPEG or PNG file, a Pillow image, or an array
            `(rows, columns, 3)` in [0, 255]; of any size.
        names: of the labels, such as `keras_pyconv.datasets.COCO_NAMES`.
        preprocessing: a `Preprocessing` whose mean and deviation are taken;
            by default ImageNet's.
        **options: `score_threshold` (0.05), `iou_threshold` (0.5) and
            `max_detections` (200) of `DecodeDetections`; not for a
            `detection_model`, which has them.

    Returns:
        `Detections` in pixels of the picture.

    Raises:
        ValueError: if the model is no detector of a fixed size, the image is
            none, `names` are not as many as the classes without the
            background, or `score_threshold` is not in [0, 1].

    Example:

    >>> model = keras_pyconv.PyConvSSD(weights="detector.weights.h5")
    >>> found = keras_pyconv.detect(model, "street.jpg", score_threshold=0.4)
    >>> found.boxes, found.labels, found.scores
    """
    height, width = box_settings(model)["image_shape"]
    _check_names(model, names)
    if preprocessing is not None:
        arguments.instance("preprocessing", preprocessing, Preprocessing)
    pixels = _pixels(image)
    batch = stretch(pixels, height, width, preprocessing)[None]
    if keras.config.image_data_format() == "channels_first":
        batch = keras.ops.transpose(batch, (0, 3, 1, 2))
    found = model(batch, training=False)
    if "offsets" in found:
        found = _layer(model, options)(found)
    elif options:
        raise ValueError(
            f"{model.name!r} decodes by the settings that it was made with. "
            f"Received: {', '.join(options)}"
        )
    count = int(found["count"][0])
    boxes, labels, scores = (
        np.array(found[name][0][:count])
        for name in ("boxes", "labels", "scores")
    )
    return Detections(
        to_pixels(boxes, *pixels.shape[:2]),
        labels,
        scores,
        None if names is None else tuple(names),
    )


def to_pixels(boxes, height, width) -> np.ndarray:
    """Boxes in fractions, clipped to the image, in its pixels."""
    boxes = arguments.array("boxes", boxes, 2, last=4)
    arguments.integer("height", height)
    arguments.integer("width", width)
    scale = np.array([height, width, height, width], "float32")
    return np.clip(boxes, 0, 1) * scale


def _colour(label):
    """One that differs from those of the labels around."""
    import colorsys

    hue = label * 0.618034 % 1.0  # the golden section spreads hues
    return tuple(int(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.75, 1.0))


def draw_detections(image, detections: Detections, path=None):
    """Draws boxes, names and scores on a picture.

    Args:
        image: as in `detect`, the picture that was asked about.
        detections: what `detect` returned.
        path: a file to write as well, PNG or JPEG by its ending.

    Returns:
        uint8 array of the picture's shape.
    """
    from PIL import Image, ImageDraw, ImageFont

    arguments.instance("detections", detections, Detections)
    if path is not None:
        arguments.image_file("path", path)
    pixels = np.clip(np.round(_pixels(image)), 0, 255).astype("uint8")
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    line = max(2, round(min(picture.size) / 200))
    height = max(10, 5 * line)
    font = ImageFont.load_default(height)
    # The best are drawn last, over the others.
    for number in reversed(range(len(detections))):
        ymin, xmin, ymax, xmax = detections.boxes[number].tolist()
        label = int(detections.labels[number])
        colour = _colour(label)
        # A dark edge on both sides is seen on any ground.
        outer = (xmin - 1, ymin - 1, xmax + 1, ymax + 1)
        pen.rectangle(outer, outline="black", width=line + 2)
        pen.rectangle((xmin, ymin, xmax, ymax), outline=colour, width=line)
        text = f"{detections.name(label)} {detections.scores[number]:.2f}"
        corner = (xmin + line, max(0, ymin - height - 1))
        pen.rectangle(pen.textbbox(corner, text, font=font), fill=colour)
        pen.text(corner, text, fill="black", font=font)
    if path is not None:
        picture.save(path)
    return np.asarray(picture)
