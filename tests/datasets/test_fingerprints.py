"""Batches tell what they are made of, so that other data are noticed."""

import json
import shutil

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_pyconv import datasets  # noqa: E402
from keras_pyconv.datasets.sets import digest  # noqa: E402
from tests.datasets import mask_folders, scenes  # noqa: E402

OPTIONS = {"batch_size": 1, "seed": 1}


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _pictures(root):
    _touch(root, "train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg")


def _classes(root):
    _touch(root, *(f"{name}/{n}.jpg" for name in "ab" for n in range(4)))


def _masks(root):
    mask_folders.write(root)


def _scenes(root):
    (root / "train2017").mkdir(parents=True)
    path = scenes.write_coco(root / "train2017")
    (root / "annotations").mkdir()
    path.rename(root / "annotations" / "instances_train2017.json")


def _videos(root):
    _touch(root, "train/a/1.mp4", "train/a/2.mp4", "train/b/1.mp4")


def _listed(root):
    _touch(root, "1.mp4", "2.mp4", "3.mp4")
    lines = ("path,label", "1.mp4,a", "2.mp4,a", "3.mp4,b")
    (root / "list.csv").write_text("\n".join(lines))


def _of_pictures(name):
    return datasets.training_pictures(datasets.picture_set(name), **OPTIONS)


def _of_classes(name):
    pictures, _ = datasets.split_class_folder(name, 0.25)
    return datasets.training_pictures(pictures, **OPTIONS)


def _of_masks(name):
    return datasets.training_masks(datasets.mask_set(name), **OPTIONS)


def _of_scenes(name):
    boxes = np.array([[0.0, 0.0, 1.0, 1.0]], "float32")
    opened = datasets.detection_set(name)
    return datasets.training_scenes(opened, boxes, (8, 8), **OPTIONS)


def _of_videos(name):
    return datasets.training_clips(datasets.video_set(name), **OPTIONS)


def _of_list(root):
    return _of_videos(root / "list.csv")


def _edited(name, function):
    """A change of a JSON or a CSV file by a function of its text."""

    def change(root):
        path = root / name
        path.write_text(function(path.read_text()))

    return change


def _without_a_picture(text):
    content = json.loads(text)
    gone = content["images"].pop()["id"]
    rows = content["annotations"]
    content["annotations"] = [r for r in rows if r["image_id"] != gone]
    return json.dumps(content)


def _moved_box(text):
    content = json.loads(text)
    content["annotations"][0]["bbox"][0] += 1
    return json.dumps(content)


def _removed(*names):
    return lambda root: [(root / name).unlink() for name in names]


def _renamed(name, other):
    return lambda root: (root / name).rename(root / other)


