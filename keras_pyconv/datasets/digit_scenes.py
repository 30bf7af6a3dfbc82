"""Real handwritten digits of many sizes, composed onto real photographs.

Lengths are in pixels, boxes are (ymin, xmin, ymax, xmax) with exclusive ends,
around what ink covers by half or more; their height is the digit's size.
"""

import functools
import math
import typing

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.typing import Array, ArrayLike

SPLITS = ("train", "test")

# The last fifth of the file, in one piece: neighbours are often by one hand.
FIRST_TEST_DIGIT = 1437

# First and last column in china.jpg and in flower.jpg. The pagoda and the
# dahlia are cut in the middle, so that both splits see the like, never the
# same. 16 columns between them are unused, the width of a JPEG block with
# its subsampled colours: compression carries nothing across.
PHOTO_COLUMNS = {
    "train": ((208, 640), (320, 640)),
    "test": ((0, 192), (112, 304)),
}
CROP_SIDES = (96, 192)

SMALLEST = 1 / 8
LARGEST = 7 / 8
MAX_TURN = 12.0  # degrees, to either side
MAX_STRETCH = 1.15  # of the width, either way
PHOTO_LIGHT = 0.4  # of the photograph's own: the digit is always lighter
MIN_CONTRAST = 0.35  # of the luminance range, above the mean beneath

# Steps down, to a side, and in size.
MOTIONS = {
    "up": (-1, 0, 0),
    "down": (1, 0, 0),
    "sideways": (0, 1, 0),
    "grow": (0, 0, 1),
    "shrink": (0, 0, -1),
    "still": (0, 0, 0),
}
TRAVEL = (0.4, 0.8)  # of the frame, or of the range of sizes, in one clip

SIZE_CLASSES = ("small", "medium", "large")
SIZE_EDGES = (0.25, 0.5)  # fractions of the frame's height

_LUMA = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R BT.601
_WHITE = np.ones((1, 3), "float32")
_CELL = 8  # pixels for each of the 8 x 8 cells, before the ink is resized
# The cells count ink from 0 to 16. Steepening the ramp around 7 turns the
# blur of a large digit back into a stroke, and keeps a soft edge.
_INK = np.clip((np.arange(256) - 72) / 80, 0, 1)
_INK = np.round(255 * _INK).astype("uint8")


class Sources(typing.NamedTuple):
    """The digits and photographs of one split, and nothing of the other."""

    digits: np.ndarray  # uint8 (count, 8, 8), ink from 0 to 255
    digit_ids: np.ndarray  # positions in scikit-learn's file
    labels: np.ndarray
    photos: tuple  # the split's columns of each, as PIL images
    lefts: tuple  # the first of these columns in each whole photograph


class Digit(typing.NamedTuple):
    """One digit in an image: what it is, and where."""

    label: int
    digit_id: int
    box: tuple
    area: int
    color: np.ndarray

    @property
    def size(self) -> int:
        return self.box[2] - self.box[0]


class Backdrop(typing.NamedTuple):
    """A square of a photograph at the image's size, float in [0, 1]."""

    pixels: np.ndarray
    photo: int
    crop: tuple


class Scene(typing.NamedTuple):
    """An image uint8 (size, size, 3), and its digits, the largest first.

    `instances`, uint8 (size, size), is k on the k-th digit, counted from one.
    """

    image: np.ndarray
    digits: tuple
    instances: np.ndarray
    backdrop: Backdrop


class Clip(typing.NamedTuple):
    """Frames uint8 (frames, size, size, 3), and the digit's size in each."""

    frames: np.ndarray
    motion: int
    label: int
    digit_id: int
    sizes: np.ndarray
    backdrop: Backdrop


