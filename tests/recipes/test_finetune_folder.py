"""The fine-tuning recipe runs from its real entry point on a real folder."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_pyconv import build_classifier
from recipes import finetune_folder

ROW = "PyConvResNetMini"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of three classes of pictures, and weights of seven."""
    root = tmp_path_factory.mktemp("finetune")
    rng = np.random.default_rng(1)
    for number, one in enumerate(("cat", "dog", "fox")):
        (root / "pets" / one).mkdir(parents=True)
        for picture in range(8):
            pixels = rng.integers(0, 60, (50, 70, 3)) + 60 * number
            path = root / "pets" / one / f"{picture}.png"
            Image.fromarray(pixels.astype("uint8")).save(path)
    source = build_classifier(ROW, classes=7, input_shape=(64, 64, 3))
    source.save_weights(root / "source.weights.h5")
    return root, source


@pytest.fixture(scope="module")
def run(pets):
    root, source = pets
    model, history = finetune_folder.main(
        f"--data {root / 'pets'} --workdir {root / 'run'} --network {ROW} "
        f"--weights {root / 'source.weights.h5'} --freeze 2 --side 32 "
        "--batch-size 6 --epochs 1 --strategy one".split()
    )
    return root, source, model, history


def equal(source, model, name):
    return all(
        np.array_equal(old, new)
        for old, new in zip(
            source.get_layer(name).get_weights(),
            model.get_layer(name).get_weights(),
        )
    )


def test_frozen_stages_keep_weights_and_statistics(run):
    _, source, model, _ = run
    for name in ("conv1_conv", "conv1_bn", "conv3_block1_2_bn"):
        assert equal(source, model, name)
    for name in ("conv4_block1_1_conv", "conv4_block1_1_bn"):
        assert not equal(source, model, name)


def test_the_classes_are_those_of_the_folder(run):
    root, _, model, history = run
    assert model.output_shape == (None, 3)
    assert [row["epoch"] for row in history] == [1]
    assert 0 <= history[-1]["val_top1_error"] <= 1
    constants = json.loads((root / "run" / "constants.json").read_text())
    text = json.dumps(constants)
    assert '"classes": ["cat", "dog", "fox"]' in text


def test_the_weights_written_fill_a_network_again(run):
    root, _, model, _ = run
    path = root / "run" / f"{ROW}.weights.h5"
    again = build_classifier(
        ROW, classes=3, input_shape=(32, 32, 3), weights=path
    )
    for old, new in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_no_data_is_said_at_once(capsys):
    with pytest.raises(SystemExit):
        finetune_folder.main([])
    assert "--data is missing" in capsys.readouterr().err


def test_four_frozen_stages_leave_the_classifier():
    model = build_classifier(ROW, classes=3, input_shape=(64, 64, 3))
    finetune_folder.freeze(model, 4)
    paths = [variable.path for variable in model.trainable_variables]
    assert paths == ["predictions/kernel", "predictions/bias"]


@pytest.mark.slow
def test_smoke_trains_and_exports(tmp_path):
    model, history = finetune_folder.main(
        f"--smoke --workdir {tmp_path / 'run'} --data-dir {tmp_path / 'data'} "
        f"--export-root {tmp_path / 'served'}".split()
    )
    assert np.isfinite(history[-1]["loss"])
    assert (tmp_path / "served" / "1").is_dir()
