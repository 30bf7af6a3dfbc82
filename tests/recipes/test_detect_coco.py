"""The detection recipe trains, goes on, and its weights are judged."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from keras_pyconv.tasks.detection import NUMBERS
from recipes import detect_coco, evaluate_detection, fitting, networks
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
    assert history == run[1]
    said = capsys.readouterr().out
    assert "This run is done, after step 2" in said


def test_weights_are_judged_and_pictures_drawn(run, folder, capsys):
    weights = folder / "run" / "PyConvSSD-PyConvResNetMini.weights.h5"
    numbers = evaluate_detection.main(
        [
            "--smoke",
            f"--workdir={folder / 'judged'}",
            f"--data-dir={folder / 'data'}",
            f"--weights={weights}",
            "--images=2",
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
    settings = detect_coco.SETTINGS
    schedule = fitting.falling(settings, STEPS, settings.warmup_epochs)
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
    rate = fitting.falling(short, 100, short.warmup_epochs)
    # Tenths of 86 and 108 epochs; a quarter of 0.02.
    assert rate.boundaries == [860, 1080] and rate.warmup_steps == 100
    assert float(rate(100)) == pytest.approx(0.005)
    words = ["--batch-size=64", "--learning-rate=0.03", "--no-scaled-rate"]
    own = settings_of(detect_coco, *words)
    assert fitting.falling(own, 100).rate == 0.03


def _write_folder(folder, **contents):
    """Writes a folder as COCO unpacks, with three pictures in each split."""
    (folder / "annotations").mkdir()
    for split in ("train", "val"):
        (folder / split).mkdir()
        file = scenes.write_coco(folder / split, contents.get(split))
        file.rename(folder / "annotations" / f"instances_{split}.json")
    return [f"--data={folder}", f"--workdir={folder / 'run'}"]


SMALL = ("--batch-size=3", "--backbone=PyConvResNetMini", "--side=64")


def test_a_wrong_row_to_judge_by_is_refused_before_training(tmp_path):
    wrong = scenes.coco_content()
    wrong["annotations"][1]["image_id"] = 5
    options = _write_folder(tmp_path, val=wrong)
    words = r"instances_val.json: .* annotations\[1\] .*image_id 5"
    with pytest.raises(Mistake, match=words):
        detect_coco.main([*options, *SMALL, "--strategy=one"])
    assert not (tmp_path / "run").exists()


def test_a_class_of_another_name_to_judge_by_is_refused(tmp_path):
    wrong = scenes.coco_content()
    wrong["categories"][0]["name"] = "y"
    options = _write_folder(tmp_path, val=wrong)
    with pytest.raises(Mistake, match="90 is 'y' and not 'z'"):
        detect_coco.main([*options, *SMALL, "--strategy=one"])


def test_results_of_a_folder_have_the_ids_of_its_file(tmp_path):
    content = scenes.coco_content()
    for rows, name in (("images", "id"), ("annotations", "image_id")):
        for row in content[rows]:
            row[name] = f"street/{row[name]}"
    options = _write_folder(tmp_path, val=content)
    sizes = ["--backbone=PyConvResNetMini", "--side=64", "--images=1"]
    weights = tmp_path / "a.weights.h5"
    words = [*options, *sizes, f"--weights={weights}"]
    settings = settings_of(evaluate_detection, *words)
    networks.make_detector(settings, 3).save_weights(weights)
    evaluate_detection.main(words)
    text = (tmp_path / "run" / "detections.json").read_text()
    found = {row["image_id"] for row in json.loads(text)}
    assert found and found <= {f"street/{n}" for n in (7, 8, 9)}
    assert (tmp_path / "run" / "pictures" / "0.png").is_file()


def test_a_batch_larger_than_the_set_is_refused(tmp_path):
    options = _write_folder(tmp_path)
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
