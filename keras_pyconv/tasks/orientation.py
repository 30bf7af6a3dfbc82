"""Images that a camera stored turned, and said so in the file (EXIF)."""

import concurrent.futures
import os
import warnings
from typing import NamedTuple

import numpy as np

from keras_pyconv import storage
from keras_pyconv.lazy import needed, tf

AS_STORED = 1
TURNED = "pictures turned as EXIF says, which their size cannot confirm"
LEFT = "pictures not turned as EXIF says, as no other of the set is"
_TRANSPOSED = (5, 6, 7, 8)
_LEFT_TO_RIGHT = (2, 3, 6, 7)
_TOP_TO_BOTTOM = (3, 4, 7, 8)
_TAG = 0x0112  # of the orientation in EXIF
_THREADS = 4 * (os.cpu_count() or 1)  # they wait for the disk


class Header(NamedTuple):
    """Height and width as stored, in pixels, and EXIF's orientation, 1 to 8."""

    height: int
    width: int
    orientation: int

    def __str__(self):
        said = f"{self.height} x {self.width}"
        if self.turned == self.stored:
            return said
        return f"{said}, turned by EXIF {self.width} x {self.height}"

    @property
    def stored(self) -> tuple[int, int]:
        """Height and width as a decoder gives them."""
        return self.height, self.width

    @property
    def turned(self) -> tuple[int, int]:
        """Height and width as a viewer shows them."""
        sides = self.stored
        return sides[::-1] if self.orientation in _TRANSPOSED else sides


def header_of(file) -> Header | None:
    """The header of an image's path, or stream, which is closed, or None."""
    from PIL import Image

    try:
        opened = file if hasattr(file, "read") else storage.opened(file)
        with opened as stream, Image.open(stream) as image:
            # A PNG's own `getexif` decodes all of it first.
            found = Image.Image.getexif(image).get(_TAG, AS_STORED)
            # Pillow turns a TIFF by itself.
            if image.format == "TIFF" or found not in range(1, 9):
                found = AS_STORED
            return Header(image.height, image.width, int(found))
    # A decoder may raise anything on bytes that are no image.
    except Exception:
        return None


def headers(paths) -> list[Header | None]:
    """The headers of image files, None where Pillow cannot read one."""
    needed("PIL", "Reading image headers", "Pillow")
    with warnings.catch_warnings():
        # Of sizes that decoders refuse later, of EXIF that is damaged.
        warnings.simplefilter("ignore")
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(header_of, paths))


def _is_to_turn(header, size):
    """Whether an image must be turned for a size; None where both fit."""
    if header is None or header.orientation == AS_STORED:
        return False
    if header.stored == header.turned == size:
        return None
    return header.turned == size


def orientations(found, sizes) -> tuple[np.ndarray, dict[str, int]]:
    """How files lie that must be turned for the boxes or masks of them.

    An image is turned as a viewer does where that gives it the size which
    its boxes or mask are for. Where both sizes are one, the other images of
    the set tell its custom; without any, images are turned. Gives int32 from
    1 to 8, and how many were doubtful by what was done.
    """
    turns = [_is_to_turn(*pair) for pair in zip(found, sizes)]
    decided = [
        turn
        for turn, header in zip(turns, found)
        if turn is not None and header and header.turned != header.stored
    ]
    default = any(decided) or not decided
    doubtful = turns.count(None)
    problems = {TURNED if default else LEFT: doubtful} if doubtful else {}
    chosen = [
        header.orientation if turn or (turn is None and default) else AS_STORED
        for turn, header in zip(turns, found)
    ]
    return np.array(chosen, "int32"), problems


# In a graph ------------------------------------------------------------------

# What JPEG and PNG call the block, and how it begins.
_MARKS = (r"Exif\x00\x00", "eXIf")
_BEGINNING = r"(II\*\x00|MM\x00\*)"
_HEAD = 2**16  # bytes of a file in which it is looked for
_ENTRIES = 512  # at most so many are read
_SHORT = 3  # the type of an orientation
# How most JPEGs begin that have no EXIF, which would come before the tables
# (FF DB); between are a version and a density, which may be any.
_WITHOUT = np.frombuffer(
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xdb", "uint8"
)
_ANY = (np.arange(len(_WITHOUT)) > 10) & (_WITHOUT == 0)


