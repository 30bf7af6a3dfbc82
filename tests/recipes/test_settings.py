"""Recipes take the user's word under --smoke, and say mistakes in one line."""

import importlib
import json
import pathlib

import numpy as np
import pytest

from recipes import command_line, evaluate_segmentation, results
from recipes.settings import as_dict
from tests.recipes.settings_of import settings_of

FOLDER = pathlib.Path(command_line.__file__).parent
# Recipes with data of the user's, and an option that `--smoke` has a value for.
SMALL = {
    "classify_imagenet": ("data.side", "--side=96", 96, 64),
    "classify_imagenet_cutmix": (
        "training.precision",
        "--precision=mixed_bfloat16",
        "mixed_bfloat16",
        "float32",
    ),
    "detect_coco": ("network.side", "--side=300", 300, 64),
    "evaluate": (
        "variant",
        "--network=PyConvResNet50",
        "PyConvResNet50",
        "PyConvResNetMini",
    ),
    "evaluate_detection": ("network.side", "--side=300", 300, 64),
    "evaluate_segmentation": (
        "network.head_width",
        "--head-width=128",
        128,
        64,
    ),
    "finetune_folder": ("weights", "--weights=imagenet", "imagenet", "none"),
    "recognize_kinetics": ("data.frames", "--frames=8", 8, 4),
    "segment_ade20k": (
        "network.backbone",
        "--backbone=PyConvResNet50",
        "PyConvResNet50",
        "ResNetMini",
    ),
}
RECIPES = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if "    command_line.from_shell(main)" in path.read_text()
)


def settings(recipe, *words):
    return settings_of(importlib.import_module(f"recipes.{recipe}"), *words)


def value(found, path):
    return as_dict(found)[path]


@pytest.mark.parametrize("recipe", SMALL)
def test_smoke_takes_small_values_for_what_is_not_named(recipe):
    path, option, own, small = SMALL[recipe]
    assert value(settings(recipe, "--smoke"), path) == small
    assert value(settings(recipe, "--smoke", option), path) == own


@pytest.mark.parametrize("recipe", SMALL)
def test_smoke_refuses_the_data_of_the_user(recipe, capsys):
    with pytest.raises(SystemExit) as end:
        settings(recipe, "--smoke", "--data=mine")
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "--smoke makes its own data; leave out --data" in said


def test_recipes_are_found():
    assert {*SMALL, "quickstart", "show_pyramid"} < set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_short(recipe):
    assert (FOLDER / f"{recipe}.py").read_text().count("\n") <= 160


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_two_settings_have_one_name_on_the_command_line(recipe):
    """The parser would refuse them; paths of a file are apart anyway."""
    module = importlib.import_module(f"recipes.{recipe}")
    found = getattr(module, "SETTINGS", None) or module.Settings()
    command_line.parse(
        module.__doc__, found, ["--smoke"] * hasattr(found, "run")
    )


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
        command_line.from_shell(lambda: evaluate_segmentation.main(words))
    said = capsys.readouterr().err
    line = said.splitlines()[-1]
    assert end.value.code == 2 and " error: " in line and message in line
    assert "Traceback" not in said
    with pytest.raises(command_line.Mistake):
        evaluate_segmentation.main(words)


def test_a_record_has_null_where_there_is_no_number(tmp_path):
    path = tmp_path / "record.json"
    rows = [{"iou": float("nan")}, (np.float64("inf"), 1.5)]
    results.write_record(path, rows=rows)
    assert json.loads(path.read_text())["rows"] == [{"iou": None}, [None, 1.5]]


TRAINING = [
    "classify_imagenet",
    "classify_imagenet_cutmix",
    "convert_keras_model",
    "detect_coco",
    "finetune_folder",
    "quickstart",
    "recognize_kinetics",
    "segment_ade20k",
]


@pytest.mark.parametrize("name", TRAINING)
def test_a_recipe_that_trains_compiles_and_fits_before_the_reader(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert "model.compile(" in text and "model.fit(" in text
