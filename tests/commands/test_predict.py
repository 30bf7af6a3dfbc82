"""`predict` answers as the model does in Python, whatever holds the model."""

import csv
import itertools
import json
import os
import re
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv import commands, export
from keras_pyconv.commands.answering import answers, find_files
from keras_pyconv.commands.opening import open_model
from keras_pyconv.models import classifiers
from keras_pyconv.tasks.segmentation import Protocol
from tests.commands.conftest import NAMES, SIDE

BROKEN = {
    "f_cut.jpg": "the JPEG file is damaged or breaks off",
    "g_empty.png": "it is empty (0 bytes)",
    "h_text.jpg": "it is no image that Pillow can read",
}


def predict(model, *words, into, **options):
    """The answers of `predict`, as its JSON lines hold them."""
    named = [w for k, v in options.items() for w in (f"--{k}", str(v))]
    words = ["predict", "--model", str(model), *map(str, words), *named]
    status = commands.main([*words, "--format", "jsonl", "--output", str(into)])
    with open(into / "answers.jsonl") as file:
        return status, [json.loads(line) for line in file]


def good(rows, photos):
    """Rows by file, where all that is broken has its reason and no more."""
    rows = {r["file"].removeprefix(f"{photos}/"): r for r in rows}
    for name, reason in BROKEN.items():
        row = rows.pop(name)
        assert row["reason"] == reason and set(row) == {"file", "reason"}
    assert list(rows) == ["a.png", "b.jpg", "c.jpg", "d.webp", "more/e.png"]
    return rows


def test_a_saved_classifier_answers_as_in_python(
    models, saved, photos, tmp_path
):
    status, rows = predict(
        saved["classification"], photos, into=tmp_path, **{"batch-size": 3}
    )
    assert status == 0
    for name, row in good(rows, photos).items():
        wanted = keras_pyconv.classify(
            models["classification"], photos / name, NAMES
        )
        assert [one["name"] for one in row["classes"]] == [
            one["name"] for one in wanted.to_dict()["classes"]
        ]
        scores = [one["score"] for one in row["classes"]]
        np.testing.assert_allclose(scores, wanted.scores, atol=1e-5)
    assert rows[2]["height"] == 90  # it was stored turned


def test_a_saved_detector_answers_as_in_python(models, saved, photos, tmp_path):
    status, rows = predict(saved["detection"], photos, into=tmp_path)
    assert status == 0
    found = 0
    for name, row in good(rows, photos).items():
        wanted = keras_pyconv.detect(models["detection"], photos / name, NAMES)
        assert len(row["objects"]) == len(wanted)
        found += len(wanted)
        for one, box, label, score in zip(
            row["objects"], wanted.boxes, wanted.labels, wanted.scores
        ):
            assert one["name"] == NAMES[label]
            np.testing.assert_allclose(one["box"], box, atol=0.01)
            np.testing.assert_allclose(one["score"], score, atol=1e-4)
    assert found > 10


def test_a_saved_segmenter_answers_as_in_python(
    models, saved, photos, tmp_path
):
    status, rows = predict(saved["segmentation"], photos, into=tmp_path)
    assert status == 0
    rows = good(rows, photos)
    for name, row in rows.items():
        assert sum(one["pixels"] for one in row["classes"]) == (
            row["height"] * row["width"]
        )
    # An export shows an image whole; at its own size so does this protocol.
    wanted = keras_pyconv.segment(
        models["segmentation"],
        photos / "a.png",
        Protocol(window=SIDE, base_size=SIDE, flip=False),
        class_names=NAMES,
    )
    assert rows["a.png"]["classes"] == wanted.to_dict()["classes"]


def test_a_saved_video_network_answers_as_in_python(
    models, saved, film_folder, tmp_path
):
    status, rows = predict(saved["video"], film_folder, into=tmp_path)
    assert status == 0
    rows = {row["file"].rpartition("/")[2]: row for row in rows}
    assert rows["empty.mp4"]["reason"].endswith("the file is empty (0 bytes)")
    assert len(rows) == 13 and sum("reason" in r for r in rows.values()) == 4
    for name in ("sound.mp4", "turned.mp4"):
        wanted = keras_pyconv.recognize(
            models["video"], film_folder / name, NAMES
        )
        scores = {one["name"]: one["score"] for one in rows[name]["classes"]}
        for label, score in zip(wanted.labels, wanted.scores):
            np.testing.assert_allclose(scores[NAMES[label]], score, atol=1e-5)


@pytest.fixture(scope="module")
def written(models, tmp_path_factory):
    """A classifier and a detector as files of other kinds."""
    place = tmp_path_factory.mktemp("written")
    model = models["classification"]
    model.save(place / "net.keras")
    keras_pyconv.weights.save_keras_weights(model, place / "net.weights.h5")
    for task in ("classification", "detection"):
        models[task].save(place / f"{task}.keras")
        for ending in ("tflite", "onnx"):
            words = ["export", str(place / f"{task}.keras")]
            words += [str(place / f"{task}.{ending}")]
            assert not commands.main([*words, "--classes", ",".join(NAMES)])
    return place


