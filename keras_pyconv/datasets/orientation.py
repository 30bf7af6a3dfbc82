"""Images that a camera stored turned, and said so in the file (EXIF).

Decoders give an image as it is stored; viewers, and so most tools that draw
boxes, turn it. The eight orientations are a transposition or none, then a
mirror image left to right, top to bottom, both or none.
"""

import concurrent.futures
import dataclasses
import importlib.util
import os
import warnings

import tensorflow as tf

AS_STORED = 1
_TRANSPOSED = (5, 6, 7, 8)
_LEFT_TO_RIGHT = (2, 3, 6, 7)
_TOP_TO_BOTTOM = (3, 4, 7, 8)
_TAG = 0x0112  # of the orientation in EXIF
_THREADS = 4 * (os.cpu_count() or 1)  # they wait for the disk


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first bytes of an image file say.

    Attributes:
        height: as it is stored, in pixels.
        width: likewise.
        orientation: from 1 to 8, as EXIF counts them.
    """

    height: int
    width: int
    orientation: int

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width as a decoder gives them."""
        return self.height, self.width

    @property
    def is_turned(self) -> bool:
        """Whether a viewer shows it otherwise than it is stored."""
        return self.orientation != AS_STORED

    @property
    def turned(self) -> tuple[int, int]:
        """Height and width as a viewer shows them."""
        if self.orientation in _TRANSPOSED:
            return self.width, self.height
        return self.stored


def _header(path):
    from PIL import Image

    try:
        with Image.open(path) as image:
            # A PNG's own `getexif` decodes all of it first.
            found = Image.Image.getexif(image).get(_TAG, AS_STORED)
            # Pillow turns a TIFF by itself.
            if image.format == "TIFF" or found not in range(1, 9):
                found = AS_STORED
            width, height = image.size
            return Header(height, width, int(found))
    # A decoder may raise anything on bytes that are no image.
    except Exception:
        return None


def headers(paths) -> list[Header | None]:
    """The headers of image files; None of those that Pillow cannot read.

    No pixel is decoded; it takes about 0.2 ms a file.

    Args:
        paths: of the files.

    Raises:
        ImportError: if Pillow is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise ImportError(
            "The headers of image files are read by Pillow, which is not "
            "installed: pip install pillow"
        )
    with warnings.catch_warnings():
        # Of sizes that decoders refuse later, of EXIF that is damaged.
        warnings.simplefilter("ignore")
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(_header, paths))


def _where(orientation, those, function, value):
    """The value by the function, where the orientation is one of those."""
    is_one = tf.reduce_any(tf.equal(orientation, those))
    return tf.cond(is_one, lambda: function(value), lambda: value)


def turn(image, orientation):
    """A decoded image as a viewer shows it.

    Args:
        image: tensor `(height, width, channels)`, as it is stored.
        orientation: int32 scalar from 1 to 8; None is 1.

    Returns:
        Tensor of the same type.
    """
    if orientation is None:
        return image
    channels = image.shape[-1]
    for those, function in (
        (_TRANSPOSED, lambda x: tf.transpose(x, (1, 0, 2))),
        (_LEFT_TO_RIGHT, lambda x: tf.reverse(x, [1])),
        (_TOP_TO_BOTTOM, lambda x: tf.reverse(x, [0])),
    ):
        image = _where(orientation, those, function, image)
    return tf.ensure_shape(image, (None, None, channels))


def turned_sides(sides, orientation):
    """Height and width as a viewer shows an image.

    Args:
        sides: int32 `(2,)`, height and width as it is stored.
        orientation: int32 scalar from 1 to 8; None is 1.
    """
    if orientation is None:
        return sides
    return _where(orientation, _TRANSPOSED, lambda x: x[::-1], sides)


def stored_window(window, sides, orientation):
    """Where a window of a turned image lies in the stored one.

    Args:
        window: int32 `(4,)` ymin, xmin, ymax, xmax in pixels of the image as
            a viewer shows it.
        sides: int32 `(2,)`, height and width as a viewer shows it.
        orientation: int32 scalar from 1 to 8; None is 1.

    Returns:
        int32 `(4,)` ymin, xmin, ymax, xmax in pixels of the stored image.
    """
    if orientation is None:
        return window

    def mirrored(axis):
        def of(window):
            ends = tf.unstack(window)
            low, high = ends[axis], ends[axis + 2]
            ends[axis], ends[axis + 2] = sides[axis] - high, sides[axis] - low
            return tf.stack(ends)

        return of

    window = _where(orientation, _TOP_TO_BOTTOM, mirrored(0), window)
    window = _where(orientation, _LEFT_TO_RIGHT, mirrored(1), window)
    swap = [1, 0, 3, 2]
    return _where(
        orientation, _TRANSPOSED, lambda x: tf.gather(x, swap), window
    )
