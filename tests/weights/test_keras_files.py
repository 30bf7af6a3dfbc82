"""A file of Keras fits, or is refused in one line that says why."""

import keras
import numpy as np
import pytest

from keras_pyconv.layers import PyConv
from keras_pyconv.weights import load


def mini(classes=4, width=8, name="mini"):
    return keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            PyConv(width, (3, 5), name="stem"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(classes, name="predictions"),
        ],
        name=name,
    )


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_what_was_saved_is_loaded(tmp_path, ending):
    source, path = mini(), tmp_path / f"w{ending}"
    (source.save if ending == ".keras" else source.save_weights)(path)
    model = load(mini(name="other"), path)
    for ours, theirs in zip(model.get_weights(), source.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"classes": 7}, r"'predictions' has variables of shapes \[\(8, 4\)"),
        ({"width": 16}, "'stem' has variables of shapes"),
    ],
)
def test_another_shape_is_named_and_nothing_is_loaded(tmp_path, options, words):
    path = tmp_path / "w.weights.h5"
    mini().save_weights(path)
    model = mini(**options)
    before = model.get_weights()
    with pytest.raises(ValueError, match=words) as raised:
        load(model, path)
    assert str(path) in str(raised.value) and len(str(raised.value)) < 500
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_another_network_is_refused(tmp_path):
    path = tmp_path / "w.weights.h5"
    dense = [keras.Input((3,)), keras.layers.Dense(2, name="other")]
    keras.Sequential(dense).save_weights(path)
    with pytest.raises(ValueError, match="holds no layer of 'mini'"):
        load(mini(), path)


def test_damaged_files_are_told_apart(tmp_path):
    path = tmp_path / "w.weights.h5"
    mini().save_weights(path)
    whole = path.read_bytes()
    cases = {
        b"<!DOCTYPE html>": "no HDF5 file, for it begins with b.<!DOCTYPE",
        whole[: len(whole) // 2]: "cut short or damaged",
        b"": "no HDF5 file",
    }
    for content, words in cases.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load(mini(), path)
    archive = tmp_path / "w.keras"
    archive.write_bytes(whole)
    with pytest.raises(ValueError, match="it is no archive"):
        load(mini(), archive)
    with pytest.raises(FileNotFoundError, match="no file"):
        load(mini(), tmp_path / "none.weights.h5")