@pytest.mark.ci
@pytest.mark.parametrize(
    "name, options",
    [
        ("classification.keras", {"classes": ",".join(NAMES)}),
        (
            "net.weights.h5",
            {
                "classes": ",".join(NAMES),
                "network": "PyConvResNetMini",
                "side": SIDE,
            },
        ),
        ("classification.tflite", {}),
        ("classification.onnx", {}),
    ],
)
def test_other_files_of_a_classifier_answer_alike(
    models, written, photos, tmp_path, name, options
):
    _, rows = predict(written / name, photos, into=tmp_path, **options)
    for file, row in good(rows, photos).items():
        wanted = keras_pyconv.classify(
            models["classification"], photos / file, NAMES
        )
        scores = [one["score"] for one in row["classes"]]
        np.testing.assert_allclose(scores, wanted.scores, atol=1e-4)
        assert row["classes"][0]["name"] == wanted.label


@pytest.mark.ci
@pytest.mark.parametrize("ending", ["keras", "tflite", "onnx"])
def test_other_files_of_a_detector_answer_alike(
    models, written, photos, tmp_path, ending
):
    path, options = written / f"detection.{ending}", {}
    if ending == "keras":
        options["classes"] = ",".join(NAMES)
    _, rows = predict(path, photos / "a.png", into=tmp_path, **options)
    (row,) = rows
    wanted = keras_pyconv.detect(models["detection"], photos / "a.png", NAMES)
    assert len(row["objects"]) == len(wanted) > 0
    for one, box in zip(row["objects"], wanted.boxes):
        np.testing.assert_allclose(one["box"], box, atol=0.05)


def test_tables_drawings_and_a_report(saved, photos, tmp_path):
    words = ["predict", "--model", str(saved["classification"]), str(photos)]
    words += ["--output", str(tmp_path / "out"), "--draw", "--report"]
    assert commands.main(words) == 0
    with open(tmp_path / "out" / "answers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and [r["reason"] != "" for r in rows].count(True) == 3
    assert float(rows[0]["score"]) <= 1 and rows[0]["class"] in NAMES
    assert len(rows[0]["others"].split("; ")) == 2
    drawn = {
        p.relative_to(tmp_path / "out" / "drawn").as_posix()
        for p in (tmp_path / "out").rglob("*.png")
    }
    assert drawn == {
        *("a.png.png", "b.jpg.png", "c.jpg.png", "d.webp.png"),
        "more/e.png.png",
    }
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<figure") == 8 and page.count("data:image/jpeg") == 5
    assert "http" not in page and "could not be read" in page
    assert (
        " %" in page and re.search(r"\d%", page.partition("<main>")[2]) is None
    )


def test_names_that_do_not_fit_are_refused_before_the_work(
    saved, photos, tmp_path, capsys
):
    words = ["predict", "--model", str(saved["detection"]), str(photos)]
    words += ["--output", str(tmp_path / "out"), "--classes", "a,b"]
    assert commands.main(words) == 2
    told = capsys.readouterr().err
    assert "3 classes. Received 2 names: --classes a,b" in told
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "file").write_text("stays")
    words = ["predict", "--model", "none", "a.png", "--output"]
    with pytest.raises(SystemExit):
        commands.main([*words, str(tmp_path / "file" / "inner")])
    told = capsys.readouterr().err.splitlines()[-1]
    assert "--output" in told and "/file' is a file" in told


def test_a_list_a_pattern_and_what_is_not_there(saved, photos, tmp_path):
    shutil.copy(photos / "a.png", tmp_path / "x.png")
    (tmp_path / "list.csv").write_text("path,label\nx.png,ant\ngone.png,bee\n")
    _, rows = predict(
        saved["classification"],
        tmp_path / "list.csv",
        photos / "*.webp",
        photos / "*.bmp",
        into=tmp_path / "out",
    )
    names = [row["file"].rpartition("/")[2] for row in rows]
    assert names == ["x.png", "gone.png", "d.webp", "*.bmp"]
    assert ["reason" in row for row in rows] == [False, True, False, True]


def test_files_are_read_a_batch_ahead_and_no_further(saved, photos):
    taken = []

    def many():
        for path in itertools.repeat(photos / "a.png", 1000):
            taken.append(path)
            yield path

    opened = open_model(str(saved["classification"]))
    found = answers(opened, many(), batch_size=4)
    most = 4 + 2 * (os.cpu_count() or 1)
    for number in range(3):
        assert next(found)[2] == "" and len(taken) <= most


def test_names_that_do_not_fit_published_weights_are_refused(
    monkeypatch, photos, capsys
):
    monkeypatch.setattr(classifiers, "load", lambda model, *_: model)
    words = ["predict", "--model", "PyConvResNet50", "--classes", "a,b"]
    assert commands.main([*words, str(photos / "a.png")]) == 2
    assert "has 1000 classes" in capsys.readouterr().err


