"""Recipes take the user's word under --smoke, and say mistakes in one line."""

import importlib
import json
import pathlib

import numpy as np
import pytest

from keras_pyconv import training
from recipes import common, evaluate_segmentation

FOLDER = pathlib.Path(common.__file__).parent
# Recipes with data of the user's, and an option that `--smoke` has a value for.
SMALL = {
    "classify_imagenet": ("side", 96, 64),
    "classify_imagenet_cutmix": ("precision", "mixed_bfloat16", "float32"),
    "detect_coco": ("side", 300, 64),
    "evaluate": ("variant", "PyConvResNet50", "PyConvResNetMini"),
    "evaluate_detection": ("backbone", "ResNetMini", "PyConvResNetMini"),
    "evaluate_segmentation": ("head_width", 128, 64),
    "finetune_folder": ("weights", "imagenet", "none"),
    "recognize_kinetics": ("frames", 8, 4),
    "segment_ade20k": ("backbone", "PyConvResNet50", "ResNetMini"),
}


def parse(recipe, *options):
    return importlib.import_module(f"recipes.{recipe}").parse(options)


@pytest.mark.parametrize("recipe", SMALL)
def test_smoke_takes_small_values_for_what_is_not_named(recipe):
    name, own, small = SMALL[recipe]
    assert getattr(parse(recipe, "--smoke"), name) == small
    option = f"--{name.replace('_', '-')}={own}"
    assert getattr(parse(recipe, "--smoke", option), name) == own


@pytest.mark.parametrize("recipe", SMALL)
def test_smoke_refuses_the_data_of_the_user(recipe, capsys):
    with pytest.raises(SystemExit) as end:
        parse(recipe, "--smoke", "--data=mine")
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "--smoke makes its own data; leave out --data" in said


@pytest.mark.parametrize("recipe", [*SMALL, "show_pyramid"])
def test_every_recipe_ends_mistakes_in_one_line(recipe):
    text = (FOLDER / f"{recipe}.py").read_text()
    assert text.endswith("    common.from_shell(main)\n")


MISTAKES = {
    "data": ("--weights=w.weights.h5 --data=nowhere", "'nowhere' is neither"),
    "weights": ("--smoke --weights=nothing.h5", "nothing.h5"),
    "width": ("--smoke --head-width=32", "level 4"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_line(mistake, tmp_path_factory, capsys):
    options, message = MISTAKES[mistake]
    data = tmp_path_factory.getbasetemp() / "common_data"
    words = [*options.split(), f"--data-dir={data}"]
    with pytest.raises(SystemExit) as end:
        common.from_shell(lambda: evaluate_segmentation.main(words))
    said = capsys.readouterr().err
    line = said.splitlines()[-1]
    assert end.value.code == 2 and " error: " in line and message in line
    assert "Traceback" not in said
    with pytest.raises((ValueError, FileNotFoundError)):
        evaluate_segmentation.main(words)


def test_an_error_of_training_keeps_its_traceback(tmp_path):
    def train():
        options = {"workdir": tmp_path, "constants": {}, "seed": 1}
        training.fit(None, None, epochs=0, steps_per_epoch=1, **options)

    with pytest.raises(ValueError, match="epochs=0"):
        common.from_shell(train)


def test_a_record_has_null_where_there_is_no_number(tmp_path):
    path = tmp_path / "record.json"
    rows = [{"iou": float("nan")}, (np.float64("inf"), 1.5)]
    common.write_record(path, rows=rows)
    assert json.loads(path.read_text())["rows"] == [{"iou": None}, [None, 1.5]]