@functools.lru_cache(maxsize=None)
def sources(split: str) -> Sources:
    """The digits and photographs that a split may use."""
    arguments.one_of("split", split, SPLITS)
    from PIL import Image
    from sklearn.datasets import load_digits, load_sample_images

    digits = load_digits()
    ids = np.arange(len(digits.target))
    ids = ids[(ids < FIRST_TEST_DIGIT) == (split == "train")]
    columns = PHOTO_COLUMNS[split]
    return Sources(
        digits=np.round(digits.images[ids] * (255 / 16)).astype("uint8"),
        digit_ids=ids,
        labels=digits.target[ids],
        # A copy of these columns alone: resizing cannot read beyond them.
        photos=tuple(
            Image.fromarray(np.ascontiguousarray(photo[:, left:right]))
            for photo, (left, right) in zip(
                load_sample_images().images, columns
            )
        ),
        lefts=tuple(left for left, _ in columns),
    )


def size_class(size: ArrayLike, image_size: int) -> Array:
    """Indices into `SIZE_CLASSES` of heights in a frame, all in pixels.

    0 is below a quarter of the frame, 1 below a half, and 2 from there on.
    """
    size = arguments.array("size", size)
    arguments.integer("image_size", image_size)
    return np.digitize(size / image_size, SIZE_EDGES)


def random_scene(
    rng: np.random.Generator,
    source: Sources,
    image_size: int,
    labels: list,
    size_range: tuple = (SMALLEST, LARGEST),
) -> Scene:
    """Puts digits of the given labels where none touches another.

    Sizes are log-uniform over `size_range`, as fractions of the frame, the
    upper end divided by sqrt(n) for n digits. A digit that finds no room in 50
    tries is left out; the first never is.
    """
    backdrop = _random_backdrop(rng, source, image_size)
    canvas = backdrop.pixels.copy()
    instances = np.zeros((image_size, image_size), "uint8")
    digits = []
    smallest, largest = size_range
    largest = max(smallest, largest / math.sqrt(max(len(labels), 1)))
    growth = largest / smallest
    heights = [smallest * growth ** rng.random() for _ in labels]
    taken = np.zeros((image_size, image_size), bool)
    for height, label in sorted(zip(heights, labels), reverse=True):
        row, ink = _random_ink(rng, source, label)
        cover = _cover(ink, height * image_size, image_size)
        place = _free_place(rng, taken, cover.shape)
        if place is None:
            continue
        window = tuple(map(slice, place, np.add(place, cover.shape)))
        taken[window] = True
        color = _lighter_color(rng, backdrop.pixels[window])
        canvas[window] += cover[..., None] * (color - canvas[window])
        inside = cover >= 0.5
        instances[window][inside] = len(digits) + 1
        digits.append(
            Digit(
                int(label),
                int(source.digit_ids[row]),
                _box(inside, place),
                int(inside.sum()),
                color,
            )
        )
    return Scene(_to_bytes(canvas), tuple(digits), instances, backdrop)


def random_clip(
    rng: np.random.Generator,
    source: Sources,
    image_size: int,
    frames: int,
    motion: int,
    size_range: tuple = (SMALLEST, LARGEST),
) -> Clip:
    """A digit that moves, grows, shrinks or stays, over a still photograph.

    The frame is a torus, and so are sizes: what leaves enters at the other
    end. So in every frame places and sizes are as likely under one motion as
    under another, and no frame alone tells the motion, an index into
    `MOTIONS`. "sideways" goes either way, so that clips can be mirrored.
    """
    backdrop = _random_backdrop(rng, source, image_size)
    still = backdrop.pixels
    color = _lighter_color(rng, still)
    label = int(rng.integers(10))
    row, ink = _random_ink(rng, source, label)
    start = rng.random(3)
    path = rng.uniform(*TRAVEL) * np.linspace(0, 1, frames)
    side = 1 if rng.random() < 0.5 else -1
    steps = np.multiply([*MOTIONS.values()][motion], (1, side, 1))
    track = (start + path[:, None] * steps) % 1.0
    pictures, sizes = [], []
    low, high = size_range
    for y, x, scale in track:
        height = image_size * low * (high / low) ** scale
        cover = _cover(ink, height, image_size)
        sizes.append(_height(cover >= 0.5))
        spread = _around(cover, y * image_size, x * image_size, image_size)
        pictures.append(_to_bytes(still + spread[..., None] * (color - still)))
    return Clip(
        np.stack(pictures),
        int(motion),
        label,
        int(source.digit_ids[row]),
        np.array(sizes, "float32"),
        backdrop,
    )


