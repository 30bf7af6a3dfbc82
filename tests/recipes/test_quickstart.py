"""The quickstart runs from its real entry point, on very little data."""

import json

import numpy as np
import pytest

import keras_pyconv
from recipes import digits, quickstart, tour
from tests.recipes.settings_of import settings_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    models = []

    def remember(name, shape, make=quickstart.make_model):
        models.append(make(name, shape))
        return models[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickstart, "make_model", remember)
        rows, answer = quickstart.main(
            [
                "--smoke",
                f"--data-dir={folder / 'data'}",
                f"--workdir={folder / 'work'}",
                f"--export-root={folder / 'exports'}",
            ]
        )
    return folder, rows, answer, models


def test_the_table_compares_networks_of_about_the_same_cost(run):
    first, second = run[1]
    assert first["network"] == "PyConvResNetMini"
    assert second["network"] == "ResNetMini"
    for quantity in ("parameters", "multiply_adds"):
        assert first[quantity] == pytest.approx(second[quantity], rel=0.02)


def test_the_pictures_and_the_record_are_written(run):
    work = run[0] / "work"
    for name in ("curves.png", "sizes.png", "predictions.png"):
        assert (work / name).read_bytes().startswith(b"\x89PNG")
    record = json.loads((work / "results.json").read_text())
    assert record["rows"] == run[1]
    assert record["versions"]["keras"]
    assert record["constants"]["run.smoke"] is True
    assert record["constants"]["batch_size"] == 32


def test_weights_go_into_the_plain_network(run):
    folder, _, _, models = run
    for name, trained in zip(quickstart.SETTINGS.networks, models):
        path = folder / "work" / name / f"{name}.weights.h5"
        model = keras_pyconv.build_classifier(
            name, weights=path, classes=10, input_shape=(64, 64, 3)
        )
        pixels = np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 3))
        np.testing.assert_allclose(
            model(pixels / 127.5 - 1), trained(pixels), atol=1e-5
        )


def test_more_images_to_train_on_leave_the_test_as_it_is(run):
    words = ["--smoke", f"--data-dir={run[0] / 'data'}", "--train-examples=70"]
    data = digits.load(settings_of(quickstart, *words), "label")
    assert [len(data[split][0]) for split in ("train", "test")] == [70, 64]


def test_the_export_is_the_first_version(run):
    assert (run[0] / "exports" / "1" / "saved_model.pb").exists()


def test_the_clean_process_answers_what_the_model_predicts(run):
    folder, _, answer, models = run
    words = ["--smoke", f"--data-dir={folder / 'data'}"]
    settings = settings_of(quickstart, *words)
    (images,) = digits.load(settings, "image")["test"]
    scores = models[0].predict(images[:1], verbose=0)
    assert answer == scores.argmax()


def test_no_epochs_are_refused(capsys):
    with pytest.raises(SystemExit):
        quickstart.main(["--epochs", "0"])
    assert (
        "epochs must be a whole number, at least 1. Received: 0"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "right_first, right_second, said",
    [
        pytest.param(80, 40, "PyConvResNetMini wins by 40.0", id="first"),
        pytest.param(40, 80, "ResNetMini wins by 40.0", id="second"),
        pytest.param(51, 50, "No clear winner", id="neither"),
    ],
)
def test_the_verdict_names_the_winner_whoever_it_is(
    right_first, right_second, said
):
    labels = np.zeros(100, int)
    predictions = {
        name: (np.arange(100) >= right).astype(int)
        for name, right in zip(
            quickstart.SETTINGS.networks, (right_first, right_second)
        )
    }
    assert tour.verdict(predictions, labels).startswith(said)
