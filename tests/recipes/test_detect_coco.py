"""The detection recipe trains, goes on, and its weights are judged."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_pyconv.tasks.detection import NUMBERS
from recipes import detect_coco, evaluate_detection
from recipes.command_line import Mistake
from tests.datasets import scenes
from tests.recipes.settings_of import settings_of

pytest.importorskip("pycocotools", reason="needs pycocotools")
STEPS = 458  # of COCO's pictures with objects, at a batch of 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("detect")


def _options(folder, *more):
    return [
        "--smoke",
        f"--workdir={folder / 'run'}",
        f"--data-dir={folder / 'data'}",
        "--strategy=one",
        *more,
    ]


@pytest.fixture(scope="module")
def run(folder):
    return detect_coco.main(_options(folder))


def test_an_epoch_is_trained_and_evaluated(run):
    _, (row,) = run
    assert np.isfinite(row["loss"]) and row["step"] == 2
    assert row["loss"] == pytest.approx(
        row["offsets_loss"] + row["logits_loss"], rel=1e-5
    )
    assert {f"val_{name}" for name in NUMBERS} <= set(row)
    # No digit of a picture of 64 x 64 is large by COCO's measure.
    assert 0 <= row["val_AP"] <= 1 and row["val_AP L"] == -1


@pytest.mark.slow
def test_the_same_command_goes_on_where_it_was(run, folder, capsys):
    _, history = detect_coco.main(_options(folder))
    assert (
        history == run[1] and "Going on after step 2" in capsys.readouterr().out
    )


def test_weights_are_judged_and_pictures_drawn(run, folder, capsys):
    weights = folder / "run" / "PyConvSSD-PyConvResNetMini.weights.h5"
    numbers = evaluate_detection.main(
        [
            "--smoke",
            f"--workdir={folder / 'judged'}",
            f"--data-dir={folder / 'data'}",
            f"--weights={weights}",
            "--pictures=2",
        ]
    )
    assert numbers["AP"] == pytest.approx(run[1][0]["val_AP"])
    assert len(list((folder / "judged" / "pictures").iterdir())) == 2
    record = json.loads((folder / "judged" / "numbers.json").read_text())
    assert record["numbers"] == numbers
    assert "measured" in capsys.readouterr().out


def test_the_papers_row_is_printed_for_the_papers_networks(capsys):
    class Model:
        name = "pyconvssdpyconvresnet50"

    paper = evaluate_detection.paper_numbers(Model)
    assert paper[:3] == [29.16, 47.26, 30.24] and len(paper) == 12
    evaluate_detection.print_table(dict.fromkeys(NUMBERS, -1.0), paper)
    assert " 29.16" in capsys.readouterr().out
    Model.name = "another"
    assert evaluate_detection.paper_numbers(Model) is None


def test_the_schedule_is_the_references():
    schedule = detect_coco.schedule(detect_coco.SETTINGS, STEPS)
    found = [
        float(schedule(epoch * STEPS + step))
        for epoch, step in (
            (0, 0),
            (0, STEPS - 1),
            (85, 457),
            (86, 0),
            (108, 0),
        )
    ]
    wanted = [0.02 / STEPS, 0.02, 0.02, 0.002, 0.0002]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_shorter_run_keeps_the_shape_and_the_rate_follows_the_batch():
    short = settings_of(detect_coco, "--epochs=13", "--batch-size=64")
    rate = detect_coco.schedule(short, 100)
    # Tenths of 86 and 108 epochs; a quarter of 0.02.
    assert rate.boundaries == [860, 1080] and rate.warmup_steps == 100
    assert float(rate(100)) == pytest.approx(0.005)
    words = ["--batch-size=64", "--learning-rate=0.03", "--no-scaled-rate"]
    own = settings_of(detect_coco, *words)
    assert detect_coco.schedule(own, 100).rate == 0.03


def _write_folder(folder, **contents):
    """Writes a folder as COCO unpacks, with three pictures in each split."""
    (folder / "annotations").mkdir()
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / "annotations").mkdir(exist_ok=True)
        file = scenes.write_coco(tmp_path / split)
        file.rename(tmp_path / "annotations" / f"instances_{split}.json")
    options = [f"--data={tmp_path}", f"--workdir={tmp_path / 'run'}"]
    words = "3 examples to train on, --batch-size 256: choose at most 3"
    with pytest.raises(Mistake, match=words):
        detect_coco.main([*options, "--strategy=one"])


def test_biases_and_normalization_do_not_decay(run):
    model, _ = run
    decays = dict(
        zip(
            (v.path for v in model.trainable_variables), model.optimizer._decays
        )
    )
    plain = [path for path, decay in decays.items() if not decay]
    assert len(plain) == sum(
        path.endswith(("gamma", "beta", "bias")) for path in decays
    )


@pytest.mark.slow
def test_two_replicas_train_as_one_does(tmp_path):
    """Without batch normalization's own statistics it would be exact."""
    code = (
        "import sys; from recipes import detect_coco; "
        "_, rows = detect_coco.main(sys.argv[1:]); print(rows[0]['loss'])"
    )
    losses = [
        _in_a_process(code, tmp_path, name) for name in ("one", "mirrored")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.2)


def _in_a_process(code, folder, strategy):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            *_options(folder),
            f"--workdir={folder / strategy}",
            f"--strategy={strategy}",
        ],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.split()[-1])
