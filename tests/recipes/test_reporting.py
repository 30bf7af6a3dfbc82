"""Recipes of evaluation leave a report behind, for all four tasks."""

import csv
import importlib
import json

import numpy as np
import pytest

from recipes import reporting
from recipes.lazy import datasets

SMALL = {
    "evaluate": ["--sides=64"],
    "evaluate_detection": ["--pictures=0", "--score=0.05"],
    "evaluate_segmentation": ["--pictures=0", "--head=conv", "--no-flip"],
    "recognize_kinetics": [],
}


@pytest.mark.ci
@pytest.mark.parametrize("name", SMALL)
def test_a_report_has_every_file_and_images_of_mistakes(name, tmp_path):
    words = ["--smoke", "--report", f"--workdir={tmp_path}", *SMALL[name]]
    importlib.import_module(f"recipes.{name}").main(words)
    folder = tmp_path / "report"
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png") == 5
    assert page.count("data:image/jpeg") >= 1
    for file in ("confusion_counts", "precision_recall", "calibration"):
        assert (folder / f"{file}.png").is_file()
    assert (folder / "mistakes.png").is_file()
    known = json.loads((folder / "report.json").read_text())
    with open(folder / "per_class.csv", newline="") as file:
        names = [row["class"] for row in csv.DictReader(file)]
    assert names == [row["class"] for row in known["per_class"]]
    assert len(names) in (6, 10, 11)
    assert sum(row["count"] for row in known["by_size"]) >= 6


def test_images_are_looked_up_in_the_order_that_is_asked(tmp_path):
    digits = datasets.prepare_digits_in_photos(
        "classification", data_dir=tmp_path, train_examples=1, test_examples=5
    )
    images = datasets.picture_set(digits, "test")
    names, sizes = reporting.about(images)
    assert len(names) == 5 and set(sizes) == set(names)
    found = reporting.look_up(images, "name", [names[3], names[1]])
    rows = list(digits.as_dataset(split="test").as_numpy_iterator())
    np.testing.assert_array_equal(found, [rows[n]["image"] for n in (3, 1)])
    assert [sizes[n] for n in names] == [float(row["size"]) for row in rows]


def test_logits_are_made_probabilities_and_what_is_no_number_is_wrong():
    videos = datasets.sets.ExampleSet("pets", ("a", "b"), 2)
    kept, frames = reporting.Scores(), np.zeros((1, 4, 6, 5, 3), "uint8")
    for name, scores in (("x", [4, -1]), ("y", [np.nan, np.nan])):
        kept.add_video(name, frames, len(kept.labels), np.array(scores, float))
    report = kept.report(kept.labels, videos, videos.name)
    assert report.summary["accuracy"] == 0.5
    (mistake,) = report.mistakes
    # First, middle and last frame.
    assert mistake.name == "y" and mistake.pixels.shape == (6, 15, 3)
