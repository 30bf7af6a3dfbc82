"""Reports of the tasks: numbers by hand and by pycocotools, and files."""

import csv
import json
import pathlib

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from keras_pyconv.reports import (
    Regions,
    classification_report,
    detection_report,
    multi_label_report,
)
from keras_pyconv.tasks import coco_numbers
from keras_pyconv.tasks.detection import (
    DetectionResults,
    GroundTruth,
    ap_by_area,
)

LABELS = np.array([0, 0, 1, 1, 2])
SCORES = np.array(
    [
        *([0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.2, 0.5, 0.3]),
        *([0.0, 0.1, 0.9], [0.2, 0.2, 0.6]),
    ]
)
NAMES = ("ant", "$b$", "cow")


def rows(folder, name):
    with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def gray(places):
    return [np.full((8, 12, 3), 90, "uint8") for _ in places]


def test_several_labels_leave_their_numbers_as_counted_by_hand(tmp_path):
    labels = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]])
    scores = np.array([[0.9, 0.2, 0], [0.6, 0.7, 0], [0, 0, 0], [0.8, 0.1, 0]])
    report = multi_label_report(
        labels, scores, NAMES, names=list("wxyz"), images=gray
    )
    report.write(tmp_path)
    aps = [average_precision_score(labels[:, n], scores[:, n]) for n in (0, 1)]
    assert report.summary["mean AP"] == pytest.approx(np.mean(aps))
    assert report.summary["F1 from 0.5 on"] == pytest.approx(6 / 8)
    assert report.summary["mean F1 of the classes"] == pytest.approx(11 / 15)
    assert report.summary["all labels right"] == 0.5
    header, ant, *_, cow = rows(tmp_path, "per_class")
    assert header == ["class", "examples", "AP", "precision", "recall", "F1"]
    assert ant[:2] == ["ant", "2"] and float(ant[3]) == pytest.approx(2 / 3)
    assert cow == ["cow", "0", "", "", "", ""]
    missed, added = report.mistakes
    assert (missed.name, missed.truth) == ("w", "ant, $b$")
    assert str(missed) == "taken for no $b$, 20.0 %"
    assert (added.name, added.given) == ("x", "ant")
    assert not (tmp_path / "confusion_counts.png").exists()
    assert (tmp_path / "precision_recall.png").exists()


def test_a_classifier_leaves_its_numbers_as_counted_by_hand(tmp_path):
    asked = []
    report = classification_report(
        *(LABELS, SCORES, NAMES),
        names=list("vwxyz"),
        images=lambda places: asked.extend(places.tolist()) or gray(places),
        title="<pets>",
    )
    page = report.write(tmp_path)
    assert report.summary["accuracy"] == 0.6
    assert rows(tmp_path, "confusion_counts")[1:] == [
        *(["ant", "1", "1", "0"], ["$b$", "0", "1", "1"]),
        ["cow", "0", "0", "1"],
    ]
    rates = rows(tmp_path, "confusion_rates")
    assert rates[2] == ["$b$", "0.0", "0.5", "0.5"]
    header, ant, *_ = rows(tmp_path, "per_class")
    assert header == ["class", "examples", "AP", "precision", "recall", "F1"]
    # The second ant is third of five by its score, the first is first.
    assert ant[:2] == ["ant", "2"] and float(ant[3]) == 1
    # The most confident mistakes first: 0.9 and 0.7.
    assert asked == [3, 1]
    assert [(one.name, one.truth, one.given) for one in report.mistakes] == [
        *(("y", "$b$", "cow"), ("w", "ant", "$b$")),
    ]
    known = json.loads((tmp_path / "report.json").read_text())
    assert known["per_class"][0]["class"] == "ant"
    assert "by_size" not in known and "left out" in known["notes"][0]
    text = page.read_text()
    assert "&lt;pets&gt;" in text and "http" not in text
    assert text.count("data:image/png") == 4
    assert text.count("data:image/jpeg") == 2
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 150


def test_average_precision_is_over_all_scores_of_a_class():
    report = classification_report(LABELS, SCORES)
    header, table = report.tables["per_class"]
    # Ants by score: right (0.8), then 0.2 twice wrong, then right at 0.1.
    assert table[0][header.index("AP")] == pytest.approx((1 + 2 / 4) / 2)
    assert [row[0] for row in table] == ["0", "1", "2"]


def test_accuracy_by_size_is_there_where_sizes_are():
    report = classification_report(LABELS, SCORES, sizes=[1, 2, 3, 4, 5])
    _, table = report.tables["by_size"]
    assert [row[3] for row in table] == [0.5, 1, 0, 1]
    assert not report.notes


