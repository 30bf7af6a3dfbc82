"""Recipes take the user's word under --smoke, and write strict JSON."""

import importlib
import json

import numpy as np
import pytest

from recipes import common

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


def test_a_record_has_null_where_there_is_no_number(tmp_path):
    path = tmp_path / "record.json"
    rows = [{"iou": float("nan")}, (np.float64("inf"), 1.5)]
    common.write_record(path, rows=rows)
    assert json.loads(path.read_text())["rows"] == [{"iou": None}, [None, 1.5]]
