"""Distortions follow from seeds, are TF Model Garden's, and move boxes too."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import datasets
from keras_pyconv.datasets import augmentation
from keras_pyconv.datasets.augmentation import (
    OPERATIONS,
    POLICIES,
    SIDE,
    Distortion,
)
from keras_pyconv.tasks.detection import default_boxes
from keras_pyconv.tasks.preprocessing import Preprocessing
from tests.datasets import mask_folders, scenes
from tests.datasets.pictures import photographs, write_folder

MOVING = ("Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY")
# The object: rows and columns of white pixels, off the middle.
ROWS, COLUMNS = (50, 90), (60, 130)
SIDES = (160, 224)


def seed_of(number):
    return tf.constant([number, 7], tf.int64)


def single(name, level=7.0, chance=1.0):
    """One operation, with the distances of RandAugment."""
    return Distortion([[(name, chance, level)]], cutout=40, translate=100)


def photograph():
    return tf.constant(photographs()[0][:SIDE, 200 : 200 + SIDE])


def with_an_object():
    """An image, the mask of its object, and the box of that."""
    mask = np.zeros(SIDES, "uint8")
    mask[slice(*ROWS), slice(*COLUMNS)] = 1
    image = tf.constant(255 * mask[..., None].repeat(3, axis=-1))
    pixels = [[ROWS[0], COLUMNS[0], ROWS[1], COLUMNS[1]]]
    return image, mask, tf.constant(np.divide(pixels, SIDES * 2), tf.float32)


def test_without_model_garden_it_is_said_what_to_install(monkeypatch):
    for name in ("official", "official.vision", "official.vision.ops"):
        monkeypatch.setitem(sys.modules, name, None)
    makers = datasets.rand_augment, datasets.auto_augment
    for make in (*makers, datasets.random_erasing):
        with pytest.raises(ImportError, match=r"pip install '.\[official\]'"):
            make()


@pytest.mark.official
class TestOperations:
    """What is done to an image is what TF Model Garden does."""

    @pytest.fixture
    def official(self):
        from official.vision.ops import augment

        return augment

    def test_names_are_those_of_model_garden(self, official):
        assert list(OPERATIONS) == official.RandAugment().available_ops
        known = set(official.AutoAugment().available_policies)
        assert set(POLICIES) == known - {"test"}

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_each_equals_its_own_on_the_same_arguments(
        self, name, official, monkeypatch
    ):
        image, made = photograph(), single(name)
        results = set()
        for number in range(4):
            seed = made._chosen(seed_of(number))[1][0]
            sign = augmentation._sign(seed)
            monkeypatch.setattr(
                official, "_randomly_negate_tensor", lambda x: sign * x
            )
            # Its Cutout draws a row and a column.
            place = tf.random.stateless_uniform(
                [2], augmentation.apart(seed, augmentation._PLACE)
            )
            drawn = iter(tf.unstack(tf.cast(place * SIDE, tf.int32)))
            with monkeypatch.context() as patch:
                patch.setattr(tf.random, "uniform", lambda **_: next(drawn))
                function, _, arguments = official._parse_policy_info(
                    name, 1.0, 7.0, [128] * 3, 40.0, 100.0
                )
                expected, _ = function(image, None, *arguments)
            ours = made(image, seed_of(number)).numpy()
            np.testing.assert_array_equal(ours, expected)
            results.add(ours.tobytes())
        assert len(results) == (1 + (name in MOVING)) if name != "Cutout" else 4

    def test_mixup_blends_as_its_own(self, official, monkeypatch):
        images = tf.random.stateless_uniform([2, 8, 8, 3], [1, 2])
        mixed, targets = datasets.mixup(0.4)(images, tf.eye(2), seed_of(3))
        mixer = official.MixupAndCutmix(2, 0.4, 0.0, label_smoothing=0.0)
        share = tf.fill([2], targets[0, 0])
        monkeypatch.setattr(
            official.MixupAndCutmix, "_sample_from_beta", lambda *_: share
        )
        expected = mixer(images, tf.range(2))
        np.testing.assert_allclose(mixed, expected[0], atol=1e-6)
        np.testing.assert_allclose(targets, expected[1], atol=1e-6)

    def test_random_erasing_fills_a_box_as_its_own(self, official):
        erase = datasets.random_erasing(0.5)
        image, shares = tf.fill((60, 90, 3), 9.0), []
        for number in range(80):
            found = erase(image, seed_of(number)).numpy()
            changed = found[..., 0] != 9
            if not changed.any():
                continue
            y, x = np.where(changed)
            halves = [(v.max() + 1 - v.min()) // 2 for v in (y, x)]
            noise = tf.random.stateless_normal(
                image.shape, augmentation.apart(seed_of(number), 1)
            )
            expected = official._fill_rectangle(
                image, x.min() + halves[1], y.min() + halves[0], halves[1],
                halves[0], replace=noise,
            )  # fmt: skip
            np.testing.assert_array_equal(found, expected)
            shares.append(changed.mean())
        assert 25 < len(shares) < 55
        assert 0.01 < min(shares) < 0.1 < 0.2 < max(shares) <= 1 / 3

    @pytest.mark.parametrize("policy", POLICIES)
    def test_every_policy_distorts_images_in_a_data_set(self, policy):
        made = datasets.auto_augment(policy)
        image = photograph()[:96, :96]
        box = tf.constant([[0.2, 0.2, 0.8, 0.8]])
        label = tf.constant([3])
        found = list(
            tf.data.Dataset.range(12)
            .map(lambda n: made.with_boxes(image, box, label, tf.stack([n, n])))
            .as_numpy_iterator()
        )
        assert {x.shape for x, _, _ in found} == {(96, 96, 3)}
        assert len({x.tobytes() for x, _, _ in found}) > 2


@pytest.mark.official
class TestChoices:
    """What is chosen follows from the seed, with the given chances."""

    def test_operations_are_drawn_alike_and_one_in_all_is_none(self):
        made = datasets.rand_augment(layers=3, exclude=["Invert"])
        counts = np.zeros(len(OPERATIONS))
        for number in range(400):
            counts += np.bincount(
                made._chosen(seed_of(number))[0], minlength=16
            )
        # 1,200 draws among 16; a deviation is 9.
        assert counts.min() > 40 and counts.max() < 115
        assert "Invert" not in {name for name, _ in made._operations}

    def test_an_operation_is_applied_as_often_as_its_policy_says(self):
        made = single("Invert", chance=0.25)
        applied = sum(bool(made.describe(seed_of(n))) for n in range(200))
        assert 25 < applied < 75

    def test_signs_are_drawn_alike(self):
        made = single("Rotate", level=10.0)
        said = [made.describe(seed_of(number)) for number in range(60)]
        assert set(said) == {("Rotate 30",), ("Rotate -30",)}
        assert 15 < said.count(("Rotate 30",)) < 45

    def test_the_state_of_tensorflow_neither_matters_nor_changes(self):
        tf.random.set_seed(1)
        expected = tf.random.uniform([4]).numpy()
        results = []
        for state in (1, 2):
            tf.random.set_seed(state)
            made = datasets.rand_augment()
            results.append(made(photograph(), seed_of(5)).numpy())
            if state == 1:
                drawn = tf.random.uniform([4]).numpy()
                np.testing.assert_array_equal(drawn, expected)
        np.testing.assert_array_equal(*results)

    def test_distances_are_in_proportion_to_the_image(self):
        made = single("TranslateX", level=10.0)
        small = tf.image.resize(photograph(), (56, 56), "nearest")
        sign = float(made.describe(seed_of(1))[0].split()[1]) / 100
        found = made(small, seed_of(1)).numpy()
        moved = np.roll(small, -int(25 * sign), axis=1)
        inside = slice(0, 31) if sign > 0 else slice(25, 56)
        np.testing.assert_array_equal(found[:, inside], moved[:, inside])

    def test_an_image_without_colours_is_refused(self):
        with pytest.raises(
            ValueError, match=r"`picture` must be .*\(9, 9, 1\)"
        ):
            single("Color")(tf.zeros([9, 9, 1]), seed_of(1))

    def test_images_of_float32_stay_so(self):
        made = single("Color")
        image = photograph()
        floats = made(tf.cast(image, tf.float32) + 0.3, seed_of(1))
        assert floats.dtype == tf.float32
        np.testing.assert_array_equal(floats, made(image, seed_of(1)))


@pytest.mark.official
class TestInStep:
    """Boxes and masks move with what an image shows."""

    @pytest.mark.parametrize("name", MOVING)
    @pytest.mark.parametrize("level", [3.0, 10.0])
    def test_a_mask_agrees_with_every_pixel(self, name, level):
        image, mask, _ = with_an_object()
        made = single(name, level)
        outside = 0
        for number in range(4):
            found, labels = made.with_mask(image, mask, seed_of(number))
            found, labels = found.numpy(), labels.numpy()
            for colour, label in {0: 0, 255: 1, 128: 255}.items():
                is_it = (found == colour).all(axis=-1)
                np.testing.assert_array_equal(is_it, labels == label)
            outside += (labels == 255).sum()
        assert outside

    @pytest.mark.parametrize("name", MOVING)
    @pytest.mark.parametrize("level", [3.0, 10.0])
    def test_a_box_lies_around_the_object(self, name, level):
        image, _, box = with_an_object()
        made, numbers = single(name, level), iter(range(100))
        for _ in range(4):
            seed = seed_of(next(numbers))
            found, boxes, labels = made.with_boxes(image, box, [5], seed)
            rows, columns = np.where((found.numpy() == 255).all(axis=-1))
            if not len(labels):
                # Less than half of it is left.
                area = np.diff(ROWS)[0] * np.diff(COLUMNS)[0]
                assert len(rows) < 0.55 * area
                continue
            assert labels.numpy().tolist() == [5]
            seen = [
                rows.min(),
                columns.min(),
                rows.max() + 1,
                columns.max() + 1,
            ]
            # The nearest pixel of a corner may lie beside it.
            np.testing.assert_allclose(boxes[0] * (SIDES * 2), seen, atol=1.5)

    def test_all_operations_in_turn_keep_boxes_and_masks_in_step(self):
        made = datasets.rand_augment(
            4, 5, exclude=["Cutout", "Equalize", "AutoContrast"]
        )
        image, mask, box = with_an_object()
        left = 0
        for number in range(12):
            _, labels = made.with_mask(image, mask, seed_of(number))
            _, boxes, kept = made.with_boxes(image, box, [5], seed_of(number))
            rows, columns = np.where(labels.numpy() == 1)
            if len(kept):
                seen = [rows.min(), columns.min()]
                seen += [rows.max() + 1, columns.max() + 1]
                found = boxes[0] * (SIDES * 2)
                np.testing.assert_allclose(found, seen, atol=4)
            left += len(kept)
        assert left > 6

    def test_colours_move_nothing(self):
        image, mask, box = with_an_object()
        for name in set(OPERATIONS) - set(MOVING):
            _, labels = single(name).with_mask(image, mask, seed_of(1))
            np.testing.assert_array_equal(labels, mask)
        _, boxes, _ = single("Color").with_boxes(image, box, [5], seed_of(1))
        np.testing.assert_allclose(boxes, box, atol=1e-6)

    def test_an_image_without_objects_keeps_none(self):
        image, _, box = with_an_object()
        made = datasets.auto_augment("detection_v0")
        for number in range(3):
            none = tf.zeros([0], tf.int64)
            found = made.with_boxes(image, box[:0], none, seed_of(number))
            assert found[1].shape == (0, 4) and found[2].shape == (0,)


SMALL = Preprocessing(32, 40)


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """A function of the options to that of the first step."""
    root = write_folder(tmp_path_factory.mktemp("pictures"))
    pictures = datasets.picture_set(root)
    distort, erase = datasets.rand_augment(), datasets.random_erasing()

    def batches(**options):
        return datasets.training_pictures(
            pictures,
            SMALL,
            **{"batch_size": 4, "seed": 3, "one_hot": True, **options},
            batch_map=datasets.either(datasets.mixup(), datasets.cutmix()),
            distort=distort,
            erase=erase,
        )

    return batches


@pytest.mark.official
class TestBatches:
    """Batch n follows from the seed and n."""

    def test_they_come_again_from_any_step_with_any_parallelism(self, batches):
        every = list(batches()(0).take(5).as_numpy_iterator())
        options = tf.data.Options()
        options.threading.private_threadpool_size = 1
        options.threading.max_intra_op_parallelism = 1
        alone = batches()(2).with_options(options).take(3)
        for (a, x), (b, y) in zip(every[2:], alone, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(x, y)

    def test_workers_together_see_the_batch_of_one(self, batches):
        whole = next(batches()().as_numpy_iterator())
        parts = [
            next(batches(shard=(worker, 2))().as_numpy_iterator())
            for worker in range(2)
        ]
        for one, *others in zip(whole, *parts):
            np.testing.assert_array_equal(one, np.concatenate(others))

    def test_masks_and_scenes_are_distorted_and_come_again(self, tmp_path):
        masks = datasets.mask_set(mask_folders.write(tmp_path / "masks"))
        (tmp_path / "coco").mkdir()
        folder = tmp_path / "coco"
        found = datasets.coco_files(scenes.write_coco(folder), folder)
        boxes, shape = default_boxes("SSDResNetMini", (64, 64)), (64, 64)

        def both(distort, step):
            options = {"batch_size": 2, "seed": 5, "distort": distort}
            pairs = (
                datasets.training_masks(masks, 33, **options)(step),
                datasets.training_scenes(found, boxes, shape, **options)(step),
            )
            return [tf.nest.flatten(next(iter(pair))) for pair in pairs]

        distort = single("Rotate", 10.0)
        for plain, one, again in zip(
            *(both(d, 2) for d in (None, *[distort] * 2))
        ):
            assert not np.array_equal(plain[0], one[0])
            assert [x.shape for x in plain] == [x.shape for x in one]
            for x, y in zip(one, again):
                np.testing.assert_array_equal(x, y)

    def test_another_epoch_and_another_seed_are_distorted_otherwise(self):
        pixels = photograph().numpy()

        def examples(epoch):
            return tf.data.Dataset.from_tensors(pixels).repeat(2)

        distort = datasets.rand_augment(layers=2)

        def drawn(seed):
            stream = datasets.training_stream(
                examples,
                2,
                lambda image, seed: (distort(image, seed), 0),
                batch_size=1,
                seed=seed,
            )
            return [x.numpy().tobytes() for x, _ in stream().take(6)]

        found = [*drawn(1), *drawn(2)]
        assert len(set(found)) > 9
