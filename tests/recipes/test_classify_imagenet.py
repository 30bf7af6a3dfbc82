"""The two ImageNet recipes train, go on, and are evaluated, on small sets."""

import json

import keras
import numpy as np
import pytest

from keras_pyconv.export.signatures import recorded
from keras_pyconv.tasks.error_rates import Answers
from recipes import (
    classifiers,
    classify_imagenet,
    classify_imagenet_cutmix,
    evaluate,
    fitting,
)
from recipes.command_line import Mistake
from tests.recipes.settings_of import settings_of

RECIPES = {
    recipe.__name__.rpartition(".")[2]: recipe
    for recipe in (classify_imagenet, classify_imagenet_cutmix)
}
STEPS = 5004  # of ImageNet's epoch at a batch of 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("classify")


@pytest.fixture(scope="module", params=RECIPES)
def run(request, folder):
    """The name of the recipe, its work folder and its epochs."""
    workdir = folder / request.param
    options = ["--smoke", f"--workdir={workdir}", f"--data-dir={folder}"]
    options.append("--strategy=one")
    if request.param == "classify_imagenet":
        options.append(f"--export-root={folder / 'exports'}")
    _, history = RECIPES[request.param].main(options)
    return request.param, workdir, history


def test_an_epoch_is_trained_and_evaluated(run):
    (row,) = run[2]
    assert np.isfinite(row["loss"]) and row["step"] == 2
    assert 0 <= row["val_top5_error"] <= row["val_top1_error"] <= 1


def test_the_folder_says_how_it_was_trained(run):
    name, workdir, _ = run
    text = (workdir / "constants.json").read_text()
    constants = json.loads(text)["constants"]
    assert constants["variant"] == "PyConvResNetMini"
    assert constants["optimizer.weight_decay"] == 1e-4
    assert constants["optimizer.momentum"] == 0.9
    mixes = name == "classify_imagenet_cutmix"
    assert ("cutmix_alpha" in constants) == mixes
    # Where it ran says nothing of the result.
    assert not {"run.workdir", "run.strategy", "data.source"} & {*constants}


def test_the_folder_holds_curves_a_log_and_the_settings(run):
    _, workdir, _ = run
    assert (workdir / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "val_top1_error" in (workdir / "log.csv").read_text()
    assert "workdir" not in (workdir / "settings.yaml").read_text()
    assert list((workdir / "logs").rglob("events.*"))


def test_the_rate_is_the_papers_over_90_epochs():
    settings = classify_imagenet.SETTINGS
    rate = fitting.falling(settings, STEPS)
    expected = {0: 0.1, 30: 0.01, 60: 1e-3, 80: 1e-4}
    for epoch, value in expected.items():
        assert float(rate(epoch * STEPS)) == pytest.approx(value)
        if epoch:
            before = float(rate(epoch * STEPS - 1))
            assert before == pytest.approx(10 * value)


def test_the_rate_of_cutmix_is_a_cosine_from_04():
    settings = classify_imagenet_cutmix.SETTINGS
    assert settings.training.batch_size == 1024
    assert settings.training.precision == "mixed_bfloat16"
    rate = classify_imagenet_cutmix.schedule(settings, 1251)
    assert float(rate(5 * 1251)) == pytest.approx(0.4)
    middle = (5 + 295 / 2) * 1251
    assert float(rate(int(middle))) == pytest.approx(0.2, rel=1e-3)
    assert float(rate(300 * 1251)) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_rate_follows_the_batch_unless_told_not_to(recipe):
    for options, factor in ([], 0.5), (["--no-scaled-rate"], 1):
        whole = settings_of(recipe)
        half = f"--batch-size={whole.training.batch_size // 2}"
        schedule = getattr(recipe, "schedule", fitting.falling)
        peaks = [
            max(float(schedule(one, 100)(step)) for step in (0, 500))
            for one in (whole, settings_of(recipe, half, *options))
        ]
        assert peaks[1] == pytest.approx(factor * peaks[0])


# Evaluation -------------------------------------------------------------------


def evaluated(folder, *options):
    return evaluate.main(
        [
            "--smoke",
            f"--workdir={folder / 'evaluate'}",
            f"--data-dir={folder}",
            *options,
        ]
    )


@pytest.fixture(scope="module")
def trained(folder, run):
    if run[0] != "classify_imagenet":
        pytest.skip("evaluated once")
    return run


def test_evaluation_finds_the_error_that_training_reported(
    trained, folder, capsys
):
    _, workdir, history = trained
    weights = workdir / "PyConvResNetMini.weights.h5"
    options = ["--sides=64", "--per-class", "--confusion"]
    found = evaluated(folder, f"--weights={weights}", *options)
    said = capsys.readouterr().out
    assert found[64].errors()["top1_error"] == pytest.approx(
        history[-1]["val_top1_error"]
    )
    assert "32 images, one centre crop" in said
    assert f"{100 * history[-1]['val_top1_error']:.2f}" in said
    assert "most often taken for" in said
    picture = folder / "evaluate" / "confusion_64.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    record = json.loads((folder / "evaluate" / "results.json").read_text())
    assert record["errors"]["64"] == found[64].errors()


def test_the_export_answers_as_its_weights_do(trained, folder, capsys):
    _, _, history = trained
    found = evaluated(folder, f"--model={folder / 'exports' / '1'}")
    assert list(found) == [64]
    assert found[64].errors()["top1_error"] == pytest.approx(
        history[-1]["val_top1_error"]
    )
    assert "takes images of 64 pixels" in capsys.readouterr().out


def test_an_export_without_its_version_names_those_there_are(trained, folder):
    with pytest.raises(Mistake, match="no SavedModel. Versions in it: 1"):
        evaluated(folder, f"--model={folder / 'exports'}")
    with pytest.raises(Mistake, match="/nowhere does not exist"):
        evaluated(folder, f"--model={folder / 'nowhere'}")


def test_an_export_whose_classes_are_called_otherwise_is_told(
    trained, folder, capsys
):
    path = folder / "exports" / "1" / recorded.FILE
    kept = path.read_text()
    about = json.loads(kept)
    about["labels"][0] = "nought"
    path.write_text(json.dumps(about))
    try:
        evaluated(folder, f"--model={folder / 'exports' / '1'}")
    finally:
        path.write_text(kept)
    assert "Careful" in (said := capsys.readouterr().out) and "nought" in said


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 99])
def test_a_damaged_keras_file_is_refused_in_words(tmp_path, content):
    path = tmp_path / "w.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Keras cannot load .*w.keras"):
        classifiers.of_file(path)


