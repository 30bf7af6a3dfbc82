"""Every row of a COCO file is checked before any work, and named if wrong."""

import copy
import json
import logging

import numpy as np
import pytest

from keras_pyconv.tasks.detection.annotations import (
    known_id,
    read_annotations,
    read_categories,
)

CONTENT = {
    "images": [
        {"id": 4, "file_name": "b.png", "height": 50, "width": 80},
        {"id": 2, "file_name": "a.png", "height": 50, "width": 80},
    ],
    "annotations": [
        {"image_id": 4, "category_id": 3, "bbox": [10, 20, 30, 10]},
        {"image_id": 2, "category_id": 0, "bbox": [1.5, 2, 8, 9]},
    ],
    "categories": [{"id": 3, "name": "dog"}, {"id": 0, "name": "cat"}],
}
HUGE = 10**400


def _written(folder, content):
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def _with(part, number, **values):
    content = copy.deepcopy(CONTENT)
    row = content[part][number]
    row.update(values)
    content[part][number] = {k: v for k, v in row.items() if v is not ...}
    return content


def test_rows_may_lack_what_can_be_known(tmp_path):
    found = read_annotations(_written(tmp_path, CONTENT))
    assert [image.id for image in found.images] == [2, 4]
    assert dict(found.categories) == {0: "cat", 3: "dog"}
    assert found.objects.categories == (0, 3) and not found.problems
    assert found.ends.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(
        found.objects.boxes, [[1.5, 2, 8, 9], [10, 20, 30, 10]]
    )
    assert not found.objects.crowds.any()
    assert found.objects.areas.tolist() == [-1, -1]
    assert found.objects.known_areas().tolist() == [72, 300]
    assert read_categories(_written(tmp_path, CONTENT)) == found.categories


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(CONTENT), encoding="utf-8-sig")
    assert len(read_annotations(path).images) == 2


WRONG = {
    "no height": (_with("images", 1, height=...), "height.* it has nothing"),
    "height null": (_with("images", 1, height=None), "'height'.* has None"),
    "height text": (_with("images", 1, height="50"), "'height'.* has '50'"),
    "height zero": (_with("images", 1, height=0), "'height'.* has 0"),
    "width NaN": (_with("images", 1, width=float("nan")), "'width'.* has nan"),
    "width half": (_with("images", 1, width=80.5), "'width'.* has 80.5"),
    "width true": (_with("images", 1, width=True), "'width'.* has True"),
    "width huge": (_with("images", 1, width=HUGE), "'width'.* has 1000"),
    "image no id": (_with("images", 1, id=...), "'id'.* has nothing"),
    "image id null": (_with("images", 1, id=None), "'id'.* has None"),
    "image id list": (_with("images", 1, id=[1]), r"'id'.* has \[1\]"),
    "image id huge": (_with("images", 1, id=2**63), "'id'.* has 9223"),
    "image id half": (_with("images", 1, id=2.5), "'id'.* has 2.5"),
    "image id true": (_with("images", 1, id=True), "'id'.* has True"),
    "image id twice": (_with("images", 1, id=4), r"id 4, as images\[0\] has"),
    "ids of two kinds": (_with("images", 1, id="2"), "kind of the first row"),
    "file twice": (
        _with("images", 1, file_name="b.png"),
        r"file name 'b.png', as images\[0\] has",
    ),
    "file number": (_with("images", 1, file_name=7), "'file_name'.* has 7"),
    "file control": (_with("images", 1, file_name="a\0"), r"has 'a\\x00'"),
    "unknown image": (_with("annotations", 1, image_id=5), "image_id 5"),
    "text for number": (_with("annotations", 1, image_id="2"), "image_id '2'"),
    "no image": (_with("annotations", 1, image_id=...), "'image_id'.*nothing"),
    "image list": (_with("annotations", 1, image_id=[]), r"'image_id'.*\[\]"),
    "unknown class": (_with("annotations", 1, category_id=5), "category_id 5"),
    "no class": (_with("annotations", 1, category_id=...), "has nothing"),
    "class null": (_with("annotations", 1, category_id=None), "has None"),
    "crowd text": (_with("annotations", 1, iscrowd="0"), "'iscrowd'.* '0'"),
    "crowd two": (_with("annotations", 1, iscrowd=2), "'iscrowd'.* has 2"),
    "crowd list": (_with("annotations", 1, iscrowd=[0]), r"'iscrowd'.*\[0\]"),
    "class id twice": (
        _with("categories", 1, id=3),
        r"id 3, as categories\[0\] has",
    ),
    "name twice": (
        _with("categories", 1, name="dog"),
        r"name 'dog', as categories\[0\] has",
    ),
    "name null": (_with("categories", 1, name=None), "'name'.* has None"),
    "no name": (_with("categories", 1, name=...), "'name'.* has nothing"),
    "name escape": (_with("categories", 1, name="\x1b[2J"), r"'\\x1b\[2J'"),
    "name half": (_with("categories", 1, name="\ud800"), r"'\\ud800'"),
}


@pytest.mark.parametrize("content, said", WRONG.values(), ids=list(WRONG))
def test_a_row_that_cannot_be_used_is_named_with_its_value(
    content, said, tmp_path
):
    row = r"(images|annotations|categories)\[1\].*"
    wanted = rf"boxes.json: 1 of the rows of .* are invalid: {row}{said}"
    with pytest.raises(ValueError, match=wanted) as refused:
        read_annotations(_written(tmp_path, content))
    assert str(refused.value).isprintable()
    assert "Correct them in the file" in str(refused.value)