COCO = "annotations/instances_train2017.json"
# By the kind of set: how to write one, its batches, and changes by name.
KINDS = {
    "pictures": (
        _pictures,
        _of_pictures,
        {
            "removed": _removed("train/a/2.jpg"),
            "renamed": _renamed("train/a/2.jpg", "train/a/3.jpg"),
            "relabelled": _renamed("train/a/2.jpg", "train/b/2.jpg"),
            "class added": lambda root: (root / "train" / "aa").mkdir(),
        },
    ),
    "classes": (
        _classes,
        _of_classes,
        {
            "removed": _removed("a/1.jpg", "a/2.jpg"),
            "relabelled": _renamed("a/1.jpg", "b/9.jpg"),
        },
    ),
    "masks": (
        _masks,
        _of_masks,
        {
            "removed": _removed(
                "images/training/2.jpg", "annotations/training/2.png"
            ),
            "classes named": lambda root: (root / "classes.txt").write_text(
                "\n".join(map(str, range(150)))
            ),
        },
    ),
    "scenes": (
        _scenes,
        _of_scenes,
        {
            "removed": _edited(COCO, _without_a_picture),
            "moved box": _edited(COCO, _moved_box),
        },
    ),
    "videos": (
        _videos,
        _of_videos,
        {
            "removed": _removed("train/a/2.mp4"),
            "relabelled": _renamed("train/a/2.mp4", "train/b/2.mp4"),
        },
    ),
    "list of videos": (
        _listed,
        _of_list,
        {
            "removed": _edited(
                "list.csv", lambda t: t.replace("2.mp4,a\n", "")
            ),
            "relabelled": _edited(
                "list.csv", lambda t: t.replace("2.mp4,a", "2.mp4,b")
            ),
        },
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_was_moved_is_the_same_data(kind, tmp_path):
    write, batches, _ = KINDS[kind]
    write(tmp_path / "one")
    before = batches(tmp_path / "one").fingerprint
    assert before["examples"] >= 3 and len(before["digest_of_names"]) == 64
    (tmp_path / "deep").mkdir()
    shutil.move(tmp_path / "one", tmp_path / "deep" / "other")
    after = batches(tmp_path / "deep" / "other").fingerprint
    assert after == before == json.loads(json.dumps(before))


@pytest.mark.parametrize(
    "kind, change",
    [(kind, change) for kind, (*_, all_) in KINDS.items() for change in all_],
)
def test_other_data_have_another_fingerprint(kind, change, tmp_path):
    write, batches, changes = KINDS[kind]
    write(tmp_path)
    before = batches(tmp_path).fingerprint
    changes[change](tmp_path)
    after = batches(tmp_path).fingerprint
    assert after["digest_of_names"] != before["digest_of_names"]
    assert (after["examples"] < before["examples"]) == (change == "removed")


OF_TASK = {
    "classification": _of_pictures,
    "detection": _of_scenes,
    "segmentation": _of_masks,
    "video": _of_videos,
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A function that prepares a small set of TFDS."""
    pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("sklearn")

    def prepare(task, **changes):
        options = {"train_examples": 4, "test_examples": 1, **changes}
        config = datasets.DigitsInPhotosConfig(
            name="few", task=task, image_size=32, frames=2, **options
        )
        folder = tmp_path_factory.mktemp("digits")
        builder = datasets.DigitsInPhotos(data_dir=folder, config=config)
        builder.download_and_prepare()
        return builder

    return prepare


@pytest.mark.parametrize("task", OF_TASK)
def test_a_set_of_tfds_is_told_by_what_was_prepared(task, digits):
    batches = OF_TASK[task]
    one = batches(digits(task)).fingerprint
    assert one["examples"] == 4 and len(one["digest_of_names"]) == 64
    assert batches(digits(task)).fingerprint == one
    fewer = batches(digits(task, train_examples=3)).fingerprint
    other = batches(digits(task, seed=1)).fingerprint
    assert fewer["examples"] == 3 and other["examples"] == 4
    digests = {f["digest_of_names"] for f in (one, fewer, other)}
    assert len(digests) == 3


def test_parts_of_a_split_of_tfds_are_told_apart(digits):
    builder = digits("classification")
    parts = ["train[:2]", "train[2:]", "test", "train"]
    opened = [datasets.picture_set(builder, part) for part in parts]
    assert len({pictures.digest for pictures in opened}) == len(parts)


def test_a_builder_that_says_nothing_is_told_by_the_number_of_examples(
    tmp_path,
):
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=5):
        pictures = datasets.picture_set("imagenet2012", data_dir=tmp_path)
    batches = datasets.training_pictures(pictures, **OPTIONS)
    assert batches.fingerprint == {"examples": 5, "exif": True}


def test_columns_do_not_run_into_each_other():
    columns = [
        (["ab", "c"],),
        (["a", "bc"],),
        (["ab"], ["c"]),
        (["abc"],),
        ([], ["ab", "c"]),
        (np.array([1, 2], "int64"),),
        (np.array([1, 2], "int32"),),
        (np.zeros((0, 4), "float32"),),
    ]
    assert len({digest(*each) for each in columns}) == len(columns)


def test_a_name_that_is_no_unicode_has_a_digest():
    assert digest(["\udcff.jpg"]) != digest(["\udcfe.jpg"])
