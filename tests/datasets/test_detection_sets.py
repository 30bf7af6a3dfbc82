"""Pictures with boxes are read as they are, and bad annotations by rule."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.datasets.coco_labels import COCO_IDS, COCO_NAMES
from keras_pyconv.datasets.detection_sets import (
    coco_files,
    detection_set,
    tfds_objects,
)
from keras_pyconv.tasks.detection import DetectionResults, coco_numbers
from tests.datasets import scenes


def test_ids_of_coco_have_the_names_of_its_labels():
    assert len(COCO_IDS) == len(COCO_NAMES) == len(set(COCO_NAMES)) == 80
    known = {1: "person", 13: "stop sign", 18: "dog", 67: "dining table"}
    known |= {70: "toilet", 84: "book", 90: "toothbrush"}
    assert {i: COCO_NAMES[COCO_IDS.index(i)] for i in known} == known
    assert COCO_IDS[79] == 90 and COCO_IDS[11] == 13 and 12 not in COCO_IDS


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return scenes.write_coco(tmp_path_factory.mktemp("coco"))


def _examples(opened, order=None):
    order = order if order is None else tf.constant(order, tf.int64)
    return list(opened.examples(order).as_numpy_iterator())


def test_a_file_gives_its_boxes_as_fractions_by_label(file):
    opened = coco_files(file, file.parent)
    assert opened.classes == ("a", "d", "z") and opened.categories == (
        1,
        18,
        90,
    )
    assert opened.count == 3 and not opened.problems
    found = {row["id"]: row for row in _examples(opened)}
    assert list(found) == [7, 8, 9]
    np.testing.assert_allclose(
        found[7]["boxes"], [np.divide(scenes.BOXES[0], (50, 80, 50, 80))]
    )
    labels = {i: row["labels"].tolist() for i, row in found.items()}
    assert labels == {7: [1], 9: [0], 8: [2]}
    assert found[9]["areas"] == [2.5] and not found[9]["crowds"].any()
    assert opened.encoded(found[7]).numpy()[1:4] == b"PNG"


def test_every_epoch_has_an_order_of_its_own(file):
    opened = coco_files(file, file.parent)
    orders = [
        tuple(row["id"] for row in _examples(opened, epoch))
        for epoch in (*range(6), 0)
    ]
    assert orders[0] == orders[-1] and len(set(orders)) > 1
    assert all(sorted(order) == [7, 8, 9] for order in orders)


def test_labels_follow_the_categories_that_are_given(file):
    opened = coco_files(file, file.parent, (90, 18, 1, 2))
    assert opened.classes == ("z", "d", "a", "2")
    assert _examples(opened)[0]["labels"].tolist() == [1]


@pytest.mark.parametrize(
    "box, problem",
    [
        ([5, 5, 0, 9], "negative or empty, skipped"),
        ([5, 5, 9, -3], "negative or empty, skipped"),
        ([5, 5, 9], "no four numbers, skipped"),
        ([5, 5, 9, float("nan")], "no four numbers, skipped"),
        ([90, 5, 9, 9], "outside of the picture, skipped"),
        ([70, 5, 30, 9], "partly outside of the picture, clipped"),
    ],
)
def test_a_box_that_cannot_be_one_is_counted(box, problem, tmp_path):
    content = scenes.coco_content()
    content["annotations"][0]["bbox"] = box
    opened = coco_files(scenes.write_coco(tmp_path, content), tmp_path)
    assert opened.problems == {problem: 1}
    boxes = _examples(opened)[0]["boxes"]
    assert len(boxes) == (1 if "clipped" in problem else 0)
    assert (boxes <= 1).all()


def _change(part, **values):
    def change(content):
        content[part][1].update(values)

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (_change("images", id=7), r"images.1. .*the id 7, as images.0. has"),
        (_change("annotations", image_id=5), "an unknown image, image_id 5"),
        (_change("annotations", category_id=2), "an unknown category"),
        (_change("images", file_name="no.png"), "missing in .*'no.png'"),
        (lambda content: content.pop("images"), "lacks .'images'."),
        (_change("images", file_name="./7.png"), "file name.*as images.0."),
        (_change("images", file_name="no\\.png"), r"missing in .* 'no\\\\"),
        (
            lambda content: content["images"][1].pop("file_name"),
            "no 'file_name'",
        ),
        (_change("categories", id=90), r"the id 90, as categories.0. has"),
        (_change("images", height=80, width=50), "is 50 x 80, and not 80 x 50"),
        (_change("images", width=81), "9.png' is 50 x 80, and not 50 x 81"),
    ],
    ids=[
        "two of one id",
        "unknown picture",
        "unknown class",
        "no file",
        "part",
        "two of one file",
        "no file with a backslash",
        "no name",
        "two classes of one id",
        "another size",
        "a pixel more",
    ],
)
def test_a_file_that_does_not_belong_is_refused(change, words, tmp_path):
    content = scenes.coco_content()
    path = scenes.write_coco(tmp_path, content)
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=words):
        coco_files(path, tmp_path)


@pytest.mark.parametrize("text", ["", '{"images": [{"id"', "[]"], ids=repr)
def test_a_file_that_is_not_whole_is_refused_by_its_name(text, tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="instances.json is not a "):
        coco_files(path, tmp_path)


def test_pictures_of_crowds_alone_are_left_out_where_asked(tmp_path):
    content = scenes.coco_content()
    content["annotations"][0]["iscrowd"] = 1
    del content["annotations"][1]
    path = scenes.write_coco(tmp_path, content)
    assert coco_files(path, tmp_path).count == 3
    opened = coco_files(path, tmp_path, with_objects_only=True)
    assert [row["id"] for row in _examples(opened)] == [8]


def test_a_folder_as_coco_unpacks_is_found(tmp_path):
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    file = scenes.write_coco(tmp_path / "val2017")
    file.rename(tmp_path / "annotations" / "instances_val2017.json")
    opened = detection_set(tmp_path, "validation", categories=(90, 18, 1))
    assert opened.count == 3 and opened.classes == ("z", "d", "a")
    with pytest.raises(ValueError, match="train.*instances_val2017.json"):
        detection_set(tmp_path, "train")


def test_labels_of_the_validation_split_are_those_of_training(tmp_path):
    content = scenes.coco_content()
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        file = scenes.write_coco(tmp_path / split, content)
        (tmp_path / "annotations").mkdir(exist_ok=True)
        file.rename(tmp_path / "annotations" / f"instances_{split}.json")
        # What the validation split lacks: a class without an object there.
        content["categories"] = content["categories"][:1]
        content["annotations"] = content["annotations"][2:]
    opened = detection_set(tmp_path, "validation")
    assert opened.classes == ("a", "d", "z")
    assert [row["labels"].tolist() for row in _examples(opened)] == [
        [],
        [2],
        [],
    ]
    content["categories"][0]["name"] = "y"
    file = tmp_path / "annotations" / "instances_val.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="90 is 'y' and not 'z'"):
        detection_set(tmp_path, "validation")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    pytest.importorskip("sklearn", reason="the digits come with it")
    from keras_pyconv.datasets import prepare_digits_in_photos

    return prepare_digits_in_photos(
        "detection",
        data_dir=tmp_path_factory.mktemp("tfds"),
        train_examples=4,
        test_examples=3,
        image_size=64,
    )


def test_a_set_of_tfds_is_read_without_decoding(digits):
    # TFDS has an order of its own.
    opened = tfds_objects(digits, "validation")
    assert opened.count == 3 and opened.classes[3] == "3"
    rows = _examples(opened)
    assert sorted(row["id"] for row in rows) == [0, 1, 2]
    assert rows[0]["picture"][1:4] == b"PNG"
    assert opened.truth().coco().getImgIds() == [0, 1, 2]
    areas = [
        row["area"] for row in opened.truth().coco().dataset["annotations"]
    ]
    np.testing.assert_allclose(
        areas, np.concatenate([row["areas"] for row in rows])
    )


def test_the_truth_of_a_file_is_the_file_but_for_ids_of_annotations(file):
    truth = coco_files(file, file.parent).truth()
    rows = truth.coco().dataset["annotations"]
    assert [row.pop("id") for row in rows] == [1, 2, 3]
    wanted = sorted(
        scenes.coco_content()["annotations"], key=lambda row: row["image_id"]
    )
    assert rows == [
        {name: value for name, value in row.items() if name != "id"}
        for row in wanted
    ]
    assert truth.category(1) == 18


def _numbers_of_perfect_detections(opened):
    """COCO's numbers of the boxes of a set's own examples."""
    found = DetectionResults()
    for row in _examples(opened):
        scale = np.tile(opened.decoded(row).shape[:2], 2)
        scores = np.ones(len(row["labels"]))
        found.add(row["id"], row["boxes"] * scale, row["labels"], scores)
    return coco_numbers(opened.truth(), found), found


IDS = {
    "numbers": (lambda n: n, lambda n: n, lambda n: n),
    "from zero": (lambda n: n - 7, lambda n: n - 1, lambda n: n),
    "text": (str, lambda n: f"class/{n}", lambda n: f"row {n}"),
    "huge": (lambda n: n - 2**63, lambda n: 2**63 - n, lambda n: 10**40 + n),
    "one for all rows": (lambda n: n, lambda n: n, lambda n: 5),
    "null": (float, float, lambda n: None),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=list(IDS))
def test_perfect_detections_are_perfect_whatever_the_ids(ids, tmp_path):
    pytest.importorskip("pycocotools", reason="needs pycocotools")
    image_id, category_id, annotation_id = ids
    content = scenes.coco_content()
    for row in content["images"]:
        row["id"] = image_id(row["id"])
    for row in content["categories"]:
        row["id"] = category_id(row["id"])
    for row in content["annotations"]:
        row["id"] = annotation_id(row["id"])
        row["image_id"] = image_id(row["image_id"])
        row["category_id"] = category_id(row["category_id"])
        del row["iscrowd"], row["area"]
    opened = coco_files(scenes.write_coco(tmp_path, content), tmp_path)
    numbers, found = _numbers_of_perfect_detections(opened)
    assert [numbers["AP"], numbers["AR 100"]] == pytest.approx([1, 1], 1e-12)
    # Results go by the ids of the file.
    rows = found.rows(opened.truth())
    for name in ("image_id", "category_id"):
        wanted = {row[name] for row in content["annotations"]}
        assert {row[name] for row in rows} == wanted


def test_the_truth_has_the_boxes_that_were_learned(tmp_path):
    pytest.importorskip("pycocotools", reason="needs pycocotools")
    content = scenes.coco_content()
    content["annotations"][0]["bbox"] = [70, 5, 30, 9]  # beyond the edge
    content["annotations"][1]["bbox"] = [5, 5, 9, 0]
    opened = coco_files(scenes.write_coco(tmp_path, content), tmp_path)
    numbers, _ = _numbers_of_perfect_detections(opened)
    assert numbers["AP"] == pytest.approx(1, 1e-12)


def test_areas_of_the_boxes_are_taken_where_asked(file):
    truth = coco_files(file, file.parent).truth(box_areas=True)
    areas = [row["area"] for row in truth.coco().dataset["annotations"]]
    assert areas == [1200, 1080, 400]


def test_categories_by_name_are_compared(file):
    names = {18: "d", 1: "a", 90: "z", 3: "unused"}
    opened = coco_files(file, file.parent, names)
    assert opened.classes == ("d", "a", "z", "unused")
    with pytest.raises(
        ValueError, match="1 categories.*: 90 is 'z' and not 'y"
    ):
        coco_files(file, file.parent, {**names, 90: "y"})


def test_the_package_gives_the_function_however_often_it_is_asked(file):
    from keras_pyconv import datasets

    for _ in range(2):
        assert datasets.coco_files(file, file.parent).count == 3


def test_a_missing_folder_is_named(file):
    with pytest.raises(FileNotFoundError, match="existing folder.*absent"):
        coco_files(file, file.parent / "absent")
