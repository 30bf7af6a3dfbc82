"""The builder is a full TFDS data set, the same to the byte every time."""

import dataclasses
import hashlib
import pathlib
import runpy
import sys

import numpy as np
import pytest

from keras_pyconv import datasets
from keras_pyconv.datasets.sets import tfds_builder

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

TASKS = ["classification", "detection", "segmentation", "video"]
FEW = {"train_examples": 40, "test_examples": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def builders(folder):
    return {
        task: datasets.prepare_digits_in_photos(task, data_dir=folder, **FEW)
        for task in TASKS
    }


def examples(builder, split="train", **options):
    return list(tfds.as_numpy(builder.as_dataset(split=split, **options)))


def digest(builder):
    records = sorted(builder.data_path.glob("*.tfrecord*"))
    assert len(records) == 2
    return [hashlib.sha256(r.read_bytes()).hexdigest() for r in records]


@pytest.mark.parametrize("task", TASKS)
def test_two_preparations_are_equal_to_the_byte(task, builders, tmp_path):
    np.random.seed(1)
    again = datasets.prepare_digits_in_photos(task, data_dir=tmp_path, **FEW)
    assert digest(again) == digest(builders[task])


def test_another_seed_split_or_task_gives_other_pictures(builders):
    config = builders["classification"].builder_config
    module = sys.modules[type(config).__module__]
    other = dataclasses.replace(config, seed=1)
    rngs = [
        module.example_rng(c, split, index).random()
        for c in (config, other, builders["video"].builder_config)
        for split in ("train", "test")
        for index in (0, 1)
    ]
    assert len(set(rngs)) == len(rngs)


def test_a_larger_set_holds_the_smaller_one(builders, tmp_path):
    fewer = datasets.prepare_digits_in_photos(
        data_dir=tmp_path, train_examples=np.int64(10), test_examples=20
    )
    small, large = (
        {
            split: {e["image"].tobytes() for e in examples(b, split)}
            for split in ("train", "test")
        }
        for b in (fewer, builders["classification"])
    )
    assert len(small["train"]) == 10
    assert small["train"] < large["train"]
    assert small["test"] == large["test"]


@pytest.mark.parametrize("task", TASKS)
def test_no_source_of_a_test_example_occurs_in_training(task, builders):
    digits, columns = {}, {}
    for split in ("train", "test"):
        sources = [e["source"] for e in examples(builders[task], split)]
        digits[split] = {d for s in sources for d in s["digits"]}
        columns[split] = {
            (s["photo"], column)
            for s in sources
            for column in range(s["crop"][1], s["crop"][3])
        }
    assert digits["train"] and digits["test"]
    assert not digits["train"] & digits["test"]
    assert not columns["train"] & columns["test"]


@pytest.mark.parametrize("task", TASKS)
def test_the_info_tells_counts_names_and_licences(task, builders):
    info = builders[task].info
    assert info.splits["train"].num_examples == 40
    assert info.splits["test"].num_examples == 20
    assert info.splits["train[:25%]"].num_examples == 10
    licence = info.as_proto.redistribution_info.license
    assert "CC BY 4.0" in licence and "CC BY 2.0" in licence
    assert "Kaynak" in info.citation
    assert info.metadata["first_test_digit"] == 1437


def test_class_names_are_known(builders):
    features = {task: builders[task].info.features for task in TASKS}
    digits = [str(digit) for digit in range(10)]
    assert features["classification"]["label"].names == digits
    assert features["detection"]["objects"]["label"].names == digits
    mask = features["segmentation"]["segmentation_mask"]
    assert mask.names == ["background", *digits]
    assert len(features["video"]["label"].names) == 6


def test_classification_labels_sizes_and_boxes_agree(builders):
    found = examples(builders["classification"])
    assert np.bincount([e["label"] for e in found]).tolist() == [4] * 10
    for example in found:
        assert example["image"].shape == (64, 64, 3)
        top, _, bottom, _ = example["bbox"]
        assert (bottom - top) * 64 == pytest.approx(example["size"])
        assert example["size_class"] == datasets.size_class(example["size"], 64)


def test_labels_are_those_of_the_digits_that_were_used(builders):
    from sklearn.datasets import load_digits

    truth = load_digits().target
    for example in examples(builders["classification"]):
        assert truth[example["source"]["digits"][0]] == example["label"]
    for example in examples(builders["detection"]):
        labels = truth[example["source"]["digits"]]
        assert labels.tolist() == example["objects"]["label"].tolist()


def test_detection_has_the_features_of_coco(builders):
    ids, counts = [], set()
    for example in examples(builders["detection"]):
        things = example["objects"]
        counts.add(len(things["label"]))
        ids.extend(things["id"])
        assert {"image/id", "image/filename"} < set(example)
        assert not things["is_crowd"].any()
        assert (things["bbox"] >= 0).all() and (things["bbox"] <= 1).all()
        sides = (things["bbox"][:, 2:] - things["bbox"][:, :2]) * 128
        assert (things["area"] <= sides.prod(1)).all()
        np.testing.assert_allclose(sides[:, 0], things["size"], rtol=1e-5)
    assert len(set(ids)) == len(ids)
    assert counts == {1, 2, 3, 4, 5}


def test_masks_agree_with_the_objects_they_show(builders):
    for example in examples(builders["segmentation"]):
        mask, instances = example["segmentation_mask"], example["instance_mask"]
        assert mask.shape == instances.shape == (96, 96, 1)
        things = example["objects"]
        expected = np.zeros_like(mask)
        for k, label in enumerate(things["label"], start=1):
            expected[instances == k] = label + 1
            assert (instances == k).sum() == things["area"][k - 1]
        np.testing.assert_array_equal(mask, expected)


def test_clips_have_every_motion_equally_often(builders):
    found = examples(builders["video"], "train[:100%]")
    counts = np.bincount([e["label"] for e in found], minlength=6)
    assert counts.tolist() == [7, 7, 7, 7, 6, 6]
    for example in found:
        assert example["video"].shape == (16, 64, 64, 3)
        still = example["label"] not in (3, 4)
        assert (np.ptp(example["size"]) == 0) == still


@pytest.mark.parametrize("task", TASKS)
def test_supervised_pairs_come_in_batches(task, builders):
    first, second = next(
        iter(
            datasets.load_digits_in_photos(
                task,
                "train",
                data_dir=builders[task]._data_dir_root,
                as_supervised=True,
                batch_size=None if task == "detection" else 8,
                **FEW,
            )
        )
    )
    assert first.dtype == "uint8"
    assert first.shape[-1] == 3
    assert second is not None


def test_undecoded_frames_are_jpeg_and_images_png(builders):
    skip = tfds.decode.SkipDecoding()
    clip = examples(builders["video"], decoders={"video": skip})[0]["video"]
    assert len(clip) == 16 and all(f.startswith(b"\xff\xd8") for f in clip)
    picture = examples(builders["detection"], decoders={"image": skip})[0]
    assert picture["image"].startswith(b"\x89PNG")


def test_the_second_call_finds_the_files_of_the_first(builders, folder):
    path = pathlib.Path(builders["classification"].data_path)
    before = {p: p.stat().st_mtime_ns for p in path.iterdir()}
    both, info = datasets.load_digits_in_photos(
        data_dir=folder, with_info=True, **FEW
    )
    assert {p: p.stat().st_mtime_ns for p in path.iterdir()} == before
    assert set(both) == {"train", "test"}
    assert info.config_name.startswith("classification-")


def test_changes_have_files_of_their_own_and_do_what_they_say(folder):
    builder = datasets.prepare_digits_in_photos(
        data_dir=folder,
        image_size=48,
        smallest=0.5,
        train_examples=10,
        test_examples=2,
    )
    assert "image_size_48" in builder.builder_config.name
    for example in examples(builder):
        assert example["image"].shape == (48, 48, 3)
        assert example["size"] >= 24


def test_a_field_set_to_its_own_value_changes_nothing(builders, folder):
    config = builders["video"].builder_config
    again = datasets.prepare_digits_in_photos(
        config, data_dir=folder, image_size=64
    )
    assert again.data_path == builders["video"].data_path


def test_files_that_another_process_finished_first_are_taken(
    monkeypatch, tmp_path
):
    few = {"train_examples": 3, "test_examples": 2, "data_dir": tmp_path}
    generate = datasets.DigitsInPhotos._split_generators

    def slow(self, dl_manager):
        monkeypatch.undo()
        datasets.prepare_digits_in_photos(**few)
        return generate(self, dl_manager)

    monkeypatch.setattr(datasets.DigitsInPhotos, "_split_generators", slow)
    assert len(examples(datasets.prepare_digits_in_photos(**few))) == 3
    assert not list(tmp_path.glob("**/incomplete*"))


def test_tfds_finds_the_builder_by_name(monkeypatch, tmp_path):
    config = datasets.DigitsInPhotos.BUILDER_CONFIGS[0]
    monkeypatch.setattr(config, "train_examples", 6)
    monkeypatch.setattr(config, "test_examples", 4)
    splits = ["train", "test[:50%]"]
    name = "digits_in_photos/classification"
    train, test = tfds.load(name, split=splits, data_dir=tmp_path)
    assert (len(train), len(test)) == (6, 2)
    default = tfds.builder("digits_in_photos", data_dir=tmp_path)
    assert default.builder_config.name == "classification"


def test_sets_are_named_with_what_is_changed(tmp_path):
    few = {"train_examples": 3, "test_examples": 2, "smallest": 0.25}
    made = datasets.prepare_digits_in_photos(**few, data_dir=tmp_path)
    named = tfds_builder(
        f"digits_in_photos/{made.builder_config.name}", tmp_path
    )
    assert named.data_path == made.data_path
    with pytest.raises(ValueError, match="as detection-train_examples_6000"):
        tfds_builder("digits_in_photos/detection-many", tmp_path)


def test_examples_can_be_shown_as_a_figure(builders):
    pytest.importorskip("matplotlib").use("Agg")
    builder = builders["classification"]
    data = builder.as_dataset(split="train")
    assert tfds.show_examples(data, builder.info, rows=2, cols=2).axes


def test_importing_the_package_needs_neither_tfds_nor_sklearn(monkeypatch):
    for name in ("tensorflow_datasets", "sklearn", "PIL", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)
    room = pathlib.Path(datasets.__file__).parent
    for file in ("__init__.py", "digits.py", "digit_scenes.py"):
        assert runpy.run_path(str(room / file), run_name=file)
    with pytest.raises(ImportError):
        runpy.run_path(str(room / "digits_in_photos.py"))


def test_a_missing_package_is_named_with_the_line_that_installs_it(
    monkeypatch,
):
    name = "keras_pyconv.datasets.digits_in_photos"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(datasets, "digits_in_photos", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        datasets.load_digits_in_photos()


@pytest.mark.parametrize(
    "config, changes, message",
    [
        ("panoptic", {}, "one of .*config='panoptic'"),
        ("video", {"colour": 3}, "'colour'.*Known"),
        ("video", {"frames": 1}, "frames.*at least 2.*frames=1"),
        ("video", {"train_examples": 2.5}, "train_examples.*2.5"),
        ("video", {"smallest": "0.5"}, "smallest` must be a finite.*'0.5'"),
        ("detection", {"max_objects": 300}, "max_objects.* at most 255"),
        ("detection", {"largest": 1.2}, "largest=1.2"),
        ("detection", {"image_size": 24}, "smallest legal value is 0.16"),
    ],
)
def test_mistakes_are_refused_before_any_work(config, changes, message, folder):
    with pytest.raises(ValueError, match=message):
        datasets.prepare_digits_in_photos(config, data_dir=folder, **changes)
