"""Composed pictures keep their promises on size, contrast, box and split."""

import numpy as np
import pytest

from keras_pyconv.datasets import digit_scenes as scenes

pytest.importorskip("sklearn")


def many(count=100, size=64, labels=(3,), split="train"):
    source = scenes.sources(split)
    return [
        scenes.random_scene(
            np.random.default_rng((7, index)), source, size, list(labels)
        )
        for index in range(count)
    ]


def all_digits(pictures):
    return [digit for picture in pictures for digit in picture.digits]


def test_the_splits_share_no_digit_and_together_use_all():
    train, test = (set(scenes.sources(s).digit_ids) for s in scenes.SPLITS)
    assert not train & test
    assert train | test == set(range(1797))


def test_the_splits_share_no_column_of_a_photograph():
    for ours, theirs in zip(*scenes.PHOTO_COLUMNS.values()):
        assert not set(range(*ours)) & set(range(*theirs))


@pytest.mark.parametrize("split", scenes.SPLITS)
def test_no_picture_holds_a_pixel_of_the_other_split(split, monkeypatch):
    photos = np.full((2, 427, 640, 3), 255, "uint8")
    for photo, (left, right) in zip(photos, scenes.PHOTO_COLUMNS[split]):
        photo[:, left:right] = 0
    marked = type("Photos", (), {"images": photos})
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: marked)
    source = scenes.sources.__wrapped__(split)
    for index in range(100):
        rng = np.random.default_rng(index)
        picture = scenes.random_scene(rng, source, 64, [1])
        assert picture.backdrop.pixels.max() == 0


@pytest.mark.parametrize("split", scenes.SPLITS)
def test_the_crop_that_is_named_is_the_crop_that_is_shown(split):
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photos = load_sample_images().images
    for picture in many(10, split=split):
        top, left, bottom, right = picture.backdrop.crop
        photo = photos[picture.backdrop.photo][top:bottom, left:right]
        shown = Image.fromarray(photo).resize((64, 64), 3)
        np.testing.assert_allclose(
            picture.backdrop.pixels / scenes.PHOTO_LIGHT * 255,
            np.asarray(shown),
            atol=0.01,
        )


def test_sizes_are_log_uniform_from_an_eighth_to_seven_eighths():
    sizes = [digit.size / 64 for digit in all_digits(many(400))]
    assert min(sizes) >= 1 / 8
    assert max(sizes) <= 7 / 8 + 1 / 64
    quarters = np.log(np.array(sizes) * 8) / np.log(7) * 4
    counts = np.bincount(np.minimum(quarters.astype(int), 3), minlength=4)
    assert (abs(counts - 100) < 35).all()


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_box_is_tight_around_its_digits_pixels(size):
    pictures = many(30, size, labels=(0, 1, 4, 7))
    for picture in pictures:
        for number, digit in enumerate(picture.digits, start=1):
            ys, xs = np.nonzero(picture.instances == number)
            tight = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
            assert digit.box == tight
            assert digit.area == len(ys)
    assert len(all_digits(pictures)) > 110


def test_pixels_of_a_digit_are_nearer_its_color_and_all_others_are_photo():
    for picture in many(30, 96):
        digit = picture.digits[0]
        ink = picture.image[picture.instances == 1] / 255
        photo = picture.backdrop.pixels[picture.instances == 1]
        ours, other = abs(ink - digit.color), abs(ink - photo)
        assert (ours <= other + 0.01).all()
        top, left, bottom, right = digit.box
        outside = np.ones((96, 96), bool)
        outside[max(top - 3, 0) : bottom + 3, max(left - 3, 0) : right + 3] = 0
        same = picture.image / 255 - picture.backdrop.pixels
        assert abs(same[outside]).max() < 0.01


def test_a_digit_stands_out_from_what_is_beneath_it():
    for picture in many(100):
        digit = picture.digits[0]
        top, left, bottom, right = digit.box
        beneath = picture.backdrop.pixels[top:bottom, left:right].mean((0, 1))
        luma = np.array([0.299, 0.587, 0.114])
        # The rule is for the digit with its faint edge, this is its box.
        contrast = (digit.color - beneath) @ luma
        assert contrast >= scenes.MIN_CONTRAST - 0.05


def test_a_color_is_lighter_than_the_lightest_photograph():
    luma = np.array([0.299, 0.587, 0.114])
    white = np.full((10, 10, 3), scenes.PHOTO_LIGHT, "float32")
    for seed in range(20):
        color = scenes._lighter_color(np.random.default_rng(seed), white)
        light = scenes.PHOTO_LIGHT + scenes.MIN_CONTRAST
        assert color @ luma >= light - 1e-6


def test_size_classes_part_at_a_quarter_and_a_half():
    sizes = [8, 15, 16, 31, 32, 56]
    assert list(scenes.size_class(sizes, 64)) == [0, 0, 1, 1, 2, 2]
    assert len(scenes.SIZE_CLASSES) == len(scenes.SIZE_EDGES) + 1


def motion_index(name):
    return list(scenes.MOTIONS).index(name)


def clip(motion, seed=0, frames=16):
    return scenes.random_clip(
        np.random.default_rng(seed), scenes.sources("train"), 64, frames, motion
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_first_frame_is_the_same_whatever_the_motion(seed):
    first = [clip(m, seed, 3).frames[0] for m in range(len(scenes.MOTIONS))]
    for frame in first[1:]:
        np.testing.assert_array_equal(frame, first[0])


def test_a_later_frame_is_the_first_of_some_other_clip_as_likely():
    # Places and sizes run around loops, where an even draw stays even
    # however far it is moved: so the last frame's sizes spread as the first's.
    for motion in (motion_index(m) for m in ("grow", "shrink")):
        clips = [clip(motion, seed, 2) for seed in range(120)]
        first, last = np.log([c.sizes for c in clips]).T
        assert abs(first.mean() - last.mean()) < 0.25
        assert abs(first.std() - last.std()) < 0.15


@pytest.mark.parametrize("motion, sign", [("grow", 1), ("shrink", -1)])
def test_sizes_follow_the_motion_but_for_one_restart(motion, sign):
    for seed in range(10):
        sizes = clip(motion_index(motion), seed).sizes
        assert (sign * np.diff(sizes) < 0).sum() <= 1
        assert np.ptp(sizes) > 5


@pytest.mark.parametrize(
    "motion, axis, steps",
    [("up", 0, {-1}), ("down", 0, {1}), ("sideways", 1, {-1, 1})],
)
def test_a_digit_moves_the_way_its_label_says(motion, axis, steps):
    found = set()
    for seed in range(8):
        frames = clip(motion_index(motion), seed, 33).frames / 255
        still = np.median(frames, axis=0)
        weight = abs(frames - still).sum(-1).sum(2 - axis)
        loop = np.exp(2j * np.pi * np.arange(64) / 64)
        turns = np.diff(np.unwrap(np.angle((weight * loop).sum(1))))
        found.add(int(np.sign(np.median(turns))))
    assert found == steps


def test_mirroring_a_clip_keeps_its_label_possible():
    assert not {"left", "right"} & set(scenes.MOTIONS)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'validation'"):
        scenes.sources("validation")
