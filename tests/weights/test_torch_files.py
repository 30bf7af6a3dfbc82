"""Checkpoints are read from three kinds of file, and none runs code."""

import pickle
import sys

import numpy as np
import pytest

from keras_pyconv.weights import read_arrays
from tests.weights import torch_writer

ARRAYS = {"a": np.arange(6.0, dtype="float32").reshape(2, 3), "b": np.ones(2)}


def assert_arrays(read):
    assert sorted(read) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)


def save_npz(path):
    np.savez(path, **ARRAYS)


def save_safetensors(path):
    pytest.importorskip("safetensors.numpy").save_file(ARRAYS, path)


def save_torch(path):
    content = {"state_dict": ARRAYS, "epoch": 3}
    torch_writer.save(path, content, old=str(path).endswith(".pt"))


SAVERS = {
    "w.npz": save_npz,
    "w.safetensors": save_safetensors,
    "w.pth": save_torch,
    "w.pt": save_torch,
    "w.pth.tar": save_torch,
}


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_of_file_gives_its_arrays(tmp_path, name):
    SAVERS[name](tmp_path / name)
    assert_arrays(read_arrays(tmp_path / name))
    assert_arrays(read_arrays(str(tmp_path / name)))


def test_a_mapping_may_hold_tensors_that_want_gradients():
    torch = pytest.importorskip("torch")
    tensor = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(read_arrays({"a": tensor})["a"], [1, 1])


@pytest.mark.parametrize("name", SAVERS)
def test_a_web_page_is_called_one(tmp_path, name):
    path = tmp_path / name
    path.write_text("\n<!DOCTYPE html><html>Too many downloads</html>")
    if name != "w.npz":
        SAVERS[name](tmp_path / "needed")
    with pytest.raises(ValueError, match="it is a web page"):
        read_arrays(path)


@pytest.mark.parametrize("name", SAVERS)
def test_a_file_cut_short_has_a_cause_of_one_line(tmp_path, name):
    path = tmp_path / name
    SAVERS[name](path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="not a readable check") as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SAVERS)
def test_an_empty_file_is_called_empty(tmp_path, name):
    path = tmp_path / name
    path.touch()
    SAVERS[name](tmp_path / f"needed_{name}")
    with pytest.raises(ValueError, match="the file is empty"):
        read_arrays(path)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.npz"])
@pytest.mark.parametrize("pickler", ["pickle", "torch", "numpy"])
def test_code_in_a_file_is_never_run(tmp_path, name, pickler):
    path, trace = tmp_path / name, tmp_path / "trace"
    content = {"a": Hostile(trace)}
    with open(path, "wb") as file:
        if pickler == "pickle":
            pickle.dump(content, file)
        elif pickler == "torch":
            pytest.importorskip("torch").save(content, file)
        else:
            np.savez(file, a=np.array([Hostile(trace)]))
    with pytest.raises(ValueError, match="not a readable checkpoint") as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="lost.pth"):
        read_arrays(tmp_path / "lost.pth")


def test_an_unknown_ending_lists_the_known_ones():
    with pytest.raises(ValueError, match=".npz, .safetensors, .pth, .pt"):
        read_arrays("weights.bin")


@pytest.mark.parametrize("name, package", [("w.safetensors", "safetensors")])
def test_a_missing_package_is_named_with_its_command(
    tmp_path, monkeypatch, name, package
):
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.numpy", raising=False)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        read_arrays(tmp_path / name)


def test_a_file_without_names_is_refused(tmp_path):
    torch_writer.save(tmp_path / "w.pth", ARRAYS["a"])
    with pytest.raises(ValueError, match="holds no mapping .* but ndarray"):
        read_arrays(tmp_path / "w.pth")
