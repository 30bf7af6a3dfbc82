"""The examples of the pages on fine-tuning and comparison run as they stand."""

import pathlib
import re

import numpy as np
import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"


def examples(page):
    """The Python blocks of a page, in order."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)


def run(page, number):
    exec(compile(examples(page)[number], page, "exec"), {})


@pytest.mark.slow
def test_the_example_of_the_comparison_writes_its_figure(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="draws the figure")
    monkeypatch.chdir(tmp_path)
    run("comparison.md", 0)
    assert (tmp_path / "pyramid.png").stat().st_size > 10_000


def test_the_example_of_a_decision_writes_its_figure(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    run("comparison.md", 1)
    assert (tmp_path / "explained.png").stat().st_size > 10_000
    assert "9x9" in capsys.readouterr().out


def test_the_example_of_frozen_stages_runs():
    run("finetuning.md", 0)


@pytest.mark.slow
def test_the_example_with_digits_writes_a_folder_of_classes(
    tmp_path, monkeypatch
):
    from keras_pyconv import datasets

    monkeypatch.chdir(tmp_path)
    run("finetuning.md", 1)
    few = datasets.picture_set("pictures/few", "train")
    assert few.classes == ("6", "7", "8", "9") and few.count == 120
    first = datasets.picture_set("pictures/first", "validation")
    assert first.classes == ("0", "1", "2", "3", "4", "5")


def test_the_example_of_the_result_names_a_picture(
    tmp_path, monkeypatch, capsys
):
    from PIL import Image

    import keras_pyconv

    monkeypatch.chdir(tmp_path)
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=4, input_shape=(64, 64, 3)
    )
    folder = pathlib.Path("runs", "few")
    folder.mkdir(parents=True)
    model.save_weights(folder / "PyConvResNetMini.weights.h5")
    Image.fromarray(np.zeros((40, 60, 3), "uint8")).save("picture.png")
    run("finetuning.md", 2)
    assert re.match(
        r"\[\[\('(\d)', '\1', 0\.\d+\)\]\]", capsys.readouterr().out
    )
