"""How an image becomes what a network sees when it is evaluated or served.

As in the authors' evaluation. Resizing is antialiased, as Pillow's is and
`tf.image.resize` by default is not: without it answers for large images differ.
"""

import dataclasses

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.reading import explained
from keras_pyconv.tasks.resizing import resize_window
from keras_pyconv.weights.described import known, shown_by

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of pixels in [0, 1], red first
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
LARGEST_PIXEL = 255.0


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """The way from the pixels of an image to a network's input.

    Attributes:
        size: side of the square that the network sees, in pixels.
        resize: length of the image's short side before the square is cut
            out of its middle, in pixels; at least `size`.
        mean: subtracted from each channel, in units of [0, 1].
        deviation: each channel is divided by it, in units of [0, 1]. A mean
            of 0 and a deviation of 1/255 leave pixels in [0, 255].
        exif: whether an image that a camera stored turned (EXIF) is turned
            as viewers show it.
    """

    size: int = 224
    resize: int = 256
    mean: tuple[float, ...] = IMAGENET_MEAN
    deviation: tuple[float, ...] = IMAGENET_DEVIATION
    exif: bool = True

    def __post_init__(self):
        arguments.check_fields(self)
        if not self.size <= self.resize:
            raise ValueError(
                "`size` must be positive and at most `resize`. Received: "
                f"size={self.size}, resize={self.resize}"
            )
        arguments.normalization(self.mean, self.deviation)

    @property
    def channels(self) -> int:
        """Channels of the image: 3 for colours, 1 for gray."""
        return len(self.mean)


def imagenet_preprocessing(size: int = 224) -> Preprocessing:
    """ImageNet's evaluation at a `size`: 7/8 of the short side."""
    return Preprocessing(size=size, resize=round(size * 256 / 224))


def preprocessing_of_model(model, size=None) -> Preprocessing | None:
    """How images are shown to a classifier that was described, or None.

    `size` is the model's own side, None for the one that it was trained at.
    """
    shown = shown_as(Preprocessing, model, "classification")
    if shown is None:
        return None
    size = size or shown.size
    resize = round(size * shown.resize / shown.size)
    return dataclasses.replace(shown, size=size, resize=resize)


def shown_as(kind, model, task):
    """How images are shown to a described model of a task, or None.

    `kind` is the task's own: `Preprocessing`, `Protocol` or `Clips`.
    """
    fields = shown_by(model, task)
    if fields is None:
        return None
    with explained(f"the description of {model.name!r} is damaged"):
        return kind(**fields)


def normalization_of(model):
    """What every task shares of how images are shown to a described model."""
    found = known(model)
    shown = found.shown or {} if found is not None else {}
    names = ("mean", "deviation", "exif")
    return {name: shown[name] for name in names if name in shown}


def pixels_as_they_are(size: int, channels: int = 3) -> Preprocessing:
    """The whole central square in [0, 255], for networks that scale it."""
    return Preprocessing(
        size, size, (0.0,) * channels, (1 / LARGEST_PIXEL,) * channels
    )


def usual_preprocessing(size: int, channels: int, scales_pixels: bool):
    """That of networks of such images; None where there is no usual one.

    `scales_pixels` says whether the network itself scales or normalizes them.
    """
    if scales_pixels and channels in (1, 3):
        return pixels_as_they_are(size, channels)
    return imagenet_preprocessing(size) if channels == 3 else None


def central_square(picture, size: int, resize: int):
    """Resizes the short side and cuts the square out of the middle.

    Both in one step, so that nothing outside of the square is ever computed.
    The long side is rounded down, and halves of margins to even, as torchvision
    does. Gives float32 `(size, size, channels)`, in the units of `picture`.
    """
    sides = tf.shape(picture)[:2]
    resized = resize * sides // tf.reduce_min(sides)
    margins = tf.round(tf.cast(resized - size, tf.float32) / 2.0)
    scale = tf.cast(resized, tf.float32) / tf.cast(sides, tf.float32)
    square = resize_window(picture, (size, size), scale, -margins)
    return tf.ensure_shape(square, (size, size, picture.shape[-1]))


def of_rows(function, pictures, *channels):
    """`function(pictures, *channels)` of numbers for each channel.

    Three numbers along the last axis take five times as long as a row does.
    """
    sides = tf.shape(pictures)
    numbers = [
        tf.tile(tf.convert_to_tensor(each, tf.float32), [sides[-2]])
        for each in channels
    ]
    row = [sides[-2] * sides[-1]]
    rows = tf.reshape(pictures, tf.concat([sides[:-2], row], axis=0))
    found = tf.reshape(function(rows, *numbers), sides)
    return tf.ensure_shape(found, pictures.shape)


def normalize(pictures, preprocessing):
    """Shifts and scales `(..., width, channels)` in [0, 255], as float32."""

    def normalized(rows, mean, deviation):
        return (tf.cast(rows, tf.float32) / LARGEST_PIXEL - mean) / deviation

    return of_rows(
        normalized, pictures, preprocessing.mean, preprocessing.deviation
    )


def prepare_picture(picture, preprocessing: Preprocessing):
    """A decoded image `(height, width, channels)` as the network's input."""
    square = central_square(picture, preprocessing.size, preprocessing.resize)
    return normalize(square, preprocessing)