@pytest.mark.parametrize("part", CONTENT)
@pytest.mark.parametrize("row", [None, 7, "x", []], ids=repr)
def test_a_row_that_is_no_object_is_named(part, row, tmp_path):
    content = {**CONTENT, part: [CONTENT[part][0], row]}
    with pytest.raises(ValueError, match=rf"{part}\[1\] must be an object"):
        read_annotations(_written(tmp_path, content))


def test_many_wrong_rows_are_counted_and_three_of_them_named(tmp_path):
    images = [{"id": n} for n in range(1000)]
    content = {**CONTENT, "images": images}
    with pytest.raises(ValueError, match="1000 of the rows of 'images'") as it:
        read_annotations(_written(tmp_path, content))
    assert str(it.value).count("needs 'height'") == 3


@pytest.mark.parametrize(
    "content, said",
    [
        ([], "must be an object with images.* Received: .."),
        ([{"image_id": 1, "bbox": [1, 1, 1, 1], "score": 1}], "an object"),
        (None, "Received: None"),
        ({"images": [], "annotations": []}, "lacks .'categories'."),
        ({**CONTENT, "images": {}}, "'images' must be a list"),
        ({**CONTENT, "annotations": None}, "'annotations' must be a list"),
    ],
    ids=["list", "results", "null", "part", "dictionary", "no list"],
)
def test_a_file_of_another_form_is_named(content, said, tmp_path):
    with pytest.raises(
        ValueError, match=f"is not a COCO annotation file.*{said}"
    ):
        read_annotations(_written(tmp_path, content))


@pytest.mark.parametrize(
    "box",
    [
        *(None, ..., [], "5 5 9 9", [5, 5, 9], [5, 5, 9, None], {"x": 1}),
        *([5, 5, 9, "9"], [5, 5, 9, float("nan")], [5, 5, 9, HUGE]),
        *([5, 5, 9, float("inf")], [True, 5, 9, 9]),
    ],
    ids=lambda box: "missing" if box is ... else repr(box)[:30],
)
def test_what_are_no_four_numbers_is_skipped_counted_and_shown(
    box, tmp_path, caplog
):
    content = _with("annotations", 1, bbox=box, id=7)
    with caplog.at_level(logging.WARNING):
        found = read_annotations(_written(tmp_path, content))
    assert found.problems == {"no four numbers, skipped": 1}
    assert found.ends.tolist() == [0, 0, 1]
    assert "annotations[1] (id 7), 'bbox'" in caplog.text


@pytest.mark.parametrize(
    "box, problem",
    [
        ([5, 5, 0, 9], "negative or empty, skipped"),
        ([5, 5, 9, -1e-3], "negative or empty, skipped"),
        ([80, 5, 9, 9], "outside of the picture, skipped"),
        ([-9, 5, 9, 9], "outside of the picture, skipped"),
    ],
)
def test_a_box_that_covers_nothing_is_skipped_and_counted(
    box, problem, tmp_path
):
    content = _with("annotations", 1, bbox=box)
    assert read_annotations(_written(tmp_path, content)).problems == {
        problem: 1
    }


def test_a_box_stays_as_it_is_unless_it_leaves_its_image_by_a_pixel(tmp_path):
    for box, wanted in (
        ([70, 5, 10.9, 9], [70, 5, 10.9, 9]),
        ([70, -5, 30, 9], [70, 0, 10, 4]),
    ):
        content = _with("annotations", 1, bbox=box)
        found = read_annotations(_written(tmp_path, content))
        assert found.objects.boxes[0].tolist() == wanted


@pytest.mark.parametrize(
    "area", ["9", -1, float("nan"), float("inf"), HUGE, [9], True], ids=repr
)
def test_an_area_that_is_none_gives_way_to_the_boxs(area, tmp_path):
    content = _with("annotations", 1, area=area)
    found = read_annotations(_written(tmp_path, content))
    (problem,) = found.problems
    assert problem.startswith("area that is no number")
    assert found.objects.known_areas()[0] == 72


def test_ids_of_annotations_mean_nothing_but_are_counted_where_they_repeat(
    tmp_path,
):
    content = _with("annotations", 1, id="x")
    content["annotations"][0]["id"] = "x"
    found = read_annotations(_written(tmp_path, content))
    assert found.problems == {"id of another annotation, both kept": 1}
    assert len(found.objects.boxes) == 2


def test_a_file_without_any_box_is_refused(tmp_path):
    rows = [{"image_id": 4, "category_id": 3, "caption": "a dog"}] * 2
    path = _written(tmp_path, {**CONTENT, "annotations": rows})
    with pytest.raises(
        ValueError, match="none of its 2 annotations has a usable box"
    ):
        read_annotations(path)
    empty = _written(tmp_path, {**CONTENT, "annotations": []})
    assert len(read_annotations(empty).objects.boxes) == 0


def test_categories_that_are_not_among_those_given_are_refused(tmp_path):
    path = _written(tmp_path, CONTENT)
    with pytest.raises(ValueError, match="unknown category, category_id 0"):
        read_annotations(path, [3, 9])
    # Unused ones may be missing on either side.
    assert len(read_annotations(path, [9, 3, 0]).images) == 2


def test_an_id_is_a_whole_number_or_a_text():
    values = [7, 7.0, np.int32(7), "a", b"a", np.str_("a"), -(2**63)]
    found = [known_id(value) for value in values]
    assert found == [7, 7, 7, "a", "a", "a", -(2**63)]
    assert {type(one) for one in found} == {int, str}
    for wrong in (None, True, 2.5, "", "\n", 2**63, float("inf"), [1]):
        with pytest.raises(ValueError, match="An id must be"):
            known_id(wrong)
