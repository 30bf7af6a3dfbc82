"""A picture is prepared as Pillow and the authors' evaluation prepare it."""

import io

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    central_square,
    imagenet_preprocessing,
    normalize,
    pixels_as_they_are,
    prepare_picture,
)

Image = pytest.importorskip("PIL.Image", reason="Pillow is the reference")
SHAPES = [(300, 500), (517, 411), (64, 65), (1, 1), (1, 300), (901, 37)]


def picture_file(height, width, kind="JPEG", mode="RGB"):
    generator = np.random.default_rng(height + width)
    shape = (max(1, height // 9), max(1, width // 9), 3)
    coarse = Image.fromarray(generator.integers(0, 256, shape, np.uint8))
    file = io.BytesIO()
    coarse.resize((width, height), Image.BICUBIC).convert(mode).save(file, kind)
    return file.getvalue()


def with_pillow(encoded, size, resize):
    """Resize(resize), CenterCrop(size) of torchvision, in Pillow's words."""
    picture = Image.open(io.BytesIO(encoded)).convert("RGB")
    short = min(picture.size)
    sides = [resize * side // short for side in picture.size]
    left, top = (round((side - size) / 2.0) for side in sides)
    picture = picture.resize(sides, Image.BILINEAR)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_square_is_pillows_within_its_rounding(shape, kind):
    encoded = picture_file(*shape, kind)
    square = central_square(decode_image(encoded), 224, 256)
    wanted = with_pillow(encoded, 224, 256)
    # Pillow rounds to whole numbers, once along each axis.
    np.testing.assert_allclose(square, wanted, atol=1.01)


def test_channels_are_shifted_and_scaled():
    made = imagenet_preprocessing()
    pixels = tf.constant([[[0, 255, 51]]], tf.uint8)
    wanted = [-0.485 / 0.229, (1 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    np.testing.assert_allclose(normalize(pixels, made)[0, 0], wanted, rtol=1e-5)


def test_pixels_can_stay_as_they_are():
    picture = tf.range(48, dtype=tf.float32)
    picture = tf.reshape(picture, (4, 4, 3))
    made = prepare_picture(picture, pixels_as_they_are(4))
    np.testing.assert_allclose(made, picture, rtol=1e-5)


def test_the_margin_keeps_its_share_at_other_sizes():
    assert imagenet_preprocessing(224) == Preprocessing(224, 256)
    assert imagenet_preprocessing(448).resize == 512


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 10, "resize": 9}, "at most `resize`. Received: size=10"),
        ({"mean": (0.5,)}, "1 or 3 numbers, one per channel"),
        (
            {"deviation": (1.0, 0.0, 1.0)},
            "positive. Received: deviation=.1.0, 0.0",
        ),
    ],
    ids=["size", "channels", "deviation"],
)
def test_a_preparation_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Preprocessing(**arguments)
