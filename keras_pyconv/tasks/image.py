"""The one reader of images: `read_image`, and `decode_image` in a graph.

- JPEG, PNG and GIF are TensorFlow's, whose decoders refuse damaged files; what
  TensorFlow cannot read (WebP, TIFF, ...) is Pillow's, outside of graphs.
- An image that a camera stored turned (EXIF) is turned as viewers show it.
- 16 bits become 8 by their upper half; CMYK, palettes and gray become RGB;
  transparency is dropped, and of an animation all but the first frame.
- More than `MOST_PIXELS` are refused, which a few bytes can claim.
"""

import contextlib
import io
import os

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.reading import one_line, plain, read_bytes
from keras_pyconv.tasks.orientation import (
    exif_orientation,
    stored_window,
    turn,
    turned_sides,
)

MOST_PIXELS = 2**26  # of one image: 200 MB when it is decoded
_SHOWN_BYTES = 16  # of a file without a name in a message
_LONGEST_NAME = 1000  # characters of a path in a message
_PNG, _GIF, _BMP = b"\x89PNG", b"GIF8", b"BM"
# Kinds whose files no other decoder is asked about.
_OF_TENSORFLOW = {b"\xff\xd8\xff": "JPEG", _PNG: "PNG", _GIF: "GIF"}
# Pillow's words for these show a limit of its own, or an address in memory.
_REASONS = {
    "UnidentifiedImageError": "it is no image that Pillow can read",
    "DecompressionBombError": "it has too many pixels",
    "DecompressionBombWarning": "it has too many pixels",
}
_EXACTLY = {"dct_method": "INTEGER_ACCURATE"}


class UnreadableImage(ValueError):
    """It holds no image that can be read, for a `reason` without its name."""

    def __init__(self, name, reason):
        super().__init__(f"{name} cannot be read as an image: {reason}.")
        self.reason = reason


def reason_of(error) -> str:
    """Why a file cannot be read, in a line, without its name where known."""
    return getattr(error, "reason", None) or one_line(error)


# In a graph ------------------------------------------------------------------


def _begins(encoded, mark):
    return tf.strings.substr(encoded, 0, len(mark)) == mark


def may_decode(encoded):
    """Whether a file begins as those do that `decode_image` takes."""
    marks = [b"\xff\xd8", _PNG[:2], _GIF[:2], _BMP]
    return tf.reduce_any(tf.strings.substr(encoded, 0, 2) == marks)


def image_sides(encoded):
    """Height and width by the header of a JPEG, PNG, GIF or BMP, else 0."""

    def two(place, dtype, little_endian=True):
        place = tf.minimum(place, tf.strings.length(encoded))
        size = 2 * dtype.size
        part = tf.strings.substr(encoded, place, size)
        numbers = tf.io.decode_raw(part, dtype, little_endian, size)
        return tf.cast(numbers, tf.int64)

    def of_jpeg():
        return tf.cast(tf.io.extract_jpeg_shape(encoded)[1::-1], tf.int64)

    width_first = tf.case(
        [
            (_begins(encoded, _PNG), lambda: two(16, tf.int32, False) % 2**32),
            (_begins(encoded, _GIF), lambda: two(6, tf.uint16)),
            # A negative height says that the first row is the uppermost.
            (_begins(encoded, _BMP), lambda: tf.abs(two(18, tf.int32))),
            (tf.io.is_jpeg(encoded), of_jpeg),
        ],
        # Asked about another file, the decoder would print a complaint.
        lambda: tf.zeros(2, tf.int64),
    )
    return tf.cast(tf.minimum(width_first, 2**31 - 1), tf.int32)[::-1]


def _check_size(sides):
    """Refuses a file that claims more pixels than memory should hold."""
    pixels = tf.reduce_prod(tf.cast(sides, tf.int64))
    return [
        tf.debugging.assert_less_equal(
            pixels,
            tf.constant(MOST_PIXELS, tf.int64),
            message="The image has too many pixels.",
        ),
        tf.debugging.assert_positive(
            pixels, message="The file is no JPEG, PNG, GIF or BMP."
        ),
    ]


def decode_image(encoded, channels: int = 3, exif: bool = False):
    """Decodes JPEG, PNG, GIF or BMP of 24 bits in a graph, as uint8.

    A file that breaks off or has too many pixels is an error. `channels` are
    3, or of JPEG and PNG 1; `exif` turns an image as viewers show it.
    """

    def by_any():
        return tf.io.decode_image(encoded, 3, expand_animations=False)

    def by_jpegs_kernel():
        # It reads PNG too, and alone has the exact method.
        return tf.io.decode_jpeg(encoded, channels, **_EXACTLY)

    with tf.control_dependencies(_check_size(image_sides(encoded))):
        if channels == 3:
            is_other = _begins(encoded, _GIF) | _begins(encoded, _BMP)
            image = tf.cond(is_other, by_any, by_jpegs_kernel)
        else:
            image = by_jpegs_kernel()
    image = tf.ensure_shape(image, (None, None, channels))
    return turn(image, exif_orientation(encoded)) if exif else image


