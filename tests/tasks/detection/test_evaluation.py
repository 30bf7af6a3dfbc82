"""The twelve numbers are pycocotools', for every picture, in any order."""

import json

import keras
import numpy as np
import pytest

from keras_pyconv.tasks.detection import (
    NUMBERS,
    DetectionResults,
    GroundTruth,
    ap_by_area,
    coco_numbers,
)

pytest.importorskip("pycocotools", reason="needs pycocotools")

BOXES = {
    1: [((10, 10, 60, 50), 0), ((80, 20, 95, 40), 2)],
    2: [((5, 5, 45, 95), 1)],
}


def scene(order=(1, 2), crowds=None):
    truth = GroundTruth()
    for image in order:
        boxes, labels = zip(*BOXES[image])
        truth.add(image, (100, 120), boxes, labels, crowds)
    return truth


def answers(rows, order=None):
    found = DetectionResults()
    for image in order or rows:
        boxes, labels, scores = rows[image]
        found.add(image, np.array(boxes).reshape(-1, 4), labels, scores)
    return found


RIGHT = {
    image: ([box for box, _ in row], [one for _, one in row], [0.9] * len(row))
    for image, row in BOXES.items()
}


def test_all_found_is_one_and_nothing_found_is_zero():
    numbers = coco_numbers(scene(), answers(RIGHT))
    assert list(numbers) == list(NUMBERS)
    assert [numbers["AP"], numbers["AR 100"]] == pytest.approx([1, 1])
    nothing = coco_numbers(scene(), answers({1: ([], [], [])}))
    assert nothing["AP"] == nothing["AR 100"] == 0
    # No object is as large as COCO's large ones.
    assert nothing["AP L"] == -1


def test_a_picture_without_detections_counts():
    numbers = coco_numbers(scene(), answers({1: RIGHT[1]}))
    assert numbers["AP"] == pytest.approx(2 / 3)


def test_numbers_do_not_depend_on_the_order():
    rng = np.random.default_rng(3)
    rows = {
        image: (
            [np.add(box, rng.normal(size=4)) for box in boxes] * 2,
            labels * 2,
            rng.random(2 * len(labels)),
        )
        for image, (boxes, labels, _) in RIGHT.items()
    }
    first = coco_numbers(scene(), answers(rows))
    second = coco_numbers(scene((2, 1)), answers(rows, (2, 1)))
    assert first == second and 0 < first["AP"] < 1


def test_crowds_are_neither_found_nor_missed():
    truth = GroundTruth()
    truth.add(1, (100, 100), [(10, 10, 50, 50)], [0])
    truth.add(2, (100, 100), [(0, 0, 90, 90)], [0], crowds=[True])
    found = {
        1: ([(10, 10, 50, 50)], [0], [0.8]),
        2: ([(20, 20, 60, 60), (5, 5, 50, 50)], [0, 0], [0.9, 0.95]),
    }
    assert coco_numbers(truth, answers(found))["AP"] == pytest.approx(1)


def test_areas_that_are_given_decide_about_the_size():
    truth = GroundTruth()
    truth.add(1, (200, 200), [(0, 0, 100, 100)], [0], areas=[50.0])
    numbers = coco_numbers(truth, answers({1: ([(0, 0, 100, 100)], [0], [1])}))
    assert numbers["AP S"] == pytest.approx(1) and numbers["AP L"] == -1


def test_ap_by_area_splits_where_it_is_told():
    found = answers({1: RIGHT[1]})
    # Areas are 2000, 300 and 3600: the last one is missed.
    assert ap_by_area(scene(), found, (1000, 3000)) == pytest.approx([1, 1, 0])
    assert ap_by_area(scene(), found, (10,))[0] == -1


def test_a_file_of_coco_gives_the_same_numbers(tmp_path):
    truth = scene()
    dataset = truth.coco().dataset
    ids = [90, 13, 1]
    for row in dataset["annotations"]:
        row["category_id"] = ids[row["category_id"]]
    dataset["categories"] = [{"id": i, "name": str(i)} for i in ids]
    (tmp_path / "a.json").write_text(json.dumps(dataset))
    other = GroundTruth.of_file(tmp_path / "a.json", ids)
    found = answers({1: RIGHT[1]})
    assert coco_numbers(other, found) == coco_numbers(scene(), found)


def test_a_picture_twice_or_unknown_is_refused():
    truth = scene((1, 1))
    with pytest.raises(ValueError, match="have the id 1"):
        truth.coco()
    found = answers({7: RIGHT[1]})
    with pytest.raises(ValueError, match="such as 7"):
        coco_numbers(scene(), found)
    with pytest.raises(ValueError, match="7 was already added"):
        found.add(7, [], [], [])


