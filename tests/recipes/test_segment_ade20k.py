"""The recipe for ADE20K runs, resumes, and gives what its evaluation reads."""

import json

import numpy as np
import pytest

from keras_pyconv import PyConvSegNet
from recipes import fitting, segment_ade20k, sources
from tests.datasets.mask_folders import write
from tests.recipes.settings_of import settings_of


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
    assert row["step"] == 2
    assert 0 < row["loss"] < 10
    assert 0 <= row["val_mean_iou"] <= row["val_pixel_accuracy"] <= 1
    assert model.output["logits"].shape == (None, 64, 64, 11)
    record = json.loads((folder / "run" / "constants.json").read_text())
    kept = record["constants"]
    assert kept["head_rate"] == 10.0
    assert kept["optimizer.weight_decay"] == 1e-4


def test_the_backbone_learns_at_a_tenth_of_the_heads_rate(run):
    _, (model, _) = run
    optimizers = {one.name: one for one in model.optimizer.optimizers}
    assert set(optimizers) == {"backbone", "rest"}
    rates = {
        name: one.get_config()["learning_rate"]["config"]
        for name, one in optimizers.items()
    }
    assert rates["backbone"]["initial_learning_rate"] == pytest.approx(0.01)
    assert rates["rest"]["initial_learning_rate"] == pytest.approx(0.1)
    learning = {
        name: {
            variable.path.partition("/")[2].partition("_")[0]
            for variable in one.variables
            if variable.path.endswith("momentum")
        }
        for name, one in optimizers.items()
    }
    stages = {"conv1", "conv2", "conv3", "conv4", "conv5"}
    assert learning["backbone"] == stages
    assert learning["rest"] == {"merge", "classifier", "auxiliary"}


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
    words = [f"--data={tmp_path}", "--batch-size=2", "--classes", *names]
    settings = settings_of(segment_ade20k, *words)
    for masks in sources.open_masks(settings):
        assert masks.classes == tuple(names)


def test_training_on_both_splits_sees_every_image(run, tmp_path):
    # The asterisk of Table 5, as docs/segmentation.md has it.
    words = "--epochs 120 --train-on train validation --batch-size 20".split()
    folder, _ = run
    made = arguments(folder, *words, "--workdir", str(tmp_path))
    settings = settings_of(segment_ade20k, *made)
    assert settings.training.epochs == 120
    data = segment_ade20k.load_data(settings, fitting.start(settings))
    assert (data.train.count, data.validation.count) == (20, 4)
    assert data.batches.steps_per_epoch == 1
    _, (row,) = segment_ade20k.main([*made, "--epochs=1", "--batch-size=4"])
    assert row["step"] == 2 and row["loss"] > 0


def test_normalization_is_over_all_devices(run):
    _, (model, _) = run
    layers = [layer for layer in model.layers if layer.name.endswith("_bn")]
    assert layers and all(layer.synchronized for layer in layers)
