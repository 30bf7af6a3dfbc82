"""Several labels an image: learned, judged, asked and exported by commands."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_pyconv import commands
from recipes import evaluate, finetune_folder, fitting, networks
from recipes.command_line import Mistake


def write(root, count=12, side=64):
    """Images whose channels say which of the three labels they have."""
    draw, rows = np.random.default_rng(1), ["path,label"]
    for number in range(count):
        own = [(number >> place) & 1 for place in range(3)]
        image = draw.integers(0, 60, (side, side, 3)) + 180 * np.array(own)
        Image.fromarray(image.astype("uint8")).save(root / f"{number}.png")
        names = [n for n, has in zip(("red", "green", "blue"), own) if has]
        rows.append(f"{number}.png,{';'.join(names)}")
    path = root / "labels.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


OPTIONS = "--network PyConvResNetMini --weights none --freeze 0 --side 64"


@pytest.mark.ci
def test_from_a_csv_to_answers_a_report_and_an_export(tmp_path, capsys):
    data, run = write(tmp_path), tmp_path / "run"
    words = OPTIONS.split() + ["--batch-size", "4", "--epochs", "2"]
    words += ["--data", str(data), "--workdir", str(run)]
    words += ["--export-root", str(tmp_path / "served")]
    stop = ["--stop-after", "1"]
    finetune_folder.main(words + stop)
    assert finetune_folder.main(words)[1][-1]["val_pr_auc"] > 0
    constants = json.loads((run / "constants.json").read_text())["constants"]
    assert constants["data.multi_label"] is True
    assert commands.main(["evaluate", str(run), "--report"]) == 0
    text = capsys.readouterr().out
    assert "mean AP, %" in text and "F1, %" in text
    with open(run / "report" / "per_class.csv") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"red", "green", "blue"}
    assert not (run / "report" / "confusion_counts.csv").exists()
    for model in (run, tmp_path / "served"):
        out = tmp_path / f"answers_of_{model.name}"
        options = [
            "--threshold",
            "0",
            "--format",
            "jsonl",
            "--output",
            str(out),
        ]
        images = [str(tmp_path / "3.png")]
        commands.main(["predict", "--model", str(model), *images, *options])
        (line,) = (out / "answers.jsonl").read_text().splitlines()
        scores = [one["score"] for one in json.loads(line)["classes"]]
        assert len(scores) == 3 and abs(sum(scores) - 1) > 1e-3


def tiny(settings, classes):
    """A network of colours, which a few steps train."""
    assert settings.data.multi_label is True
    inputs = keras.Input((settings.data.side, settings.data.side, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(classes, "sigmoid", name="predictions")(x)
    return keras.Model(inputs, outputs, name="tiny")


@pytest.mark.ci
def test_a_run_learns_resumes_and_is_judged(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(networks, "make_classifier", tiny)
    monkeypatch.setattr(fitting, "_logs", lambda *_: [])
    data, run = write(tmp_path), tmp_path / "run"
    words = [*OPTIONS.split(), "--batch-size", "2", "--epochs", "4"]
    words += ["--data", str(data), "--workdir", str(run), "--no-flip"]
    words += ["--learning-rate", "2", "--keep-best", "val_pr_auc"]
    finetune_folder.main([*words, "--stop-after", "3"])
    model, history = finetune_folder.main(words)
    assert history[-1]["loss"] < history[0]["loss"]
    model.save(tmp_path / "tiny.keras")
    words = ["--model", str(tmp_path / "tiny.keras"), "--data", str(data)]
    words += ["--sides", "64", "--per-class", "--held-back", "0.5"]
    found = evaluate.main([*words, "--workdir", str(tmp_path / "judged")])
    record = json.loads((tmp_path / "judged" / "results.json").read_text())
    assert record["figures"]["64"]["mean AP"] == found[64].summary["mean AP"]
    text = capsys.readouterr().out
    assert "mean AP, %" in text and "--no-multi-label takes" in text


@pytest.mark.parametrize(
    "main, words, message",
    [
        (
            finetune_folder.main,
            [*OPTIONS.split(), "--class-weights", "balanced"],
            "--class-weights is for one label",
        ),
        (
            evaluate.main,
            ["--weights", "x.h5", "--confusion"],
            "--confusion is for one label",
        ),
    ],
)
def test_what_is_for_one_label_is_refused(tmp_path, main, words, message):
    words = [*words, "--data", str(write(tmp_path))]
    if "--class-weights" in words:
        words += ["--batch-size", "4"]
    with pytest.raises(Mistake, match=message):
        main([*words, "--workdir", str(tmp_path / "run")])


def test_doctor_counts_the_labels_of_a_csv(tmp_path, capsys):
    data = write(tmp_path)
    assert commands.main(["doctor", str(data)]) == 0
    text = capsys.readouterr().out
    assert (
        "classification" in text and "all: 16 (green 6, red 6, blue 4)" in text
    )
    data.write_text(data.read_text() + "13.png,red\n")
    assert commands.main(["doctor", str(data)]) == 1
    assert "line 14: '13.png'" in capsys.readouterr().out


def test_pairs_to_mix_need_an_even_batch(tmp_path):
    words = [*OPTIONS.split(), "--mixup", "0.2", "--batch-size", "3"]
    words += [
        "--data",
        str(write(tmp_path)),
        "--workdir",
        str(tmp_path / "run"),
    ]
    with pytest.raises(Mistake, match="Received: 3 for each"):
        finetune_folder.main(words)