def test_without_a_mistake_there_is_no_sheet(tmp_path):
    page = classification_report(LABELS[[0]], SCORES[[0]]).write(tmp_path)
    assert "There is none." in page.read_text()
    assert not (tmp_path / "mistakes.png").exists()


def test_many_classes_are_drawn_without_their_names(tmp_path):
    draw = np.random.default_rng(1)
    scores = draw.random((200, 60))
    labels = draw.integers(0, 60, 200)
    classification_report(labels, scores).write(tmp_path)
    assert len(rows(tmp_path, "precision_recall")) == 61
    assert len(rows(tmp_path, "confused")) == 11


def boxes_of(truth_of, found_of):
    truth, found = GroundTruth([7, 3]), DetectionResults()
    for image, (boxes, labels) in truth_of.items():
        truth.add(image, (200, 200), boxes, labels)
    for image, columns in found_of.items():
        found.add(image, *columns)
    return truth, found


BOX, OTHER = (10, 10, 50, 50), (100, 100, 190, 190)


def test_a_detector_leaves_what_it_found_missed_and_confused(tmp_path):
    truth, found = boxes_of(
        {"a": ([BOX, OTHER], [0, 1]), "b": ([BOX], [0])},
        {
            # Right; the other class; nothing there; too low a score.
            "a": ([BOX, OTHER, (60, 60, 80, 80)], [0, 0, 1], [0.9, 0.8, 0.7]),
            "b": ([BOX], [0], [0.2]),
        },
    )
    report = detection_report(
        truth, found, ("cat", "dog"), images=gray, score=0.3
    )
    report.write(tmp_path)
    assert rows(tmp_path, "confusion_counts")[1:] == [
        *(["cat", "1", "0", "1"], ["dog", "1", "0", "0"]),
        ["(nothing)", "0", "1", "0"],
    ]
    said = [(one.name, one.truth, str(one)) for one in report.mistakes]
    assert said == [
        ("a", "dog", "taken for cat, 80.0 %"),
        ("a", "(nothing)", "taken for dog, 70.0 %"),
    ]
    # Both cats are found, one behind a wrong box; no dog.
    numbers = coco_numbers(truth, found)
    assert report.summary["AP"] == pytest.approx(numbers["AP"])
    assert report.summary["AP50"] == pytest.approx(numbers["AP50"])
    answers = report.tables["calibration"][1]
    assert sum(row[2] for row in answers) == 4


def test_average_precision_is_that_of_pycocotools():
    draw = np.random.default_rng(3)
    truth_of, found_of = {}, {}
    for image in range(12):
        low = draw.uniform(0, 100, (4, 2))
        boxes = np.hstack([low, low + draw.uniform(5, 99, (4, 2))])
        labels = draw.integers(0, 2, 4)
        moved = boxes + draw.uniform(0, 4, boxes.shape)
        truth_of[image] = boxes, labels
        found_of[image] = moved, draw.integers(0, 2, 4), draw.random(4)
    truth, found = boxes_of(truth_of, found_of)
    report = detection_report(truth, found)
    header, table = report.tables["per_class"]
    numbers = coco_numbers(truth, found)
    for name in ("AP", "AP50", "AP75", "AP S", "AP M"):
        column = [row[header.index(name)] for row in table]
        assert np.nanmean(column) == pytest.approx(numbers[name])
    _, sizes = report.tables["by_size"]
    edges = [row[1] ** 2 for row in sizes[:-1]]
    known = ap_by_area(truth, found, edges)
    # There a box on an edge is in both groups.
    assert [row[3] for row in sizes] == pytest.approx(known, abs=0.08)
    assert sum(row[2] for row in sizes) == 48


def test_a_truth_without_objects_has_no_report():
    truth = GroundTruth([1])
    truth.add(1, (9, 9), np.zeros((0, 4)), np.zeros(0, int))
    with pytest.raises(ValueError, match="`truth` must be of one object"):
        detection_report(truth, DetectionResults())


def test_a_detector_that_finds_nothing_has_a_report(tmp_path):
    truth, found = boxes_of({1: ([BOX], [0])}, {1: ([], [], [])})
    report = detection_report(truth, found)
    assert report.summary["AP"] == 0
    assert report.tables["confusion_counts"][1][0] == ["0", 0, 0, 1]
    assert "There is none." in report.write(tmp_path).read_text()


def test_labels_that_only_a_detector_knows_have_a_row():
    truth, found = GroundTruth(), DetectionResults()
    truth.add(1, (99, 99), [BOX], [1])
    found.add(1, [BOX], [3], [0.9])
    report = detection_report(truth, found)
    assert report.tables["confusion_counts"][1][1] == ["1", 0, 0, 0, 1, 0]


