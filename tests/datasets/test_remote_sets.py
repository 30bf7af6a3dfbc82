"""Sets of other file systems are those of the same folders on this machine."""

import types

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("sklearn")

from keras_pyconv import datasets  # noqa: E402
from keras_pyconv.tasks.preprocessing import (  # noqa: E402
    imagenet_preprocessing,
)
from tests.datasets import mask_folders, pictures, scenes  # noqa: E402
from tests.elsewhere import copied  # noqa: E402


def assert_same(local, remote, batch_of):
    """One digest, names and problems, and one batch to the bit."""
    assert local.digest == remote.digest
    assert local.classes == remote.classes and local.count == remote.count
    assert local.problems == remote.problems
    first, second = map(tf.nest.flatten, map(batch_of, (local, remote)))
    assert len(first) == len(second)
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


def batch_of_pictures(opened):
    rule = imagenet_preprocessing(16)
    return next(iter(datasets.evaluation_pictures(opened, rule, batch_size=2)))


def test_class_folders_give_the_same_digest_and_first_batch(tmp_path):
    pictures.write_folder(tmp_path, train=3, val=1, side=24)
    # Of a name without an ending the first bytes decide.
    image = tmp_path / "train" / "china" / "0.jpg"
    image.rename(image.with_suffix(""))
    (tmp_path / "train" / "china" / "notes.txt").write_text("none")
    (tmp_path / "train" / ".hidden").mkdir()
    remote = copied(tmp_path)
    for split in ("train", "validation"):
        opened = [datasets.picture_set(x, split) for x in (tmp_path, remote)]
        assert_same(*opened, batch_of_pictures)
    assert opened[1].name == f"{remote}, val"


def test_a_folder_without_splits_is_divided_alike(tmp_path):
    pictures.write_folder(tmp_path, train=4, val=1, side=24)
    parts = [
        datasets.split_class_folder(root, 0.5)
        for root in (tmp_path / "train", copied(tmp_path / "train") + "/")
    ]
    for local, remote in zip(*parts):
        assert_same(local, remote, lambda opened: opened.count)


def test_a_csv_lists_the_same_images_from_anywhere(tmp_path):
    pictures.write_folder(tmp_path, train=2, val=1, side=24)
    table = tmp_path / "a.csv"
    names = [f"train/{one}/1.jpg" for one in ("china", "flower")]
    table.write_text(
        "".join(["path,label\n", *(f"{n},{n[6]}\n" for n in names)])
    )
    remote = copied(tmp_path)
    opened = [datasets.picture_set(x) for x in (table, f"{remote}/a.csv")]
    assert_same(*opened, batch_of_pictures)
    # Its rows may name files of another file system.
    rows = [f"{remote}/{name},{name[6]}\n" for name in names]
    table.write_text("".join(["path,label\n", *rows]))
    batches = map(batch_of_pictures, (opened[0], datasets.picture_set(table)))
    for one, other in zip(*batches):
        np.testing.assert_array_equal(one, other)
    table.write_text("path,label\nram://nowhere/a.jpg,c\n" + rows[1])
    with pytest.raises(ValueError, match="line 2: 'ram://nowhere/a.jpg'"):
        datasets.picture_set(table)


def test_boxes_of_coco_give_the_same_examples(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "val2017" / "more").mkdir(parents=True)
    content = scenes.coco_content()
    scenes.write_coco(tmp_path / "val2017", content).rename(
        tmp_path / "annotations" / "instances_val2017.json"
    )
    remote = copied(tmp_path)
    sets = [datasets.detection_set(r, "validation") for r in (tmp_path, remote)]

    def batch_of(opened):
        batches = datasets.evaluation_scenes(opened, (32, 32), batch_size=2)
        return next(iter(batches))

    assert_same(*sets, batch_of)
    tf.io.gfile.remove(f"{remote}/val2017/8.png")
    with pytest.raises(ValueError, match="1 pictures are missing in ram://"):
        datasets.detection_set(remote, "validation")


def test_folders_of_masks_give_the_same_digest_and_first_batch(tmp_path):
    mask_folders.write(tmp_path)
    (tmp_path / "classes.txt").write_text(
        "\n".join(f"class {n}" for n in range(150))
    )
    sets = [
        datasets.mask_set(root, "training", rule="from_one")
        for root in (tmp_path, copied(tmp_path))
    ]

    def batch_of(opened):
        return next(iter(opened.examples().map(opened.decoded)))

    assert_same(*sets, batch_of)
    assert sets[1].classes[0] == "class 0"


def test_tfds_gets_the_data_dir_as_it_was_given(monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")

    def builder(name, data_dir):
        raise ConnectionError(f"asked for {name} in {data_dir}")

    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(ConnectionError, match="mnist in gs://bucket/tfds$"):
        datasets.picture_set("mnist", data_dir="gs://bucket/tfds/")


@pytest.mark.parametrize(
    "open_set",
    [
        datasets.picture_set,
        datasets.mask_set,
        datasets.detection_set,
        datasets.video_set,
    ],
)
def test_a_missing_remote_folder_and_remote_videos_are_one_line(open_set):
    with pytest.raises(ValueError) as caught:
        open_set("ram://nowhere/photos")
    said = str(caught.value)
    wanted = "on this machine" if open_set is datasets.video_set else "exist"
    assert wanted in said and "ram://nowhere/photos" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "error, kind, said",
    [
        (tf.errors.PermissionDeniedError, PermissionError, "no\taccess\n403"),
        (tf.errors.UnauthenticatedError, PermissionError, "log in"),
        (tf.errors.FailedPreconditionError, OSError, "Could not resolve host"),
    ],
)
def test_what_a_file_system_refuses_is_an_os_error_of_one_line(
    monkeypatch, error, kind, said
):
    def refuse(path):
        raise error(None, None, said)

    monkeypatch.setattr(tf.io.gfile, "stat", refuse)
    with pytest.raises(kind) as caught:
        datasets.picture_set("gs://bucket/photos")
    told = " ".join(said.split())
    assert str(caught.value) == f"gs://bucket/photos cannot be read: {told}"


def test_a_folder_of_objects_is_listed_once_and_asked_nothing(monkeypatch):
    """As Google's storage answers: names of folders end in a slash."""
    held = {
        "gs://b/train": ["cat/", "d[o]g.v2/"],
        "gs://b/train/cat": [f"{n}.jpg" for n in range(3000)],
        "gs://b/train/d[o]g.v2": ["0.jpg", "1.jpg"],
    }
    listed, asked = [], []

    def listdir(path):
        listed.append(path)
        return held[path]

    def stat(path):
        asked.append(path)
        return types.SimpleNamespace(is_directory=path in held)

    monkeypatch.setattr(tf.io.gfile, "listdir", listdir)
    monkeypatch.setattr(tf.io.gfile, "stat", stat)
    training, validation = datasets.split_class_folder("gs://b/train")
    assert training.count + validation.count == 3002
    assert training.classes == ("cat", "d[o]g.v2")
    assert sorted(listed) == sorted(held)
    assert {*asked} == {*held}  # of files nothing is asked
