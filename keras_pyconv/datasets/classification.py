"""Batches of labelled images, as the paper's networks learn from them."""

import math
from collections.abc import Callable
from typing import Any

from keras_pyconv import arguments
from keras_pyconv.datasets.broken import BrokenPictures
from keras_pyconv.datasets.picture_sets import PictureSet
from keras_pyconv.datasets.stream import (
    apart,
    evaluation_batches,
    map_or_substitute,
    training_stream,
)
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import decode_image, decode_window, may_decode
from keras_pyconv.tasks.orientation import exif_orientation
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    normalize,
    prepare_picture,
)
from keras_pyconv.tasks.resizing import resize
from keras_pyconv.typing import Batches, Shard, Tensor

AREA = (0.08, 1.0)  # of a random crop, as a share of the image's
ASPECT = (3 / 4, 4 / 3)  # of a random crop, width by height
ATTEMPTS = 10  # to draw a crop that fits, before the central one is taken
Mixing = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
# What the seed of an example is for.
_CROP, _FLIP, _DISTORT, _ERASE = range(4)


def random_crop_box(height, width, seed, area=AREA, aspect=ASPECT):
    """A random crop `(top, left, height, width)` by torchvision's rule.

    Area and logarithm of the aspect are uniform; of ten draws the first that
    fits is taken, else the largest central crop whose aspect is allowed.
    """
    draws = tf.random.stateless_uniform([ATTEMPTS, 4], seed)
    sides = tf.cast(tf.stack([height, width]), tf.float32)
    areas = area[0] + (area[1] - area[0]) * draws[:, 0]
    low, high = (math.log(bound) for bound in aspect)
    stretch = tf.exp(0.5 * (low + (high - low) * draws[:, 1]))
    root = tf.sqrt(areas * tf.reduce_prod(sides))
    crops = tf.round(tf.stack([root / stretch, root * stretch], axis=1))
    fits = tf.reduce_all((crops >= 1.0) & (crops <= sides), axis=1)
    first = tf.argmax(fits)
    # A uniform draw below one, times the number of places that there are.
    corner = tf.floor(draws[first, 2:] * (sides - crops[first] + 1.0))
    corner = tf.minimum(corner, sides - crops[first])
    drawn = tf.concat([corner, crops[first]], axis=0)
    largest = tf.round(tf.stack([sides[1] / aspect[0], sides[0] * aspect[1]]))
    largest = tf.minimum(sides, tf.maximum(largest, 1.0))
    central = tf.concat([(sides - largest) // 2.0, largest], axis=0)
    return tf.cast(tf.where(tf.reduce_any(fits), drawn, central), tf.int32)


def decode_crop(encoded, seed, area=AREA, exif=False):
    """Decodes a random crop as uint8 RGB; of a JPEG nothing but that crop."""

    def window_of(height, width):
        box = random_crop_box(height, width, seed, area)
        return tf.concat([box[:2], box[:2] + box[2:]], axis=0)

    orientation = exif_orientation(encoded) if exif else None
    return decode_window(encoded, window_of, orientation)[0]


def _cropped(picture, seed, area=AREA):
    sides = tf.unstack(tf.shape(picture)[:2])
    top, left, height, width = tf.unstack(random_crop_box(*sides, seed, area))
    return picture[top : top + height, left : left + width]


def _target(pictures, example, one_hot=False):
    """The number of an example's class, or a row of a share of each."""
    label = example["label"]
    if label.shape.rank:
        return tf.cast(label, tf.float32)
    if one_hot or pictures.multi_label:
        return tf.one_hot(label, len(pictures.classes))
    return tf.cast(label, tf.int64)


def training_pictures(
    pictures: PictureSet,
    preprocessing: Preprocessing = Preprocessing(),
    *,
    batch_size: int,
    seed: int,
    one_hot: bool = False,
    batch_map: Callable[..., Any] | None = None,
    broken: BrokenPictures | None = None,
    shuffle_buffer: int | None = 16384,
    shard: Shard = (0, 1),
    area: tuple[float, float] = AREA,
    flip: bool = True,
    distort: Callable[[Tensor, Tensor], Tensor] | None = None,
    erase: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Batches:
    """Batches to train on, which can begin at any step.

    What TensorFlow does not decode Pillow does (WebP, TIFF). An image that
    nothing decodes keeps its place as the mean colour, and `broken` counts it.

    Args:
        pictures: the `PictureSet`.
        preprocessing: its `size`, mean, deviation and `exif` are taken.
        batch_size, seed, shard: as in `training_stream`.
        one_hot: give targets as rows of float32, as several labels always are.
        batch_map: as in `training_stream`, such as `cutmix(...)`.
        broken: a `BrokenPictures`; None makes one for this set.
        shuffle_buffer: how many encoded images to shuffle among; of ImageNet
            16,384 are about 1.8 GB.
        area: least and greatest share of an image's area that is cropped.
        flip: whether half of the images are turned left to right.
        distort: function (image, seed) to an image, in [0, 255], such as
            `rand_augment()`.
        erase: the same after normalization, such as `random_erasing()`.

    Returns:
        A function `batches(first_step=0)` to a `tf.data.Dataset` of float32
        images `(batch, size, size, 3)` and labels, int64 `(batch,)` or
        `(batch, classes)`; see `training_stream`.
    """
    arguments.examples("pictures", pictures)
    arguments.instance("preprocessing", preprocessing, Preprocessing)
    arguments.flag("one_hot", one_hot)
    arguments.flag("flip", flip)
    arguments.interval("area", area)
    arguments.function("distort", distort, optional=True)
    arguments.function("erase", erase, optional=True)
    broken = broken or BrokenPictures.among(pictures)
    exif, sides = preprocessing.exif, [preprocessing.size] * 2

    def of_pillow(example, seed):
        decoded = broken.decode(pictures, example, preprocessing, exif)
        return _cropped(decoded, seed, area)

    def of_file(example, seed):
        encoded = pictures.encoded(example)
        return tf.cond(
            may_decode(encoded),
            lambda: decode_crop(encoded, seed, area, exif),
            lambda: of_pillow(example, seed),
        )

    def prepared(crop_of):
        def prepare(example, seed):
            crop = crop_of(example, apart(seed, _CROP))
            square = resize(crop, sides)
            if flip:
                square = tf.image.stateless_random_flip_left_right(
                    square, apart(seed, _FLIP)
                )
            square = tf.ensure_shape(square, (*sides, 3))
            if distort:
                square = distort(square, apart(seed, _DISTORT))
            square = normalize(square, preprocessing)
            if erase:
                square = erase(square, apart(seed, _ERASE))
            return square, _target(pictures, example, one_hot)

        return prepare

    return training_stream(
        pictures.examples,
        pictures.count,
        prepared(of_file),
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
        shard=shard,
        batch_map=batch_map,
        substitute=prepared(of_pillow),
        digest=pictures.digest,
        # What a run from before this was recorded goes on without.
        recorded={"exif": True} if exif else {},
    )


def evaluation_pictures(
    pictures: PictureSet,
    preprocessing: Preprocessing = Preprocessing(),
    *,
    batch_size: int,
    shard: Shard = (0, 1),
    broken: BrokenPictures | None = None,
) -> "tf.data.Dataset":
    """All images once, in their order, for counting errors.

    Batches are equal in size and in number for all workers.

    Args:
        pictures, preprocessing, broken: as in `training_pictures`.
        batch_size: images in a batch of this worker.
        shard: `(index, workers)`; worker `index` gets every `workers`-th.

    Returns:
        `tf.data.Dataset` of float32 images `(batch, size, size, 3)`, int64
        labels `(batch,)`, or float32 `(batch, classes)` of a set of several
        labels, and float32 weights `(batch,)`: 1, or 0 for what cannot be read
        and what fills the last batch up.
    """
    arguments.examples("pictures", pictures)
    arguments.instance("preprocessing", preprocessing, Preprocessing)
    arguments.integer("batch_size", batch_size)
    broken = broken or BrokenPictures.among(pictures)
    shard = arguments.shard(shard)
    exif = preprocessing.exif

    def prepared(image, example, weight):
        label = _target(pictures, example)
        return prepare_picture(image, preprocessing), label, weight

    def prepare(example):
        image = decode_image(pictures.encoded(example), exif=exif)
        return prepared(image, example, 1.0)

    def substitute(example):
        image = broken.decode(pictures, example, preprocessing, exif)
        # One pixel stands for an image that nothing decodes: it is not judged.
        counts = tf.cast(tf.size(image) > 3, tf.float32)
        return prepared(image, example, counts)

    dataset = pictures.examples(None).shard(shard[1], shard[0])
    dataset = map_or_substitute(dataset, prepare, substitute)
    batches = evaluation_batches(dataset, pictures.count, batch_size, shard)
    return batches.prefetch(tf.data.AUTOTUNE)


def cutmix(alpha: float = 1.0, probability: float = 1.0) -> Mixing:
    """CutMix (Yun et al., 2019): a box of each image is its neighbour's.

    One box a batch, as in the code of CutMix; its area is 1 - λ of the
    image's before it is cut off at the edges, λ from Beta(alpha, alpha).
    Images swap boxes in pairs, first with second and so on, so that the
    result does not depend on how a batch is split over workers.

    Args:
        alpha: of the Beta distribution; 1 is the uniform one, as published.
        probability: of mixing a batch at all.

    Returns:
        A function (images, targets, seed) to the same, for `batch_map`.
        Targets are one-hot rows and become a mixture by area.
    """

    arguments.number("alpha", alpha, above=0)
    arguments.number("probability", probability, 0, 1)

    def mix(pictures, targets, seed):
        sides = tf.cast(tf.shape(pictures)[1:3], tf.float32)
        draws = tf.random.stateless_uniform([3], apart(seed, 0))
        gammas = tf.random.stateless_gamma([2], apart(seed, 1), alpha)
        cut = tf.sqrt(gammas[1] / tf.reduce_sum(gammas)) * sides
        cut = tf.where(draws[2] < probability, tf.floor(cut), 0.0)
        start = tf.floor(draws[:2] * sides) - tf.floor(cut / 2.0)
        low, high = tf.maximum(start, 0.0), tf.minimum(start + cut, sides)
        rows, columns = [
            (tf.range(sides[axis]) >= low[axis])
            & (tf.range(sides[axis]) < high[axis])
            for axis in range(2)
        ]
        box = rows[:, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis]
        share = tf.reduce_mean(tf.cast(box, tf.float32))
        mixed = (1.0 - share) * targets + share * _neighbours(targets)
        return tf.where(box, _neighbours(pictures), pictures), mixed

    return mix


def mixup(alpha: float = 0.2, probability: float = 1.0) -> Mixing:
    """Mixup (Zhang et al., 2018): each image is a mean with its neighbour.

    One share a batch, as in the code of mixup, and pairs as in `cutmix`.

    Args:
        alpha: of the Beta distribution of the share; 0.2 as published.
        probability: of mixing a batch at all.

    Returns:
        A function as `cutmix` gives.
    """
    arguments.number("alpha", alpha, above=0)
    arguments.number("probability", probability, 0, 1)

    def mix(pictures, targets, seed):
        chance = tf.random.stateless_uniform([], apart(seed, 0))
        gammas = tf.random.stateless_gamma([2], apart(seed, 1), alpha)
        # Both may be too small for float32.
        share = tf.math.divide_no_nan(gammas[1], tf.reduce_sum(gammas))
        share = tf.where(chance < probability, share, 0.0)
        return tuple(
            (1.0 - share) * values + share * _neighbours(values)
            for values in (pictures, targets)
        )

    return mix


def either(first: Callable[..., Any], second: Callable[..., Any]) -> Mixing:
    """One of two functions for each batch, such as `cutmix()` and `mixup()`.

    Args:
        first, second: functions as `cutmix` gives; both are drawn alike.

    Returns:
        A function as these.
    """
    arguments.function("first", first)
    arguments.function("second", second)

    def mix(pictures, targets, seed):
        draw = tf.random.stateless_uniform([], apart(seed, 0))
        inner = apart(seed, 1)
        return tf.cond(
            draw < 0.5,
            lambda: first(pictures, targets, inner),
            lambda: second(pictures, targets, inner),
        )

    return mix


def _neighbours(batch):
    """The rows in the order 1, 0, 3, 2, 5, 4, ...; an even number."""
    number = batch.shape[0]
    if number % 2:
        raise ValueError(
            "CutMix and Mixup mix pairs of images, so each worker needs "
            f"an even number of images per batch. Received: {number} images"
        )
    return tf.gather(batch, [place ^ 1 for place in range(number)])
