"""Plain twins cost what their pyramids do, and learn by the same commands."""

import json
import pathlib

import pytest
from PIL import Image

from benchmarks import twins
from keras_pyconv.weights import shipped
from keras_pyconv.weights.description import TASKS

FOLDER = pathlib.Path("runs")


@pytest.mark.parametrize("task", TASKS)
def test_twins_cost_nearly_the_same(task):
    pyramid, plain = (twins.cost(task, one) for one in twins.NETWORKS[task])
    assert pyramid.parameters <= plain.parameters
    assert 0.8 < pyramid.multiply_adds / plain.multiply_adds < 1.06


@pytest.mark.parametrize("task", TASKS)
def test_commands_differ_in_the_networks_alone(task):
    commands = [
        twins.command(task, one, 5, FOLDER) for one in twins.NETWORKS[task]
    ]
    pyramid, plain = (arguments for arguments, _ in commands)
    differing = {
        one for a, b in zip(pyramid, plain) if a != b for one in (a, b)
    }
    assert len(pyramid) == len(plain) and "5" in pyramid
    assert differing <= {
        *(name for both in twins.NETWORKS[task] for name in both),
        *(
            twins.classifier_of(one, FOLDER)
            for one in ("PyConvResNetMini", "ResNetMini")
        ),
        *(str(folder) for _, folder in commands),
    }


def test_measured_figures_are_not_measured_again(tmp_path):
    network = twins.NETWORKS["video"][0]
    _, folder = twins.command("video", network, 2, tmp_path)
    folder.mkdir(parents=True)
    (folder / "figures.json").write_text(json.dumps({"accuracy": 0.5}))
    found = twins.measured("video", network, 2, tmp_path)
    assert found == {"accuracy": 0.5}


def test_a_line_gives_means_and_spreads():
    row = {"title": "PyConv", "parameters": 1200, "multiply_adds": 3.21e6}
    row["figures"] = [{"AP": 0.5}, {"AP": 0.6}, {"AP": 0.7}]
    assert twins.line(row) == ["PyConv", "1,200", "3.2", "60.0 ± 10.0"]


def test_the_picture_has_a_panel_for_each_task(tmp_path):
    row = {"figures": [{"AP": 0.5, "small": 0.2}] * 3}
    rows = [
        {**row, "task": task, "title": title}
        for task in TASKS
        for title in ("PyConv", "plain")
    ]
    path = twins.draw(rows, tmp_path / "twins.png")
    with Image.open(path) as image:
        assert image.height > 4 * 250


def test_the_first_pyramids_are_those_of_the_package(tmp_path):
    for row in shipped.shipped_weights():
        seed = row.training["constants"]["seed"]
        assert seed == twins.first_seed(row.task)
        network = twins.NETWORKS[row.task][0]
        found = twins.measured(row.task, network, seed, tmp_path)
        assert found == row.figures


def test_a_plain_head_waits_for_its_classifier(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(
        twins.subprocess, "run", lambda words, check: ran.append(words)
    )
    monkeypatch.setattr(twins, "trained", lambda *_: None)
    monkeypatch.setattr(twins.figures, "measure", lambda *_: {"AP": 0.4})
    for network in twins.NETWORKS["detection"]:
        assert twins.measured("detection", network, 2, tmp_path) == {"AP": 0.4}
    assert [words[2] for words in ran] == [
        *("recipes.detect_coco", "recipes.quickstart", "recipes.detect_coco")
    ]
    assert ran[0][-1] == "digits_in_photos"
    assert ran[2][-1].endswith("ResNetMini.weights.h5")


def test_no_smoke_run_is_promised(capsys):
    with pytest.raises(SystemExit):
        twins.main(["--smoke"])
    assert "unrecognized arguments: --smoke" in capsys.readouterr().err