def decode_window(encoded, window_of, orientation=None):
    """Decodes a window of a file in a graph; of a JPEG nothing but that.

    Args:
        encoded: string scalar, as `decode_image` takes it.
        window_of: function of height and width, as the image is shown, to
            int32 `(4,)` ymin, xmin, ymax, xmax in pixels.
        orientation: as in `orientation.turn`.

    Returns:
        uint8 pixels, the window, and the sides of the image as it is shown.
    """

    def of_jpeg():
        sides = tf.io.extract_jpeg_shape(encoded)[:2]
        sides = turned_sides(sides, orientation)
        window = window_of(sides[0], sides[1])
        place = stored_window(window, sides, orientation)
        place = tf.concat([place[:2], place[2:] - place[:2]], axis=0)
        part = tf.io.decode_and_crop_jpeg(encoded, place, 3, **_EXACTLY)
        return turn(part, orientation), window, sides

    def of_other():
        image = turn(decode_image(encoded), orientation)
        sides = tf.shape(image)[:2]
        window = window_of(sides[0], sides[1])
        ymin, xmin, ymax, xmax = tf.unstack(window)
        return image[ymin:ymax, xmin:xmax], window, sides

    return tf.cond(tf.io.is_jpeg(encoded), of_jpeg, of_other)


# Outside of graphs -----------------------------------------------------------


def read_image(source, channels: int = 3, exif: bool = True) -> np.ndarray:
    """Any image as uint8 pixels `(height, width, channels)`.

    Args:
        source: path of a file; its bytes; a Pillow image; or an array
            `(height, width)` or `(height, width, 1, 3 or 4)` in [0, 255], of
            which a fourth channel is left out.
        channels: 3 for colours, 1 for gray.
        exif: whether an image that was stored turned is turned as viewers
            show it; arrays say nothing of that.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImage: it holds no image that can be read.
        ValueError: the values of an array are no pixels.
    """
    if isinstance(source, (str, os.PathLike)):
        try:
            encoded = read_bytes(source)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadableImage(_quoted(source), one_line(error)) from error
        return _of_bytes(encoded, _quoted(source), channels, exif)
    if isinstance(source, (bytes, bytearray, memoryview)):
        name = f"the image {bytes(source[:_SHOWN_BYTES])!r}"
        return _of_bytes(bytes(source), name, channels, exif)
    if hasattr(source, "convert") and hasattr(source, "getbands"):
        path = getattr(source, "filename", "")
        name = _quoted(path) if path else "the Pillow image"
        return _of_pillow(source, name, channels, exif)
    return _of_array(source, channels)


def _quoted(path):
    return repr(plain(os.fspath(path), _LONGEST_NAME))


def _check_pixels(name, height, width):
    if height * width > MOST_PIXELS:
        raise UnreadableImage(
            name,
            f"{height} x {width} are too many pixels, at most {MOST_PIXELS:,} "
            "are read; make it smaller",
        )


def _of_bytes(encoded, name, channels, exif):
    if not encoded:
        raise UnreadableImage(name, "it is empty (0 bytes)")
    kinds = [k for m, k in _OF_TENSORFLOW.items() if encoded.startswith(m)]
    if not kinds or (kinds == ["GIF"] and channels != 3):
        from PIL import Image

        with _told(name), Image.open(io.BytesIO(encoded)) as image:
            return _of_pillow(image, name, channels, exif)
    try:
        return decode_image(encoded, channels, exif).numpy()
    # TensorFlow fails to say what it found in bytes that are no text.
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        if "too many pixels" in str(error):
            _check_pixels(name, *image_sides(encoded).numpy().tolist())
        reason = f"the {kinds[0]} file is damaged or breaks off"
        raise UnreadableImage(name, reason) from error


@contextlib.contextmanager
def _told(name):
    """Names an image in whatever Pillow raises on damaged bytes."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:
        reason = _REASONS.get(type(error).__name__) or one_line(error)
        raise UnreadableImage(name, reason) from error


def _of_pillow(image, name, channels, exif):
    """Pixels of a Pillow image, of which a damaged one is an error."""
    from PIL import ImageOps

    _check_pixels(name, image.height, image.width)
    is_file, mode = image.format is not None, "L" if channels == 1 else "RGB"
    with _told(name):
        # Pillow turns a TIFF by itself.
        if exif and image.format != "TIFF":
            image = ImageOps.exif_transpose(image)
        if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            image = image.convert(mode)
        values = np.asarray(image)
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and is_file)
    if is_16_bit and 0 <= values.min() and values.max() < 2**16:
        values = values >> 8
    return _of_array(values, channels)


def _of_array(source, channels):
    rule = "a path, the bytes of a file, a Pillow image or an array "
    rule += "(height, width, 3)"
    array = arguments.array("image", source, (2, 3), "fiu", rule=rule)
    if array.dtype.name == "bfloat16":
        array = array.astype("float32")
    if array.ndim == 2:
        array = array[..., np.newaxis]
    shape = array.shape
    if shape[-1] not in (1, 3, 4) or not array.size:
        arguments.refuse("image", source, rule)
    _check_pixels("the array", *shape[:2])
    pixels = array[..., :3]
    if array.dtype != np.uint8:
        low, high = array.min(), array.max()
        small = array.dtype.kind == "f" and 0 < high <= 1
        if small or not (0 <= low and high <= 255):
            raise ValueError(
                "The pixels of an image must be in [0, 255], as in a file. "
                f"Received: image={arguments.shown(source)} from {low} to "
                f"{high}"
            )
        pixels = np.round(pixels).astype("uint8")
    if channels == 3:
        return np.broadcast_to(pixels, (*shape[:2], 3))
    if shape[-1] == 1:
        return pixels
    # ITU-R BT.601, as decoders make gray of colours.
    luma = pixels @ np.array([[0.299], [0.587], [0.114]])
    return np.round(luma).astype("uint8")