def exif_orientation(encoded):
    """The orientation that a JPEG or PNG file notes, int32, or 1."""
    beginning = tf.io.decode_raw(
        tf.strings.substr(encoded, 0, len(_WITHOUT)),
        tf.uint8,
        fixed_length=len(_WITHOUT),
    )
    is_without = tf.reduce_all((beginning == _WITHOUT) | _ANY)
    return tf.cond(
        is_without,
        lambda: tf.constant(AS_STORED),
        lambda: _searched(tf.strings.substr(encoded, 0, _HEAD)),
    )


def _searched(head):
    # A search for fixed letters passes over 64 KiB in 5 microseconds; one that
    # begins with a choice takes 90.
    without = [
        tf.strings.regex_replace(head, mark + _BEGINNING, "", False)
        for mark in _MARKS
    ]
    lengths = tf.strings.length(tf.stack(without))
    is_there = tf.reduce_any(lengths != tf.strings.length(head))
    return tf.cond(
        is_there, lambda: _noted(head), lambda: tf.constant(AS_STORED)
    )


def _noted(head):
    """The orientation of the first block of EXIF, which is laid out as TIFF."""
    block = tf.strings.regex_replace(
        head, rf"\A\C*?(?:{'|'.join(_MARKS)}){_BEGINNING}", r"\1", False
    )
    is_big = tf.strings.substr(block, 0, 1) == b"M"
    length = tf.strings.length(block)

    def read(place, count):
        place = tf.clip_by_value(place, 0, length)
        part = tf.strings.substr(block, place, count)
        values = tf.io.decode_raw(part, tf.uint8, fixed_length=count)
        return tf.cast(values, tf.int32)

    def number(digits):
        order = tf.where(is_big, digits, tf.reverse(digits, [-1]))
        weights = [256**n for n in range(digits.shape[-1])][::-1]
        return tf.reduce_sum(order * weights, axis=-1)

    # A block is shorter than 64 KiB, so that two bytes of four are enough.
    four = tf.ensure_shape(read(4, 4), (4,))
    first = number(tf.where(is_big, four[2:], four[:2]))
    count = number(tf.ensure_shape(read(first, 2), (2,)))
    count = tf.clip_by_value(count, 1, _ENTRIES)
    entries = tf.reshape(read(first + 2, 12 * count), (-1, 12))
    wanted = number(entries[:, :2]) == _TAG
    wanted &= number(entries[:, 2:4]) == _SHORT
    noted = tf.reduce_max(tf.where(wanted, number(entries[:, 8:10]), 0))
    return tf.where((noted >= 1) & (noted <= 8), noted, AS_STORED)


def _is_one(orientation, those):
    return tf.reduce_any(tf.equal(orientation, those))


def turn(image, orientation):
    """A decoded image as a viewer shows it.

    An orientation is an int32 scalar from 1 to 8; None is 1.
    """
    if orientation is None:
        return image

    def turned():
        found = image
        for those, function, axes in (
            (_TRANSPOSED, tf.transpose, (1, 0, 2)),
            (_LEFT_TO_RIGHT, tf.reverse, [1]),
            (_TOP_TO_BOTTOM, tf.reverse, [0]),
        ):
            found = tf.cond(
                _is_one(orientation, those),
                lambda: function(found, axes),
                lambda: found,
            )
        return found

    # Most lie as they are shown.
    found = tf.cond(orientation == AS_STORED, lambda: image, turned)
    return tf.ensure_shape(found, (None, None, image.shape[-1]))


def turned_sides(sides, orientation):
    """Height and width, int32 `(2,)`, as a viewer shows a stored image."""
    if orientation is None:
        return sides
    return tf.where(_is_one(orientation, _TRANSPOSED), sides[::-1], sides)


def stored_window(window, sides, orientation):
    """Where a window of a turned image of some sides is in the stored one."""
    if orientation is None:
        return window
    corners = tf.reshape(window, (2, 2))
    mirrored = tf.stack(
        [_is_one(orientation, x) for x in (_TOP_TO_BOTTOM, _LEFT_TO_RIGHT)]
    )
    corners = tf.where(mirrored, (sides - corners)[::-1], corners)
    is_transposed = _is_one(orientation, _TRANSPOSED)
    corners = tf.where(is_transposed, corners[:, ::-1], corners)
    return tf.reshape(corners, (4,))
