"""Pictures with boxes are read as they are, and bad annotations by rule."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.datasets.coco_files import coco_files
from keras_pyconv.datasets.coco_labels import (
    COCO_IDS,
    COCO_NAMES,
    coco_id,
    coco_label,
)
from keras_pyconv.datasets.detection_sets import detection_set, tfds_objects
from tests.datasets import scenes


def test_labels_and_ids_lead_to_each_other():
    assert len(COCO_IDS) == len(COCO_NAMES) == len(set(COCO_NAMES)) == 80
    assert [coco_label(coco_id(label)) for label in range(80)] == [*range(80)]
    known = {1: "person", 13: "stop sign", 18: "dog", 67: "dining table"}
    known |= {70: "toilet", 84: "book", 90: "toothbrush"}
    assert {i: COCO_NAMES[coco_label(i)] for i in known} == known
    assert coco_id(79) == 90 and coco_id(11) == 13


@pytest.mark.parametrize("function, value", [(coco_label, 12), (coco_id, 80)])
def test_an_unused_number_is_refused(function, value):
    with pytest.raises(ValueError, match=f"{value}"):
        function(value)


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
        (_change("images", id=7), "1 ids are those of several pictures"),
        (_change("annotations", image_id=5), "unknown pictures, such as 1"),
        (_change("annotations", category_id=2), "unknown categories"),
        (_change("images", file_name="no.png"), "missing in .* no.png"),
        (lambda content: content.pop("images"), "lacks .'images'."),
        (_change("categories", id=90), "the id 90, 'z' and 'a'"),
    ],
    ids=[
        "two of one id",
        "unknown picture",
        "unknown class",
        "no file",
        "part",
        "two classes of one id",
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
    with pytest.raises(ValueError, match="instances.json is no "):
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


def test_the_truth_of_a_file_is_the_file(file):
    truth = coco_files(file, file.parent).truth()
    rows = truth.coco().dataset["annotations"]
    assert rows == scenes.coco_content()["annotations"]
    assert truth.category(1) == 18