def test_a_list_may_name_files_of_another_file_system(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("path\ngs://bucket/x.png\ny.png\n")
    found = find_files([str(path)], "classification")
    assert found == ["gs://bucket/x.png", str(tmp_path / "y.png")]


def test_a_beam_that_is_missing_is_told_with_its_extra(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "keras_pyconv.commands.beam", False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    words = ["predict", "--model", "x", "a.png", "--output", "y", "--beam"]
    assert commands.main(words) == 2
    told = capsys.readouterr().err.strip()
    assert "pip install '.[beam]'" in told and "\n" not in told


def test_nothing_readable_is_a_failure(saved, photos, tmp_path, capsys):
    status, _ = predict(
        saved["classification"], photos / "g_empty.png", into=tmp_path
    )
    assert status == 1
    assert "predicted 0 of 1 files" in capsys.readouterr().err


@pytest.mark.parametrize(
    "model, said",
    [
        ("nowhere", "nowhere does not exist"),
        ("ResNet18x", "ResNet18x does not exist"),
        ("PyConvResNet18", "PyConvResNet18 has no published weights"),
    ],
)
def test_a_model_that_is_none_is_told_in_one_line(capsys, model, said):
    assert commands.main(["predict", "--model", model, "a.png"]) == 2
    told = capsys.readouterr().err.strip()
    assert said in told and "\n" not in told


def test_images_elsewhere_are_read_by_tensorflows_file_systems(
    saved, photos, tmp_path
):
    elsewhere = f"ram://{tmp_path.name}"
    for name in ("a.png", "b.jpg", "d.webp"):
        with tf.io.gfile.GFile(f"{elsewhere}/{name}", "wb") as file:
            file.write((photos / name).read_bytes())
    model = saved["classification"]
    words = [elsewhere, f"{elsewhere}/*.png", f"{elsewhere}/gone.png"]
    # Without oneDNN an image's place in a batch moves the last digit.
    alone = {"batch-size": 1}
    status, rows = predict(model, *words, into=tmp_path, **alone)
    _, wanted = predict(model, photos, into=tmp_path, **alone)
    wanted = {row["file"].rpartition("/")[2]: row for row in wanted}
    assert status == 0
    *found, gone = rows
    names = [row["file"].removeprefix(f"{elsewhere}/") for row in found]
    assert names == ["a.png", "b.jpg", "d.webp", "a.png"]
    for name, row in zip(names, found):
        assert row["classes"] == wanted[name]["classes"]
    assert gone["reason"] == f"There is nothing at '{elsewhere}/gone.png'"


def test_eight_bits_are_written_by_the_command(
    models, photos, tmp_path, capsys
):
    models["classification"].save(tmp_path / "net.keras")
    words = [
        "export",
        str(tmp_path / "net.keras"),
        str(tmp_path / "net.tflite"),
    ]
    words += ["--precision", "int8"]
    with pytest.raises(SystemExit):
        commands.main(words)
    assert "--calibration need each other" in capsys.readouterr().err
    images = [str(photos / name) for name in ("a.png", "d.webp")]
    assert commands.main([*words, "--calibration", *images]) == 0
    told = capsys.readouterr().out
    assert "int8 against float32 on 2 examples" in told
    _, rows = predict(tmp_path / "net.tflite", images[0], into=tmp_path)
    assert len(rows[0]["classes"]) == 3


def test_a_file_of_weights_alone_asks_for_its_network(models, tmp_path, capsys):
    path = tmp_path / "net.weights.h5"
    keras_pyconv.weights.save_keras_weights(models["classification"], path)
    assert commands.main(["predict", "--model", str(path), "a.png"]) == 2
    assert "add --network" in capsys.readouterr().err


@pytest.mark.ci
def test_an_exported_segmenter_labels_as_the_model(models, photos, tmp_path):
    path = tmp_path / "segmenter.onnx"
    export.onnx(models["segmentation"], path)
    _, rows = predict(path, photos / "b.jpg", into=tmp_path)
    protocol = Protocol(window=SIDE, base_size=round(SIDE * 512 / 473))
    wanted = keras_pyconv.segment(
        models["segmentation"], photos / "b.jpg", protocol
    )
    assert rows[0]["classes"] == wanted.to_dict()["classes"]


def test_a_file_of_keras_with_code_is_not_run(photos, tmp_path, capsys):
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Lambda(lambda x: x[:, 0, 0], output_shape=(3,)),
            keras.layers.Softmax(),
        ]
    )
    model.save(tmp_path / "code.keras")
    words = ["predict", "--model", str(tmp_path / "code.keras"), str(photos)]
    assert commands.main(words) == 2
    assert "Lambda" in capsys.readouterr().err


def test_a_saved_model_that_touches_files_is_not_run(photos, tmp_path, capsys):
    trace = tmp_path / "trace"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3))])
    def serve(images):
        with tf.control_dependencies([tf.io.write_file(str(trace), "ran")]):
            return {"probabilities": tf.nn.softmax(images[:, 0, 0])}

    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": serve})
    words = ["predict", "--model", str(tmp_path), str(photos)]
    assert commands.main(words) == 2
    assert "file-operation: WriteFile" in capsys.readouterr().err
    assert not trace.exists()