def test_a_keras_file_of_other_classes_is_refused(folder):
    images = keras.Input((64, 64, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    model = keras.Model(images, keras.layers.Dense(3)(pooled))
    path = folder / "other.keras"
    model.save(path)
    with pytest.raises(
        Mistake, match="other has 3 classes, but the images have 10"
    ):
        evaluated(folder, f"--model={path}")


def test_the_papers_rows_stand_beside_published_weights():
    rows = classifiers.published_rows("PyConvResNet50", (224, 320))
    assert rows == [
        ["paper, imagenet", "224", "256", "22.12", "6.20"],
        ["paper, imagenet_cutmix", "224", "256", "20.56", "5.31"],
        ["paper, imagenet_cutmix", "320", "?", "19.41", "4.75"],
    ]


def test_a_model_must_be_named():
    with pytest.raises(Mistake, match="add --weights or --model"):
        evaluate.main([])


def test_what_was_stopped_early_is_not_published(folder, capsys):
    workdir = folder / "stopped"
    _, history = classify_imagenet.main(
        [
            *("--smoke", "--strategy=one", "--stop-after=1"),
            *(f"--data-dir={folder}", f"--workdir={workdir}"),
            f"--export-root={folder / 'not_yet' / 'model'}",
        ]
    )
    assert history == [] and not (folder / "not_yet").exists()
    assert not list(workdir.glob("*.weights.h5"))
    assert "Stopped after step 1 of 2" in capsys.readouterr().out


def test_a_variant_is_looked_up_before_the_data():
    with pytest.raises(Mistake, match="Unknown architecture 'PyconvResnet50'"):
        classify_imagenet.main(["--network=PyconvResnet50"])


def test_three_classes_have_no_top_5_error():
    hits = np.array([[1, 1], [1, 1], [0, 1]], bool)
    found = Answers(np.arange(3), np.array([0, 1, 1]), hits, 3)
    names = ("ant", "bee", "cow")
    table = classifiers.table("net", {32: found}, 3)
    for said in (table, classifiers.worst_classes(found, names)):
        assert "top-1" in said and "top-5" not in said
    assert "33.33" in table
