"""`doctor` names what is wrong with a data set of each task."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from keras_pyconv import commands


def image(path, seed=0, size=(40, 30), **options):
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse.astype("uint8")).resize(size).save(path, **options)


def doctor(data, *words, into):
    """Exit status, and `{kind: [row of the table]}`."""
    table = into / "found.csv"
    status = commands.main(["doctor", str(data), "--table", str(table), *words])
    found = {}
    with open(table, newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["kind"], []).append(row)
    return status, found


@pytest.fixture
def classes(tmp_path):
    """Folders of classes in which all that is asked for is wrong."""
    data = tmp_path / "pets"
    for number in range(24):
        image(data / "train" / "cat" / f"{number}.png", number)
    image(data / "train" / "dog" / "0.png", 100)
    (data / "train" / "fox").mkdir()
    image(data / "val" / "cat" / "a.png", 200)
    shutil.copy(data / "train" / "cat" / "3.png", data / "val" / "cat")
    shutil.copy(data / "train" / "cat" / "4.png", data / "train" / "dog")
    exif = Image.Exif()
    exif[0x112] = 6
    image(data / "train" / "cat" / "turned.jpg", 300, exif=exif)
    (data / "train" / "cat" / "empty.png").touch()
    return data


def test_class_folders(classes, tmp_path, capsys):
    page = tmp_path / "page.html"
    status, found = doctor(classes, "--page", str(page), into=tmp_path)
    assert status == 0  # one broken image of 28 is replaced
    assert set(found) == {
        *("unreadable", "duplicate", "duplicate across splits"),
        *("EXIF rotation", "empty class", "imbalance"),
    }
    assert found["unreadable"][0]["said"] == "it is empty (0 bytes)"
    (across,) = found["duplicate across splits"]
    assert {across["path"][-14:], across["said"][-14:]} == {
        *("/val/cat/3.png", "rain/cat/3.png"),
    }
    assert len(found["empty class"]) == 3  # fox twice, dog of val
    assert "cat has 26, dog has 2" in found["imbalance"][0]["said"]
    told = capsys.readouterr().out
    assert "train: 28 (cat 26, dog 2, fox 0)" in told
    assert page.read_text().count("data:image/jpeg") == 3


def test_too_many_broken_images_would_stop_training(classes, tmp_path):
    for number in range(4):
        (classes / "train" / "cat" / f"{number}.png").write_bytes(b"\x89PNG")
    status, found = doctor(classes, into=tmp_path)
    assert status == 1
    assert {row["stops"] for row in found["unreadable"]} == {"True"}


def test_one_class_would_stop_training(tmp_path):
    image(tmp_path / "pets" / "cat" / "a.png")
    status, found = doctor(tmp_path / "pets", into=tmp_path)
    assert status == 1
    assert "at least two class folders" in found["error"][0]["said"]


def test_a_sound_folder_is_told_so(tmp_path, capsys):
    for number in range(4):
        folder = tmp_path / "pets" / ("cat", "dog")[number % 2]
        image(folder / f"{number}.png", number)
    assert doctor(tmp_path / "pets", into=tmp_path) == (0, {})
    assert "No problems found." in capsys.readouterr().out


def boxes_of(data, rows):
    """A split of COCO's layout with one image and some boxes."""
    image(data / "train2017" / "a.jpg", size=(40, 30))
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 30, "width": 40}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": box}
            for n, box in enumerate(rows)
        ],
    }
    file = data / "annotations" / "instances_train2017.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def test_boxes(tmp_path):
    data = tmp_path / "coco"
    boxes_of(data, [[1, 2, 10, 10], [30, 2, 40, 5], [50, 50, 5, 5]])
    status, found = doctor(data, into=tmp_path)
    assert status == 0
    said = " ".join(row["said"] for row in found["left out or changed"])
    assert "1 annotations of bbox outside of the picture, skipped" in said or (
        "outside of the picture, skipped" in said
    )
    assert "partly outside of the picture, clipped" in said
    assert "dog has no example" in found["empty class"][0]["said"]


def test_annotations_of_other_images_would_stop_training(tmp_path):
    data = tmp_path / "coco"
    boxes_of(data, [[1, 2, 10, 10]])
    image(data / "train2017" / "a.jpg", size=(64, 64))
    status, found = doctor(data, into=tmp_path)
    assert status == 1
    assert "another height x width" in found["error"][0]["said"]


def test_masks(tmp_path):
    data = tmp_path / "scenes"
    for number, value in enumerate((1, 2, 9, 0)):
        image(data / "images" / "train" / f"{number}.jpg", number)
        mask = np.full((30, 40), value, "uint8")
        path = data / "annotations" / "train" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    (data / "classes.txt").write_text("wall\nsky\ntree\n")
    status, found = doctor(data, into=tmp_path)
    assert status == 1
    (row,) = found["invalid mask"]
    assert row["path"].endswith("2.png") and "holds the value 9" in row["said"]
    assert found["empty mask"][0]["path"].endswith("3.png")
    assert "tree has no example" in found["empty class"][0]["said"]
    (data / "annotations" / "train" / "0.png").unlink()
    status, found = doctor(data, into=tmp_path)
    assert status == 1
    assert "images have no mask" in found["error"][0]["said"]


# Videos ----------------------------------------------------------------------


def test_useless_and_remarkable_videos_are_told_apart(
    film_folder, tmp_path, capsys
):
    words = ["--processes", "2"]
    status, found = doctor(film_folder, *words, into=tmp_path)
    assert status == 1
    assert "all: 13" in capsys.readouterr().out
    names = {
        kind: {row["path"].rpartition("/")[2]: row["said"] for row in rows}
        for kind, rows in found.items()
    }
    assert set(names["unusable"]) == {
        *("cut.mp4", "empty.mp4", "one_frame.mp4", "only_sound.mp4"),
    }
    assert names["unusable"]["empty.mp4"] == "the file is empty (0 bytes)"
    assert "ends early" in names["unusual"]["cut.mkv"]
    assert names["unusual"]["turned.mp4"] == "is turned by its header"
    assert "varying.mp4" in names["unusual"]


def test_a_list_of_videos_names_what_is_missing_and_what_is_twice(
    film_folder, tmp_path
):
    for name in ("a", "b"):
        shutil.copy(film_folder / "sound.mp4", tmp_path / f"{name}.mp4")
    table = tmp_path / "list.csv"
    table.write_text("path,label\na.mp4,run\nb.mp4,run\ngone.mp4,run\n")
    status, found = doctor(table, into=tmp_path)
    assert status == 1
    assert found["unusable"][0]["said"] == "there is no such file"
    assert found["duplicate"][0]["path"].endswith(".mp4")


def test_what_holds_nothing_is_refused_in_one_line(tmp_path, capsys):
    for data in (tmp_path / "missing", tmp_path / "list.csv"):
        assert commands.main(["doctor", str(data)]) == 2
    (tmp_path / "list.csv").write_text("path,label\n1.mp4\n")
    assert commands.main(["doctor", str(tmp_path / "list.csv")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 3 and "line 2 has 1" in told


def test_the_old_command_goes_on_working(film_folder, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(film_folder / "sound.mp4", tmp_path / "one")
    report = tmp_path / "report.csv"
    words = ["-m", "keras_pyconv.check_videos", str(tmp_path / "one")]
    done = subprocess.run(
        [sys.executable, *words, "--report", str(report)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and report.is_file()
    assert "`keras-pyconv doctor` now" in done.stderr
