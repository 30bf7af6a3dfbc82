"""An ONNX file is opened and compared before it takes its place."""

import importlib

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import onnx
from keras_pyconv.export.runtimes.onnx import open_onnx_runtime

pytest.importorskip("tf2onnx", reason="the converter to ONNX")
pytest.importorskip("onnxruntime", reason="the runtime of ONNX files")


@pytest.fixture(scope="module")
def model():
    """Pyramids over images of any size, with two outputs."""
    inputs = keras.Input((None, None, 4))
    x = keras_pyconv.PyConv(16, (3, 5), groups=(1, 4), strides=2)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras_pyconv.SymmetricMaxPooling2D(3, 2)(x)
    kinds = keras.layers.GlobalAveragePooling2D(name="kinds")(x)
    return keras.Model(inputs, {"map": x, "kinds": kinds})


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return onnx(model, tmp_path_factory.mktemp("onnx") / "net.onnx")


def test_it_was_compared_in_onnx_runtime(exported):
    asked = [
        (row.runtime.split()[0], row.batch) for row in exported.comparisons
    ]
    assert ("ONNX", 1) in asked and ("ONNX", 2) in asked
    assert all(row.difference <= 1e-4 for row in exported.comparisons)
    assert exported.size_bytes == exported.path.stat().st_size


def test_openvino_is_compared_where_it_is_installed(exported):
    pytest.importorskip("openvino", reason="one more runtime")
    names = {row.runtime.split()[0] for row in exported.comparisons}
    assert names == {"ONNX", "OpenVINO"}


@pytest.mark.parametrize("shape", [(1, 20, 30, 4), (3, 9, 9, 4)])
def test_any_batch_and_size_answer_under_their_names(model, exported, shape):
    _, ask = open_onnx_runtime(exported.path)
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    answer, wanted = ask({"images": images}), model(images)
    assert sorted(answer) == ["kinds", "map"]
    for name, array in answer.items():
        np.testing.assert_allclose(array, wanted[name], atol=1e-5)


def test_nothing_is_padded_beforehand(exported):
    nodes = importlib.import_module("onnx").load(str(exported.path)).graph.node
    assert {"Conv", "MaxPool"} < {node.op_type for node in nodes}
    assert "Pad" not in {node.op_type for node in nodes}


def test_pyramids_over_clips_run(tmp_path):
    inputs = keras.Input((4, 8, 8, 4))
    outputs = keras_pyconv.PyConv3D(8, (3, 5), groups=(1, 2))(inputs)
    exported = onnx(keras.Model(inputs, outputs), tmp_path / "clips.onnx")
    assert all(row.difference <= 1e-4 for row in exported.comparisons)


def test_stock_groups_are_refused_and_leave_nothing(tmp_path):
    inputs = keras.Input((8, 8, 4))
    outputs = keras.layers.Conv2D(4, 3, groups=2)(inputs)
    with pytest.raises(ValueError, match="XLA must compile.*native_groups"):
        onnx(keras.Model(inputs, outputs), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file(model, tmp_path):
    with pytest.raises(IsADirectoryError, match="a file, not of a folder"):
        onnx(model, tmp_path)


def test_a_missing_package_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(
        onnx.__globals__, "PACKAGES", ("onnxruntime", "missing_one")
    )
    with pytest.raises(ImportError, match="pip install missing_one"):
        onnx(model, tmp_path / "net.onnx")


def test_functions_of_its_owner_are_written(with_own_functions, tmp_path):
    exported = onnx(with_own_functions, tmp_path / "net.onnx")
    _, ask = open_onnx_runtime(exported.path)
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 4)).astype("f4")
    answer = ask({"images": images})["kinds"]
    np.testing.assert_allclose(answer, with_own_functions(images), atol=1e-5)


def test_several_inputs_keep_their_names(tmp_path):
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="b")
    model = keras.Model([left, right], left - 2.0 * right)
    _, ask = open_onnx_runtime(onnx(model, tmp_path / "net.onnx").path)
    ones = np.ones((3, 2), "float32")
    (answer,) = ask({"b": ones, "left": 5.0 * ones}).values()
    np.testing.assert_array_equal(answer, 3.0 * ones)
