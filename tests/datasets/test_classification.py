"""Pictures are cropped, resized, mixed and repaired as the paper's were."""

import dataclasses
import io
import itertools

import numpy as np
import pytest
from PIL import Image

tf = pytest.importorskip("tensorflow")
pytest.importorskip("sklearn")

from keras_pyconv.datasets import classification  # noqa: E402
from keras_pyconv.datasets.broken import (  # noqa: E402
    BrokenPictures,
)
from keras_pyconv.datasets.picture_sets import (  # noqa: E402
    PictureSet,
    picture_set,
)
from keras_pyconv.tasks.image import read_image  # noqa: E402
from keras_pyconv.tasks.preprocessing import (  # noqa: E402
    Preprocessing,
    pixels_as_they_are,
)
from tests.datasets import scenes  # noqa: E402
from tests.datasets.pictures import (  # noqa: E402
    encoded,
    photographs,
    write_folder,
)

SMALL = Preprocessing(32, 40)
PIXELS = pixels_as_they_are(32)


def seeds(count):
    return [tf.constant([number, 7], tf.int64) for number in range(count)]


def in_memory(files):
    """A `PictureSet` of encoded pictures by name, all of class 0."""
    columns = {
        "picture": list(files.values()),
        "label": [0] * len(files),
        "name": list(files),
    }

    def examples(order=None):
        return tf.data.Dataset.from_tensor_slices(columns)

    return PictureSet("test", ("thing",), len(files), examples, False)


# The random crop -------------------------------------------------------------


@pytest.fixture(scope="module")
def boxes():
    height, width = 300, 500
    draw = tf.function(classification.random_crop_box)
    drawn = [draw(height, width, seed).numpy() for seed in seeds(600)]
    return np.array(drawn), height, width


def test_crops_lie_inside_and_have_the_allowed_area_and_aspect(boxes):
    (top, left, tall, wide), height, width = boxes[0].T, *boxes[1:]
    assert (top >= 0).all() and (top + tall <= height).all()
    assert (left >= 0).all() and (left + wide <= width).all()
    area, aspect = tall * wide / (height * width), wide / tall
    assert area.min() > 0.078 and area.max() <= 1
    assert aspect.min() > 0.74 and aspect.max() < 1.35


def test_crops_reach_all_edges_and_spread_over_all_areas(boxes):
    (top, left, tall, wide), height, width = boxes[0].T, *boxes[1:]
    assert top.min() < 3 and left.min() < 3
    assert (height - top - tall).min() < 3 and (width - left - wide).min() < 3
    # Of draws from 8 to 100 %, those above some 80 % seldom fit in 3 : 5.
    shares = np.histogram(tall * wide / (height * width), (0.08, 0.3, 0.6, 1))
    assert (shares[0] > 30).all()


@pytest.mark.parametrize(
    "sides, crop",
    [
        pytest.param((1, 1), [0, 0, 1, 1], id="one pixel"),
        pytest.param((10, 1000), [0, 493, 10, 13], id="wide"),
        pytest.param((1000, 10), [493, 0, 13, 10], id="tall"),
    ],
)
def test_where_no_crop_fits_the_largest_central_one_is_taken(sides, crop):
    box = classification.random_crop_box(*sides, seeds(1)[0])
    assert box.numpy().tolist() == crop


def test_the_fused_crop_is_the_crop_of_the_decoded_picture():
    data = encoded(photographs()[0], quality=95, subsampling=0)
    whole = classification.decode_image(data)
    turned = Image.Exif()
    turned[0x0112] = 6
    noted = encoded(photographs()[0], quality=95, subsampling=0, exif=turned)
    shown = classification.decode_image(noted, exif=True)
    assert shown.shape[:2] == whole.shape[1::-1]
    for seed in seeds(4):
        crop = classification.decode_crop(noted, seed, exif=True)
        expected = classification._cropped(shown, seed)
        np.testing.assert_array_equal(crop, expected)
        crop = classification.decode_crop(data, seed)
        expected = classification._cropped(whole, seed)
        np.testing.assert_array_equal(crop, expected)


# Batches ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("pictures"))


def test_training_batches_come_again_from_any_step(folder):
    options = {"batch_size": 4, "seed": 3, "one_hot": True}
    options["batch_map"] = classification.cutmix()

    def batches(first_step):
        made = classification.training_pictures(
            picture_set(folder), SMALL, **options
        )
        return list(made(first_step).take(5 - first_step))

    late = batches(3)
    for one, other in zip(batches(0)[3:], late, strict=True):
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)
    pictures, targets = late[0]
    assert pictures.shape == (4, 32, 32, 3) and targets.shape == (4, 2)
    np.testing.assert_allclose(tf.reduce_sum(targets, axis=1), 1, rtol=1e-6)