def test_the_last_names_may_be_of_classes_that_occur_nowhere():
    truth, found = GroundTruth(), DetectionResults()
    truth.add(1, (99, 99), [BOX], [1])
    found.add(1, [BOX], [1], [0.9])
    report = detection_report(truth, found, ("cat", "dog", "fox"))
    counts = report.tables["confusion_counts"][1]
    assert [row[0] for row in counts[:3]] == ["cat", "dog", "fox"]
    with pytest.raises(ValueError, match="2 texts"):
        detection_report(truth, found, ("cat",))


TRUTH = np.array([[0, 0, 1], [0, 255, 1]])
ANSWER = np.array([[0, 1, 1], [0, 1, 1]])


def test_regions_are_counted_as_by_hand(tmp_path):
    regions = Regions(("ground", "cat"))
    image = np.full((2, 3, 3), 90, "uint8")
    example = {"image": image, "labels": TRUTH, "name": "a"}
    right = np.where(ANSWER, 0.75, 0.25)
    scores = np.stack([1 - right, right], axis=-1)
    # In strips, as large images come.
    for first in (0, 1):
        regions.add_scores(example, first, scores[first : first + 1])
    regions.add(example, ANSWER)
    regions.add({"image": image}, ANSWER)  # without a mask it does not count
    report = regions.report()
    report.write(tmp_path)
    header, (ground, cat) = report.tables["per_class"]
    assert header[:4] == ["class", "pixels", "IoU", "AP"]
    assert ground[1:3] == (3, 2 / 3) and cat[1:3] == (2, 2 / 3)
    assert cat[3] == pytest.approx(2 / 3)
    assert report.summary["pixel accuracy"] == 0.8
    # Four of five are right, by 0.75 each.
    error = report.summary["expected calibration error"]
    assert error == pytest.approx(0.05)
    (mistake,) = report.mistakes
    assert (mistake.truth, mistake.given) == ("ground", "cat")
    assert mistake.pixels.shape == (480, 240, 3)


def test_curves_of_regions_are_those_of_all_pixels():
    draw, regions = np.random.default_rng(4), Regions(("a", "b", "c"))
    truth = draw.integers(0, 3, (2, 40, 50))
    logits = draw.normal(size=(2, 40, 50, 3)) + 2 * np.eye(3)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    image = np.zeros((40, 50, 3), "uint8")
    for labels, part in zip(truth, scores):
        example = {"image": image, "labels": labels}
        regions.add_scores(example, 0, part)
        regions.add(example, part.argmax(axis=-1))
    header, table = regions.report().tables["per_class"]
    for number, row in enumerate(table):
        known = average_precision_score(
            (truth == number).ravel(), scores[..., number].ravel()
        )
        # Scores are counted in a thousand steps.
        assert row[header.index("AP")] == pytest.approx(known, abs=1e-3)


def test_the_worst_images_are_kept_and_no_others():
    regions = Regions(("ground", "cat"))
    image, draw = np.zeros((4, 4, 3), "uint8"), np.random.default_rng(1)
    for number in draw.permutation(30):
        answer = np.arange(16).reshape(4, 4) < number % 16
        example = {"image": image, "labels": np.zeros((4, 4), int)}
        regions.add({**example, "name": str(number)}, answer.astype(int))
    kept = [one for one in regions.report().mistakes]
    ious = [float(one.text[4:-2]) for one in kept]
    assert len(kept) == 12 and ious == sorted(ious)
    assert {one.name for one in kept[:2]} == {"15", "14"}


def test_without_an_image_there_is_nothing_to_report():
    with pytest.raises(ValueError, match="No image with labels"):
        Regions(("a", "b")).report()


def test_a_path_of_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    report = classification_report(LABELS, SCORES)
    with pytest.raises(NotADirectoryError, match="`folder`"):
        report.write(pathlib.Path(tmp_path / "file"))


@pytest.mark.parametrize("height", [19, 7, 30])
def test_objects_of_one_area_are_all_counted(height):
    # Roots of such areas, squared again, are other numbers.
    boxes = [[0.0, 0.0, 1.0, float(height)], [5.0, 5.0, 6.0, 5.0 + height]]
    truth, found = boxes_of(
        {"a": (boxes, [0, 0])}, {"a": (boxes, [0, 0], [0.9, 0.8])}
    )
    _, sizes = detection_report(truth, found).tables["by_size"]
    assert [row[2:4] for row in sizes] == [(2, pytest.approx(1.0))]
