"""A picture that a camera stored turned is turned as a viewer turns it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.orientation import (
    Header,
    headers,
    stored_window,
    turn,
    turned_sides,
)
from tests.datasets import scenes

Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
PICTURE = np.random.default_rng(1).integers(0, 255, (5, 7, 3), "uint8")
ALL = range(1, 9)


@pytest.mark.parametrize("orientation", ALL)
def test_a_turned_picture_is_what_a_viewer_shows(orientation):
    stored = np.asarray(scenes.stored(PICTURE, orientation))
    shown = turn(stored, tf.constant(orientation))
    np.testing.assert_array_equal(shown, PICTURE)
    sides = tf.shape(stored)[:2]
    sides = turned_sides(sides, tf.constant(orientation))
    assert sides.numpy().tolist() == [5, 7]


@pytest.mark.parametrize("orientation", ALL)
def test_a_window_holds_the_same_pixels_stored_and_turned(orientation):
    stored = np.asarray(scenes.stored(PICTURE, orientation))
    window = (1, 2, 4, 7)
    place = stored_window(
        tf.constant(window), tf.constant([5, 7]), tf.constant(orientation)
    )
    ymin, xmin, ymax, xmax = place.numpy()
    part = turn(stored[ymin:ymax, xmin:xmax], tf.constant(orientation))
    np.testing.assert_array_equal(part, PICTURE[1:4, 2:7])


def test_without_an_orientation_all_stays():
    assert turn(PICTURE, None) is PICTURE
    assert stored_window(4, 5, None) == 4 and turned_sides(6, None) == 6


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_header_says_the_size_and_the_turn(kind, orientation, tmp_path):
    path = tmp_path / f"a.{kind}"
    scenes.save_turned(path, PICTURE, orientation)
    (header,) = headers([path])
    assert header.turned == (5, 7) and header.orientation == orientation
    with Image.open(path) as image:
        assert header.stored == np.asarray(image).shape[:2]


def test_a_tiff_is_turned_by_pillow_already(tmp_path):
    path = tmp_path / "a.tiff"
    scenes.save_turned(path, PICTURE, 6)
    with Image.open(path) as image:
        assert np.asarray(image).shape[:2] == (5, 7)
    assert headers([path]) == [Header(5, 7, 1)]


def test_a_header_is_read_without_the_pixels(tmp_path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), "uint8")
    scenes.save_turned(path, noise, 6)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 8])
    assert headers([path]) == [Header(200, 200, 6)]


def test_files_without_a_header_have_none(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8 no more")
    strange = tmp_path / "b.jpg"
    scenes.save_turned(strange, PICTURE, 9)
    found = headers([path, tmp_path / "absent.png", strange])
    assert found == [None, None, Header(5, 7, 1)]