def test_half_of_the_pictures_are_flipped():
    ramp = np.tile(np.arange(256, dtype="uint8")[:, None], (256, 1, 3))
    pictures = in_memory({str(n): encoded(ramp, "PNG") for n in range(64)})
    made = classification.training_pictures(
        pictures, PIXELS, batch_size=64, seed=1
    )
    batch = next(iter(made()))[0].numpy()
    rising = batch[:, 0, -1, 0] > batch[:, 0, 0, 0]
    assert 20 < rising.sum() < 44


def test_crops_and_flips_may_be_left_out():
    ramp = np.tile(np.arange(256, dtype="uint8")[:, None], (256, 1, 3))
    pictures = in_memory({str(n): encoded(ramp, "PNG") for n in range(8)})
    made = classification.training_pictures(
        pictures, PIXELS, batch_size=8, seed=1, area=(1.0, 1.0), flip=False
    )
    batch = next(iter(made()))[0].numpy()
    np.testing.assert_array_equal(batch, batch[:1].repeat(8, axis=0))
    assert batch[0, 0, 0, 0] < 10 and batch[0, 0, -1, 0] > 245


@pytest.mark.parametrize("size, resize", [(224, 256), (320, 366)])
def test_evaluation_is_within_one_gray_level_of_pillow(size, resize):
    photo = photographs()[1]
    data = encoded(photo, quality=95)
    batches = classification.evaluation_pictures(
        in_memory({"flower": data}),
        Preprocessing(size, resize, (0.0,) * 3, (1 / 255,) * 3),
        batch_size=1,
    )
    ours = next(iter(batches))[0][0].numpy()
    picture = Image.open(io.BytesIO(data))
    width = int(resize * picture.width / picture.height)
    picture = picture.resize((width, resize), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((resize - size) / 2)
    crop = picture.crop((left, top, left + size, top + size))
    assert np.abs(np.round(ours) - np.asarray(crop)).max() <= 1


def test_evaluation_sees_every_picture_once_and_fills_with_weight_zero(folder):
    pictures = picture_set(folder, "val")
    labels, weights = [], []
    for index in range(2):
        batches = classification.evaluation_pictures(
            pictures, SMALL, batch_size=2, shard=(index, 2)
        )
        rows = [(l.numpy(), w.numpy()) for _, l, w in batches]
        assert len(rows) == 2
        labels += [label for row in rows for label in row[0]]
        weights += [weight for row in rows for weight in row[1]]
    kept = list(itertools.compress(labels, weights))
    assert sorted(kept) == [0, 0, 0, 1, 1, 1] and len(labels) == 8


# Pictures of other kinds -----------------------------------------------------


def ramps():
    """Smooth, so that lossy kinds stay close."""
    y, x = np.mgrid[:96, :128]
    return np.stack([2 * y, 2 * x, y + x], axis=-1).astype("uint8")


KINDS = {
    "gray jpeg": encoded(ramps(), mode="L"),
    "cmyk jpeg": encoded(ramps(), mode="CMYK"),
    "rgba png": encoded(ramps(), "PNG", "RGBA"),
    "palette png": encoded(ramps(), "PNG", "P"),
    "gray png of 16 bits": encoded(ramps(), "PNG", "I;16"),
    "webp": encoded(ramps(), "WEBP"),
    "gray tiff of 16 bits": encoded(ramps(), "TIFF", "I;16"),
    "bmp": encoded(ramps(), "BMP"),
    "gif": encoded(ramps(), "GIF", "P"),
    "one pixel": encoded(ramps()[:1, :1]),
    "one row": encoded(ramps()[:1]),
}


@pytest.fixture(scope="module")
def kinds():
    """The evaluated pictures by kind, in [0, 255], and the counter."""
    pictures = in_memory(KINDS)
    broken = BrokenPictures.among(pictures)
    batches = classification.evaluation_pictures(
        pictures, PIXELS, batch_size=len(KINDS), broken=broken
    )
    return dict(zip(KINDS, next(iter(batches))[0].numpy())), broken


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_is_converted(kind, kinds):
    evaluated, broken = kinds
    expected = ramps()
    if "gray" in kind:
        mode = "I;16" if "16" in kind else "L"
        gray = read_image(encoded(ramps(), "PNG", mode))
        expected = gray
    if kind.startswith("one"):
        expected = ramps()[:1, : 1 if kind == "one pixel" else None]
    square = classification.prepare_picture(expected, PIXELS)
    assert np.abs(evaluated[kind] - square).mean() < 6
    assert not broken.reasons


def test_training_converts_them_all_too():
    pictures = in_memory(KINDS)
    broken = BrokenPictures.among(pictures)
    made = classification.training_pictures(
        pictures, PIXELS, batch_size=len(KINDS), seed=1, broken=broken
    )
    batch, _ = next(iter(made()))
    assert np.isfinite(batch).all() and not broken.reasons


def damaged():
    good = encoded(photographs()[0][:96, :96])
    return {
        "good": good,
        "cut off": good[: len(good) // 2],
        "empty": b"",
        "no picture": b"<html>not found</html>",
        "good too": good,
    }


def test_a_broken_picture_is_counted_named_and_keeps_its_place(caplog):
    pictures = in_memory(damaged())
    broken = BrokenPictures(limit=3)
    made = classification.training_pictures(
        pictures,
        SMALL,
        batch_size=5,
        seed=1,
        broken=broken,
        shuffle_buffer=None,
    )
    for batch, _ in made().take(2):
        level = np.abs(batch).max(axis=(1, 2, 3))
        # The mean colour, rounded to whole gray levels.
        assert (level[1:4] < 0.01).all() and (level[[0, 4]] > 0.1).all()
    assert sorted(broken.reasons) == ["cut off", "empty", "no picture"]
    assert caplog.text.count("Cannot read") == 3


@pytest.mark.parametrize(
    "count, limit",
    [(4, 1), (30, 3), (99, 9), (100, 10), (10_000, 10), (1_281_167, 1281)],
)
def test_a_small_set_may_have_few_broken_pictures(count, limit):
    pictures = dataclasses.replace(in_memory(damaged()), count=count)
    broken = BrokenPictures.among(pictures)
    assert broken.limit == limit
    assert str(broken).endswith(f"read: 0; at most {limit} may be.")


def test_too_many_broken_pictures_stop_the_training_and_are_named():
    broken = BrokenPictures(limit=2)
    made = classification.training_pictures(
        in_memory(damaged()), SMALL, batch_size=5, seed=1, broken=broken
    )
    with pytest.raises(tf.errors.OpError) as caught:
        list(made().take(4))  # pictures of later batches are read early
    said = str(caught.value)
    assert "3 pictures cannot be read; the limit is 2" in said
    assert all(name in said for name in broken.reasons)


def test_a_file_that_vanished_is_counted(tmp_path):
    pictures = picture_set(write_folder(tmp_path, train=2, val=1))
    (tmp_path / "train" / "china" / "0.jpg").unlink()
    broken = BrokenPictures.among(pictures)
    made = classification.training_pictures(
        pictures, SMALL, batch_size=4, seed=1, broken=broken
    )
    next(iter(made()))
    ((name, reason),) = broken.reasons.items()
    assert name.endswith("china/0.jpg") and "There is no file" in reason


def test_what_cannot_be_read_is_not_judged():
    pictures = in_memory(damaged())
    broken = BrokenPictures(limit=3)
    ((_, _, weights),) = classification.evaluation_pictures(
        pictures, SMALL, batch_size=5, broken=broken
    )
    assert weights.numpy().tolist() == [1, 0, 0, 0, 1]
    assert len(broken.reasons) == 3


def first_batch(files, rule, training):
    pictures = in_memory(files)
    if training:
        made = classification.training_pictures
        batches = made(pictures, rule, batch_size=len(files), seed=1)()
    else:
        made = classification.evaluation_pictures
        batches = made(pictures, rule, batch_size=len(files))
    return next(iter(batches))[0].numpy()


@pytest.mark.parametrize("kind, training", [("png", True), ("webp", False)])
def test_turned_images_are_trained_and_judged_as_viewers_show_them(
    kind, training, tmp_path
):
    upright, turned = {}, {}
    lossless = {"lossless": True} if kind == "webp" else {}
    for orientation in range(1, 9):
        crop = photographs()[0][:60, 10 * orientation :][:, :90]
        path = tmp_path / f"{orientation}.{kind}"
        scenes.save_turned(path, crop, orientation, **lossless)
        turned[path.name] = path.read_bytes()
        upright[path.name] = encoded(crop, "PNG")
    stored = dataclasses.replace(SMALL, exif=False)
    found = first_batch(turned, SMALL, training)
    wanted = first_batch(upright, SMALL, training)
    np.testing.assert_array_equal(found, wanted)
    others = first_batch(turned, stored, training)
    assert np.abs(others - wanted).max() > 0.1


def test_whether_images_are_turned_is_in_the_fingerprint():
    pictures = in_memory(damaged())
    options = {"batch_size": 2, "seed": 1}
    stored = dataclasses.replace(SMALL, exif=False)
    made = classification.training_pictures(pictures, stored, **options)
    assert "exif" not in made.fingerprint
    made = classification.training_pictures(pictures, SMALL, **options)
    assert made.fingerprint["exif"] is True


# CutMix ----------------------------------------------------------------------


def mixed(count, **options):
    """Four one-coloured pictures, mixed under `count` seeds."""
    colours = tf.constant([0.0, 1.0, 2.0, 3.0])
    pictures = tf.broadcast_to(colours[:, None, None, None], (4, 40, 60, 3))
    mix = classification.cutmix(**options)
    dataset = tf.data.Dataset.from_tensor_slices(seeds(count)).map(
        lambda seed: mix(pictures, tf.one_hot(tf.range(4), 4), seed)
    )
    return list(dataset.as_numpy_iterator())


def test_cutmix_weighs_targets_by_the_pixels_that_are_there():
    for pictures, targets in mixed(20):
        for picture, target in zip(pictures, targets):
            counts = [(picture[..., 0] == n).mean() for n in range(4)]
            np.testing.assert_allclose(counts, target, atol=1e-5)


def test_cutmix_takes_one_box_from_the_neighbour_within_a_pair():
    pictures, targets = mixed(3)[2]
    assert ((targets > 0) == np.kron(np.eye(2), np.ones((2, 2)))).all()
    box = pictures[0, ..., 0] == 1
    rows, columns = box.any(axis=1), box.any(axis=0)
    assert box.sum() == rows.sum() * columns.sum() > 0
    np.testing.assert_array_equal(box, pictures[3, ..., 0] == 2)


def test_cutmix_leaves_out_batches_and_draws_the_share_evenly():
    shares = [targets[0, 1] for _, targets in mixed(200, probability=0.5)]
    assert 70 < np.count_nonzero(shares) < 130
    # A uniform share whose boxes lose what lies outside of the picture.
    assert 0.2 < np.mean([share for share in shares if share]) < 0.45


@pytest.mark.parametrize("make", ["cutmix", "mixup"])
def test_an_odd_batch_is_refused(make):
    mix = getattr(classification, make)()
    with pytest.raises(ValueError, match="per batch. Received: 3 imag"):
        mix(tf.zeros((3, 4, 4, 3)), tf.eye(3), seeds(1)[0])


# Mixup -----------------------------------------------------------------------


def blends(mix, count=200):
    """Pictures of one colour each, and targets, under `count` seeds."""
    colours = tf.constant([0.0, 1.0, 2.0, 3.0])[:, None, None, None]
    dataset = tf.data.Dataset.from_tensor_slices(seeds(count)).map(
        lambda seed: mix(colours, tf.one_hot(tf.range(4), 4), seed)
    )
    return list(dataset.as_numpy_iterator())


def test_mixup_blends_pictures_and_targets_of_a_pair_by_one_share():
    shares = []
    for pictures, targets in blends(classification.mixup(0.5)):
        share = targets[0, 1]
        pair = [[1 - share, share], [share, 1 - share]]
        np.testing.assert_allclose(targets, np.kron(np.eye(2), pair), atol=1e-6)
        means = targets @ np.arange(4)
        np.testing.assert_allclose(pictures.ravel(), means, atol=1e-5)
        shares.append(share)
    # Beta(1/2, 1/2) has a mean of a half, and a variance of an eighth.
    assert 0.4 < np.mean(shares) < 0.6 and 0.09 < np.var(shares) < 0.16


def test_mixup_leaves_out_batches_and_takes_any_alpha():
    mix = classification.mixup(probability=0.5)
    mixed_ones = sum(targets[0, 1] > 0 for _, targets in blends(mix))
    assert 60 < mixed_ones < 140
    for pictures, targets in blends(classification.mixup(1e-3), 20):
        assert np.isfinite(pictures).all() and np.isfinite(targets).all()


def test_a_batch_is_mixed_by_either_of_two():
    def marked(number):
        return lambda x, y, seed: (x + number, y)

    found = blends(classification.either(marked(10), marked(20)))
    firsts = [float(pictures.min()) for pictures, _ in found]
    assert {*firsts} == {10.0, 20.0} and 70 < firsts.count(10.0) < 130
