"""The recipe for ADE20K runs, resumes, and gives what its evaluation reads."""

import json
import re

import numpy as np
import pytest

from keras_pyconv import PyConvSegNet
from recipes import segment_ade20k
from tests.datasets.mask_folders import write


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished smoke run, and what it returned."""
    folder = tmp_path_factory.mktemp("segment")
    return folder, segment_ade20k.main(arguments(folder))


def arguments(folder, *more):
    data = folder.parent / "segmentation_data"
    return [
        *("--smoke", "--workdir", str(folder / "run")),
        *("--data-dir", str(data), "--head", "conv", *more),
    ]


def test_a_smoke_run_trains_and_judges(run):
    folder, (model, history) = run
    (row,) = history
    assert row["step"] == segment_ade20k.SMOKE_STEPS
    assert 0 < row["loss"] < 10
    assert 0 <= row["val_mean_iou"] <= row["val_pixel_accuracy"] <= 1
    assert model.output["logits"].shape == (None, 64, 64, 11)
    record = json.loads((folder / "run" / "constants.json").read_text())
    kept = record["constants"]
    assert kept["head_rate"] == 10.0 and kept["l2"] == 1e-4


def test_the_backbone_learns_at_a_tenth_of_the_heads_rate(run):
    _, (model, _) = run
    multipliers = model.optimizer.rate_multipliers
    (pattern,) = multipliers
    assert multipliers[pattern] == pytest.approx(0.1)
    slow = {
        v.path.partition("/")[0].partition("_")[0]
        for v in model.trainable_variables
        if re.search(pattern, v.path)
    }
    assert slow == {"conv1", "conv2", "conv3", "conv4", "conv5"}
    fast = [
        v.path
        for v in model.trainable_variables
        if not re.search(pattern, v.path)
    ]
    assert {path.partition("_")[0] for path in fast} == {
        *("merge", "classifier", "auxiliary"),
    }


def test_what_was_trained_is_loaded_by_the_builder(run):
    folder, (model, _) = run
    again = PyConvSegNet(
        "ResNetMini",
        classes=11,
        head="conv",
        head_width=64,
        weights=folder / "run" / f"{model.name}.weights.h5",
    )
    for old, new in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_classes_are_named_on_the_command_line(tmp_path):
    for split in ("training", "validation"):
        write(tmp_path, split)
    names = [f"class {number}" for number in range(150)]
    args = segment_ade20k.parse(
        [f"--data={tmp_path}", "--batch-size=2", "--classes", *names]
    )
    *_, classes = segment_ade20k.load_data(args, (0, 1))
    assert classes == tuple(names)


def test_normalization_is_over_all_devices(run):
    _, (model, _) = run
    layers = [layer for layer in model.layers if layer.name.endswith("_bn")]
    assert layers and all(layer.synchronized for layer in layers)
