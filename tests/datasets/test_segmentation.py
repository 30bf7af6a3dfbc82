"""Pictures and masks stay in step through all of the augmentation."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.datasets import segmentation
from keras_pyconv.datasets.mask_sets import mask_set
from keras_pyconv.datasets.segmentation import (
    augment,
    central_crops,
    training_masks,
    whole_pictures,
)
from keras_pyconv.tasks.preprocessing import Preprocessing
from tests.datasets.mask_folders import mask, write

# Pixels stay pixels, and what is padded is recognized by its 250s.
AS_IS = Preprocessing(mean=(250 / 255,) * 3, deviation=(1 / 255,) * 3)
SIDE = 96


def ramps(height=120, width=150):
    """An image whose colours are its coordinates, and masks of each."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, np.full_like(x, 100)], axis=-1)
    return image.astype("float32"), x.astype("uint8"), y.astype("uint8")


@pytest.fixture(scope="module")
def augmented():
    """Function of a seed to the image (pixels as they were) and two masks."""

    @tf.function
    def both(seed):
        image, x, y = ramps()
        seed = tf.cast(tf.stack([11, seed]), tf.int64)
        out, columns = augment(image, x, seed, SIDE, AS_IS)
        _, rows = augment(image, y, seed, SIDE, AS_IS)
        return out + 250, columns, rows

    return lambda seed: [part.numpy() for part in both(tf.constant(seed))]


def test_masks_that_carry_their_coordinates_stay_in_step(augmented):
    mirrored, turned, padded, scales = 0, 0, 0, []
    for seed in range(40):
        image, *coordinates = augmented(seed)
        inside = coordinates[0] != 255
        # The borders blend with the mean colour, and the blur reaches two.
        core = inside.copy()
        for shift in range(-4, 5):
            for axis in (0, 1):
                core &= np.roll(inside, shift, axis)
        core[:5] = core[-5:] = core[:, :5] = core[:, -5:] = False
        assert core.sum() > 100
        for channel, labels in enumerate(coordinates):
            off = image[..., channel][core] - labels[core].astype("float32")
            assert np.abs(off).max() < 1.6  # two roundings to a pixel
            assert abs(off.mean()) < 0.25  # and no shift
        np.testing.assert_allclose(image[~inside][:, 2], 250, atol=151)
        across = np.diff(coordinates[0].astype(int), axis=1)[core[:, 1:]]
        down = np.diff(coordinates[1].astype(int), axis=1)[core[:, 1:]]
        mirrored += across.mean() < 0
        turned += abs(down.mean()) > 0.01
        padded += (~inside).mean() > 0.05
        scales.append(1 / abs(across.mean()))
    assert 8 < mirrored < 32 and 8 < turned < 32 and padded > 5
    assert min(scales) < 0.8 and max(scales) > 1.7


def test_what_comes_in_at_the_borders_has_no_class_and_the_mean_colour():
    image, x, _ = ramps(20, 30)
    out, labels = segmentation.crop(image, x, 40, tf.fill([3], 250.0))
    assert out.shape == (40, 40, 3)
    np.testing.assert_array_equal(labels[10:30, 5:35], x)
    np.testing.assert_array_equal(out[10:30, 5:35], image)
    assert (np.delete(labels, np.s_[10:30], axis=0) == 255).all()
    assert (np.delete(out, np.s_[5:35], axis=1) == 250).all()


def test_a_turn_is_about_the_middle():
    image = np.zeros((21, 31, 1), "float32")
    image[10, 15] = 1
    turned = segmentation._turned(image, 0.3, "bilinear", 0.0).numpy()
    assert turned.argmax() == image.argmax()
    assert turned.max() == pytest.approx(1)


def test_only_a_turn_needs_keras_cv(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    segmentation._rotation.cache_clear()
    masks, options = mask_set(folder), {"batch_size": 2, "seed": 5}
    with pytest.raises(ImportError, match="A random turn needs keras-cv"):
        training_masks(masks, 33, **options)
    training_masks(masks, 33, turn=0, **options)()


def test_the_blur_is_the_5_by_5_of_opencv():
    image = np.zeros((11, 11, 3), "float32")
    image[5, 5] = 1
    seeds = [tf.constant([0, n], tf.int64) for n in range(12)]
    outputs = [np.asarray(segmentation.random_blur(image, s)) for s in seeds]
    blurred = [out for out in outputs if out.max() < 1]
    assert 2 < len(blurred) < 10
    # cv2.getGaussianKernel(5, 0), which is 1.1 pixels wide.
    line = np.array([0.070766, 0.244460, 0.369546, 0.244460, 0.070766])
    expected = np.outer(line, line)
    for channel in range(3):
        np.testing.assert_allclose(
            blurred[0][3:8, 3:8, channel], expected, atol=1e-5
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("ade"), "training")


def test_batches_follow_from_the_seed_and_the_step(folder):
    masks = mask_set(folder)
    options = {"batch_size": 2, "shuffle_buffer": 8}
    batches = training_masks(masks, 33, seed=5, **options)
    assert batches.steps_per_epoch == 1
    first = list(batches().take(3).as_numpy_iterator())
    images, labels = first[0]
    assert images.shape == (2, 33, 33, 3) and images.dtype == "float32"
    assert labels.shape == (2, 33, 33) and labels.dtype == "uint8"
    assert set(np.unique(labels)) <= {*range(150), 255}
    later = next(batches(2).as_numpy_iterator())
    for one, other in zip(first[2], later):
        np.testing.assert_array_equal(one, other)
    other = next(
        training_masks(masks, 33, seed=6, **options)().as_numpy_iterator()
    )
    assert (other[0] != images).any()


def test_the_validation_sees_the_middle_of_every_picture(folder):
    masks = mask_set(folder)
    (batch,) = central_crops(masks, 33, batch_size=3).as_numpy_iterator()
    assert batch[0].shape == (3, 33, 33, 3)
    wanted = mask((40, 60), 0)[3:36, 13:46].astype(int) - 1
    np.testing.assert_array_equal(
        batch[1][0], np.where(wanted < 0, 255, wanted)
    )
    parts = [
        list(central_crops(masks, 33, batch_size=2, shard=(index, 2)))
        for index in range(2)
    ]
    assert [len(part) for part in parts] == [1, 1]
    empty = [
        (labels == 255).numpy().all((1, 2)) for _, labels in sum(parts, [])
    ]
    np.testing.assert_array_equal(empty, [[False, False], [False, True]])


STREAMS = {
    "training": lambda masks: training_masks(masks, 33, batch_size=3, seed=1)(),
    "validation": lambda masks: central_crops(masks, 33, batch_size=3),
    "evaluation": whole_pictures,
}


@pytest.mark.parametrize("stream", STREAMS)
def test_an_error_in_a_stream_names_the_file(tmp_path, stream):
    masks = mask_set(write(tmp_path))
    path = tmp_path / "annotations" / "training" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=f"ValueError: {path}: The mask of 1.jpg cannot be read: .* 60",
    ):
        for _ in STREAMS[stream](masks):
            pass


def test_whole_pictures_keep_their_sizes(folder):
    found = list(whole_pictures(mask_set(folder)))
    assert [one["name"] for one in found] == ["0.jpg", "1.jpg", "2.jpg"]
    assert found[1]["image"].shape == (50, 31, 3)
    assert found[1]["labels"].shape == (50, 31)
