"""Boxes follow the pixels through crops and flips, and seeds decide all."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.datasets import detection as augmentation
from keras_pyconv.datasets.detection import (
    augmented,
    evaluation_scenes,
    training_scenes,
    usable_objects,
)
from keras_pyconv.datasets.detection_sets import coco_files
from keras_pyconv.tasks.detection import decode, default_boxes
from keras_pyconv.tasks.preprocessing import Preprocessing
from tests.datasets import scenes

PIXELS = Preprocessing(mean=(0.0,) * 3, deviation=(1.0,) * 3)
SHAPE = (96, 128)


def _seed(number):
    return tf.constant([3, number], tf.int64)


def _encoded(box, kind, height=150, width=220):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    stream = io.BytesIO()
    picture = scenes.bright_box(height, width, box)
    image.fromarray(picture).save(stream, kind, quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_boxes_follow_the_pixels(kind):
    box = (40, 70, 110, 150)
    encoded = _encoded(box, kind)
    boxes = np.divide([box], (150, 220, 150, 220)).astype("float32")
    function = tf.function(
        lambda seed: augmented(
            encoded, boxes, tf.constant([5], tf.int64), seed, SHAPE, PIXELS
        )
    )
    changed = 0
    for number in range(25):
        picture, found, labels = function(_seed(number))
        assert picture.shape == (*SHAPE, 3) and labels.numpy().tolist() == [5]
        where = scenes.extent(picture)
        np.testing.assert_allclose(found[0], where, atol=2.5 / min(SHAPE))
        changed += not np.allclose(found, boxes, atol=0.01)
    assert 8 < changed < 25


BOXES = np.array([[0.1, 0.1, 0.5, 0.4], [0.3, 0.5, 0.9, 0.8]], "float32")


def test_windows_satisfy_the_choice_that_made_them():
    function = tf.function(lambda seed: augmentation.random_window(BOXES, seed))
    windows = np.array([function(_seed(number)) for number in range(400)])
    whole = (windows == (0, 0, 1, 1)).all(1)
    # At least one in seven, and more where objects fit badly.
    assert 1 / 7 < whole.mean() < 0.6
    sides = windows[~whole, 2:] - windows[~whole, :2]
    aspect = sides[:, 1] / sides[:, 0]
    assert sides.min() >= 0.3 - 1e-6 and windows.min() >= 0
    assert windows.max() <= 1 and 0.5 <= aspect.min() <= aspect.max() <= 2
    inside = augmentation.centres_inside(windows[~whole], BOXES)
    assert np.array(inside).any(1).all() and not np.array(inside).all()


def test_the_overlap_of_every_object_counts(monkeypatch):
    monkeypatch.setattr(augmentation, "CHOICES", (0.1, "whole"))
    windows = np.array(
        [augmentation.random_window(BOXES, _seed(n)) for n in range(60)]
    )
    windows = windows[(windows != (0, 0, 1, 1)).any(1)]
    assert (
        len(windows)
        and np.array(augmentation.overlaps(windows, BOXES)).min() > 0.1
    )


def test_objects_go_by_their_centres_and_are_clipped():
    window = np.array([0.2, 0.2, 0.7, 0.7], "float32")
    boxes = np.array(
        [[0.1, 0.1, 0.5, 0.5], [0.0, 0.0, 0.3, 0.3], [0.4, 0.6, 0.6, 0.9]],
        "float32",
    )
    found, labels = augmentation.crop_boxes(boxes, [4, 5, 6], window)
    np.testing.assert_allclose(found, [[0, 0, 0.6, 0.6]], atol=1e-6)
    assert labels.numpy().tolist() == [4]


def test_a_flip_exchanges_left_and_right_half_of_the_time():
    picture = np.arange(24, dtype="float32").reshape(2, 4, 3)
    flips = 0
    for number in range(40):
        other, boxes = augmentation.random_flip(picture, BOXES, _seed(number))
        is_flipped = np.array_equal(other, picture[:, ::-1])
        assert is_flipped or np.array_equal(other, picture)
        wanted = BOXES[:, [0, 3, 2, 1]] * (1, -1, 1, -1) + (0, 1, 0, 1)
        np.testing.assert_allclose(boxes, wanted if is_flipped else BOXES)
        flips += is_flipped
    assert 10 < flips < 30


def test_colours_change_within_bounds_and_by_the_seed():
    picture = np.random.default_rng(1).uniform(0, 255, (8, 9, 3)).astype("f4")
    first, again, other = (
        augmentation.colour_jitter(picture, _seed(number)).numpy()
        for number in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.allclose(first, other)
    assert first.min() >= 0 and first.max() <= 255
    gray = np.full((4, 4, 3), 127.5, "float32")
    # Gray stays gray, whatever the saturation and hue.
    jittered = augmentation.colour_jitter(gray, _seed(3)).numpy()
    assert np.ptp(jittered) < 0.1


def test_crowds_and_empty_boxes_teach_nothing():
    boxes = np.array([[0, 0, 1, 1], [0.2, 0.2, 0.2, 0.6], [0, 0, 0.5, 0.5]])
    example = {
        "boxes": boxes.astype("float32"),
        "labels": np.array([1, 2, 3]),
        "crowds": np.array([True, False, False]),
    }
    found, labels = usable_objects(example)
    assert labels.numpy().tolist() == [3] and found.shape == (1, 4)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    return coco_files(scenes.write_coco(folder), folder)


@pytest.fixture(scope="module")
def defaults():
    return default_boxes("SSDResNetMini", (64, 64))


def _batches(opened, defaults, **options):
    options = {"batch_size": 2, "seed": 4, **options}
    return training_scenes(opened, defaults, (64, 64), **options)


def test_a_batch_follows_from_its_step(opened, defaults):
    batches = _batches(opened, defaults)
    whole = list(batches(0).take(3))
    later = next(iter(batches(2)))
    for first, second in zip(tf.nest.flatten(whole[2]), tf.nest.flatten(later)):
        np.testing.assert_array_equal(first, second)
    images, targets = whole[0]
    assert images.shape == (2, 64, 64, 3)
    assert targets["offsets"].shape == (2, len(defaults), 5)
    assert not np.array_equal(images[0], whole[1][0][0])


def test_without_flips_an_image_is_cropped_and_never_mirrored(
    opened, defaults, monkeypatch
):
    mirrored = []
    monkeypatch.setattr(
        augmentation,
        "random_flip",
        lambda *given: mirrored.append(given) or given[:2],
    )
    for flip in (False, True):
        next(iter(_batches(opened, defaults, flip=flip)(0)))
        assert bool(mirrored) == flip


def test_without_augmentation_targets_are_the_files(opened, defaults):
    images, targets = next(iter(_batches(opened, defaults, augment=False)(0)))
    for picture, offsets, classes in zip(
        images, targets["offsets"], targets["logits"]
    ):
        positive = classes.numpy() > 0
        boxes = decode(defaults, offsets[..., :4]).numpy()[positive]
        where = scenes.extent(picture)
        np.testing.assert_allclose(boxes[0], where, atol=1.5 / 64)


def _turned_set(folder, orientations, said=None, ending="jpg"):
    """A set of upright pictures that are stored turned, one of each."""
    content = scenes.coco_content()
    path = scenes.write_coco(folder, content)
    for row, box, orientation in zip(
        content["images"], scenes.BOXES, orientations
    ):
        picture = scenes.bright_box(50, 80, box)
        row["file_name"] = f"{row['id']}.{ending}"
        row["height"], row["width"] = said or (50, 80)
        file = folder / row["file_name"]
        scenes.save_turned(file, picture, orientation, quality=95)
    path.write_text(json.dumps(content))
    return coco_files(path, folder)


@pytest.mark.parametrize(
    "ending, augment",
    [("jpg", False), ("jpg", True), ("png", True), ("webp", True)],
    ids=["a JPEG", "a crop of a JPEG", "a crop of a PNG", "by Pillow"],
)
def test_boxes_lie_on_the_objects_of_pictures_stored_turned(
    ending, augment, tmp_path, defaults
):
    opened = _turned_set(tmp_path, (6, 7, 8), ending=ending)
    assert not opened.problems
    options = {"augment": augment, "batch_size": 3}
    batches = _batches(opened, defaults, **options)(0).take(8 if augment else 1)
    seen = 0
    for images, targets in batches:
        for picture, offsets, classes in zip(
            images, targets["offsets"], targets["logits"]
        ):
            positive = classes.numpy() > 0
            for box in decode(defaults, offsets[..., :4]).numpy()[positive][:1]:
                where = scenes.extent(picture)
                np.testing.assert_allclose(box, where, atol=3.5 / 64)
                seen += 1
    assert seen > (12 if augment else 2)


def test_pictures_stored_turned_are_judged_as_a_viewer_shows_them(tmp_path):
    opened = _turned_set(tmp_path, (6, 5, 8), ending="png")
    for picture, ids, sides in evaluation_scenes(
        opened, (50, 80), batch_size=1
    ):
        assert sides.numpy().tolist() == [[50, 80]]
        box = scenes.BOXES[(7, 9, 8).index(int(ids[0]))]
        wanted = np.divide(box, (50, 80, 50, 80))
        np.testing.assert_allclose(scenes.extent(picture[0]), wanted, atol=1e-6)


def _orientations(opened):
    rows = opened.examples(None).as_numpy_iterator()
    return {int(row["id"]): int(row["orientation"]) for row in rows}


def test_a_turn_that_the_size_cannot_tell_is_made_and_counted(tmp_path):
    opened = _turned_set(tmp_path, (3, 1, 2))
    assert _orientations(opened) == {7: 3, 9: 1, 8: 2}
    (problem,) = opened.problems
    assert "turned as EXIF says" in problem and opened.problems[problem] == 2


def test_pictures_whose_rows_say_the_stored_size_are_not_turned(tmp_path):
    opened = _turned_set(tmp_path, (6, 5, 8), said=(80, 50))
    assert set(_orientations(opened).values()) == {1}
    assert not any("EXIF" in problem for problem in opened.problems)


def test_the_other_pictures_of_a_file_tell_its_custom(tmp_path):
    path = scenes.write_coco(tmp_path)
    content = json.loads(path.read_text())
    upright = scenes.bright_box(50, 80, scenes.BOXES[0])
    scenes.save_turned(tmp_path / "7.png", upright, 3)
    scenes.save_turned(tmp_path / "9.png", upright, 6)
    for size, turns in (((50, 80), {7: 3, 9: 6}), ((80, 50), {7: 1, 9: 1})):
        row = content["images"][1]
        row["height"], row["width"] = size
        path.write_text(json.dumps(content))
        opened = coco_files(path, tmp_path)
        assert _orientations(opened) == {**turns, 8: 1}
        assert list(opened.problems.values()) == [1]


def test_a_size_that_is_neither_the_stored_nor_the_turned_is_refused(tmp_path):
    wanted = "3 pictures have another height.*80 x 50, turned by EXIF 50 x 80"
    with pytest.raises(ValueError, match=wanted):
        _turned_set(tmp_path, (6, 5, 8), said=(100, 160))


@pytest.mark.slow
def test_a_broken_file_keeps_its_place_without_objects(tmp_path, defaults):
    path = scenes.write_coco(tmp_path)
    (tmp_path / "8.png").write_bytes(b"\x89PNG no more")
    opened = coco_files(path, tmp_path)
    batches = _batches(opened, defaults, batch_size=3)
    _, targets = next(iter(batches(0)))
    objects = (targets["logits"].numpy() > 0).any(1)
    assert sorted(objects) == [False, True, True]


def test_pictures_to_judge_come_once_in_order(opened):
    batches = list(evaluation_scenes(opened, (64, 64), batch_size=2))
    ids = np.concatenate([ids for _, ids, _ in batches])
    assert ids.tolist() == [7, 8, 9]
    sides = np.concatenate([sides for _, _, sides in batches])
    assert sides.tolist() == [[50, 80]] * 3