def _random_backdrop(rng, source, image_size):
    from PIL import Image

    index = int(rng.integers(len(source.photos)))
    photo = source.photos[index]
    side = int(rng.integers(CROP_SIDES[0], CROP_SIDES[1] + 1))
    left = int(rng.integers(photo.width - side + 1))
    top = int(rng.integers(photo.height - side + 1))
    window = photo.crop((left, top, left + side, top + side))
    window = window.resize((image_size, image_size), Image.Resampling.BICUBIC)
    left += source.lefts[index]
    crop = (top, left, top + side, left + side)
    return Backdrop(PHOTO_LIGHT * _from_bytes(window), index, crop)


def _random_ink(rng, source, label):
    """A digit of the label, turned and stretched: its row, and its ink."""
    from PIL import Image

    row = int(rng.choice(np.flatnonzero(source.labels == label)))
    angle = rng.uniform(-MAX_TURN, MAX_TURN)
    stretch = MAX_STRETCH ** rng.uniform(-1, 1)
    side = 12 * _CELL
    sheet = Image.fromarray(np.pad(source.digits[row], 2))
    size = (round(side * stretch), side)
    sheet = sheet.resize(size, Image.Resampling.BICUBIC)
    sheet = sheet.rotate(angle, Image.Resampling.BILINEAR)
    ink = _INK[np.asarray(sheet)]
    top, left, bottom, right = _box(ink >= 128)
    return row, Image.fromarray(ink[top:bottom, left:right])


def _cover(ink, height, image_size):
    """How far ink covers each pixel, 0 to 1, for a digit of that height."""
    from PIL import Image

    aspect = ink.width / ink.height
    height = round(min(height, LARGEST * image_size / max(aspect, 1)))
    # A round top covers its row of pixels by less than half: grow until
    # the rows that count are as many as asked for.
    for grown in range(height, height + 3):
        width = max(2, round(grown * aspect))
        cover = ink.resize((width, grown), Image.Resampling.HAMMING)
        cover = _from_bytes(cover)
        if _height(cover >= 0.5) >= height:
            break
    return cover


def _free_place(rng, taken, shape):
    """Top and left of a window that holds no other digit, or None."""
    room = np.array(taken.shape) - shape + 1
    for top, left in rng.integers(0, room, (50, 2)):
        if not taken[top : top + shape[0], left : left + shape[1]].any():
            return int(top), int(left)
    return None


def _box(inside, place=(0, 0)):
    places = np.argwhere(inside) + place
    return (*places.min(0).tolist(), *(places.max(0) + 1).tolist())


def _around(cover, center_y, center_x, image_size):
    """A cover around a centre of the torus, at the size of the frame."""
    height, width = cover.shape
    rows = (round(center_y - height / 2) + np.arange(height)) % image_size
    columns = (round(center_x - width / 2) + np.arange(width)) % image_size
    spread = np.zeros((image_size, image_size), "float32")
    spread[rows[:, None], columns] = cover
    return spread


def _lighter_color(rng, beneath):
    """A random colour lighter than the mean beneath by the least contrast."""
    # White is the last resort: a dimmed photograph always leaves it room.
    colors = np.concatenate([rng.random((32, 3), dtype="float32"), _WHITE])
    mean = (beneath * _LUMA).sum(-1).mean()
    return colors[((colors * _LUMA).sum(1) >= mean + MIN_CONTRAST).argmax()]


def _height(inside):
    """The rows from the first to the last of which any pixel is inside."""
    return np.ptp(np.flatnonzero(inside.any(1))) + 1


def _from_bytes(pixels):
    return np.asarray(pixels) * np.float32(1 / 255)


def _to_bytes(pixels):
    return (pixels * 255 + 0.5).astype("uint8")