def test_what_is_no_box_is_refused_before_it_counts():
    nan = float("nan")
    truth, found = GroundTruth([5, 6]), DetectionResults()
    box = (10, 10, 20, 20)
    for call, said in (
        # pycocotools takes NaN for a match with whatever is there.
        (lambda: found.add(1, [(nan, 1, 2, 3)], [0], [0.9]), "row 0: .nan"),
        (lambda: found.add(1, [box], [0], [nan]), "scores .* row 0: nan"),
        (lambda: found.add(1, [(9, 9, 1, 1)], [0], [0.9]), "ymin < ymax"),
        (lambda: found.add(1, [box], [0, 1], [0.9]), "labels .*shape .1,."),
        (lambda: found.add(1, [box[:3]], [0], [0.9]), r"\(any, 4\).*\(1, 3\)"),
        (lambda: found.add(1, [box], ["cat"], [0.9]), "labels .* numbers"),
        (lambda: found.add(1, [box, 1], [0], [0.9]), "boxes .* numbers"),
        (lambda: found.add(1, [box], keras.Input(()), [0.9]), "labels .*numb"),
        (lambda: found.add(1.5, [box], [0], [0.9]), "An id must .* 1.5"),
        (lambda: truth.add(1, (50, 50), [box, box[:2] * 2], [0, 1]), "row 1"),
        (lambda: truth.add(1, (50, 50), [box], [0], areas=[nan]), "areas"),
        (lambda: truth.add(1, (50, 50), [box], [0], crowds=[]), "crowds"),
        (lambda: truth.add(1, (50, 50), [box], [2]), "0 to 1, .*label=2"),
        (lambda: truth.add(1, (50, 50), [box], [-1]), "labels .*-1"),
        (lambda: found.add(1, [box], [0.5], [0.9]), "labels .* whole .*0.5"),
        (lambda: truth.add(1, (50, 50), [box], [0], crowds=[2]), "0 or 1"),
        (lambda: truth.add(1, (50, 50), [box], [0], areas=[-1]), "areas"),
        (lambda: GroundTruth([5, 5]), "Received 5 more than once"),
        (lambda: GroundTruth([None]), "An id must be"),
    ):
        with pytest.raises(ValueError, match=said):
            call()
    assert not found.image_ids and not truth.coco().getImgIds()


def test_a_label_without_a_category_is_refused_before_the_numbers():
    truth, found = GroundTruth([5]), DetectionResults()
    truth.add("a", (50, 50), [(1, 1, 9, 9)], [0])
    found.add("a", [(1, 1, 9, 9)], [1], [0.9])
    with pytest.raises(ValueError, match="0 to 0, .* Received: label=1"):
        coco_numbers(truth, found)


def test_pictures_to_judge_are_some_of_the_truth():
    found = answers({1: RIGHT[1], 2: ([], [], [])})
    assert coco_numbers(scene(), found, [1])["AP"] == pytest.approx(1)
    assert coco_numbers(scene(), found, iter([2]))["AP"] == 0
    with pytest.raises(ValueError, match="such as 3"):
        coco_numbers(scene(), found, [1, 3])
    with pytest.raises(ValueError, match="one at least"):
        coco_numbers(scene(), found, [])


def test_numbers_do_not_depend_on_what_the_ids_are():
    names = {1: "b", 2: "a"}
    truth = GroundTruth(["z", "x", "y"])
    found = DetectionResults()
    for image, rows in BOXES.items():
        truth.add(names[image], (100, 120), *zip(*rows))
        boxes = [np.add(box, 3) for box, _ in rows]
        found.add(
            names[image], boxes, [one for _, one in rows], [0.5] * len(rows)
        )
    moved = {
        image: ([np.add(box, 3) for box, _ in rows], *RIGHT[image][1:])
        for image, rows in BOXES.items()
    }
    wanted = coco_numbers(scene(), answers(moved))
    assert coco_numbers(truth, found) == wanted and 0 < wanted["AP"] < 1
    assert found.rows(truth)[0]["image_id"] == "a"
    assert ap_by_area(truth, found, (1000,)) == ap_by_area(
        scene(), answers(moved), (1000,)
    )


def test_a_truth_can_grow_after_it_was_asked():
    truth = scene((1,))
    assert truth.coco().getImgIds() == [1]
    truth.add(2, (100, 120), *zip(*BOXES[2]))
    assert truth.coco().getImgIds() == [1, 2]
