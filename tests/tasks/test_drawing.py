"""Drawings can be read at any size of image."""

import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs Pillow")

from keras_pyconv.tasks import Detections, Segmentation  # noqa: E402
from keras_pyconv.tasks.detection.predict import _colour  # noqa: E402
from keras_pyconv.tasks.drawing import GAP, enlarged, strip  # noqa: E402
from keras_pyconv.tasks.segmentation import palette  # noqa: E402

NAMES = ("cat", "dog", "bird")


def gray(height, width):
    return np.full((height, width, 3), 100, "uint8")


@pytest.mark.parametrize(
    "height, width, times",
    [(64, 64, 5), (64, 100, 4), (320, 5, 1), (1, 1, 320)],
)
def test_a_small_image_is_enlarged_by_a_whole_number(height, width, times):
    image, found = enlarged(gray(height, width))
    assert found == times and image.size == (times * width, times * height)


@pytest.mark.parametrize("side", [8, 64, 500, 2000])
def test_the_label_of_a_box_is_inside_the_drawing_and_readable(side):
    """Also of a box in a corner, where there is no room above or beside."""
    box = np.array([[0, 0.9 * side, 0.1 * side, side]])
    image = gray(side, side)
    found = Detections(box, np.array([1]), np.array([0.5]), NAMES, image)
    drawn = found.draw()
    is_ground = (drawn == _colour(1)).all(-1)
    rows = np.flatnonzero(is_ground.sum(1) > 20)
    assert 13 <= len(rows) and rows[0] <= 2
    # Something is written on it, in black or white.
    label = drawn[rows[0] : rows[-1], np.flatnonzero(is_ground[rows[5]])[0] :]
    assert ((label == 0) | (label == 255)).all(-1).sum() > 20


def test_regions_have_a_legend_in_their_colours():
    labels = np.zeros((64, 64), int)
    labels[:16] = 2
    found = Segmentation(gray(64, 64), labels, None, NAMES)
    below = found.draw()[320 + 2 * GAP :]
    seen = {tuple(map(int, p)) for p in below.reshape(-1, 3)}
    colours = [tuple(map(int, colour)) for colour in palette(3)]
    assert colours[0] in seen and colours[2] in seen
    assert colours[1] not in seen


def test_frames_have_gaps_between_them():
    drawn = np.asarray(strip([gray(8, 8)] * 3, 20))
    assert drawn.shape == (20, 3 * 20 + 2 * GAP, 3)
    assert (drawn[:, 20 : 20 + GAP] == 255).all()
    assert (drawn[:, 20 + GAP : 40 + GAP] == 100).all()
