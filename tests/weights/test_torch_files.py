"""Checkpoints are read from three kinds of file, and none runs code."""

import pickle
import sys
import zipfile

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


@pytest.mark.parametrize("name", SAVERS)
def test_the_prefix_of_parallel_training_is_taken_off(
    tmp_path, monkeypatch, name
):
    prefixed = {f"module.{key}": array for key, array in ARRAYS.items()}
    monkeypatch.setitem(globals(), "ARRAYS", prefixed)
    SAVERS[name](tmp_path / name)
    monkeypatch.undo()
    assert_arrays(read_arrays(tmp_path / name))


def test_two_members_of_one_name_are_refused(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **ARRAYS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a", archive.read("b.npy"))
    with pytest.raises(ValueError, match="holds 'a' twice"):
        read_arrays(path)


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


@pytest.mark.parametrize("name", SAVERS)
def test_no_number_is_read_from_a_file_that_is_not_the_expected(
    tmp_path, monkeypatch, name
):
    SAVERS[name](tmp_path / name)
    read = []
    frombuffer = np.frombuffer
    monkeypatch.setattr(
        np, "frombuffer", lambda *a, **k: read.append(1) or frombuffer(*a, **k)
    )

    def refuse(arrays):
        assert {n: a.shape for n, a in arrays.items()} == {
            "a": (2, 3),
            "b": (2,),
        }
        assert {n: a.dtype for n, a in arrays.items()} == {
            n: a.dtype for n, a in ARRAYS.items()
        }
        raise ValueError("another network")

    with pytest.raises(ValueError, match="^another network$"):
        read_arrays(tmp_path / name, refuse)
    assert not read
    read_arrays(tmp_path / name)
    assert read or name == "w.safetensors"


# As docs/weights.md says of each format.
@pytest.mark.parametrize(
    "name, noticed",
    [
        ("w.npz", True),
        ("w.pth", True),
        ("w.pt", False),
        ("w.safetensors", False),
    ],
)
def test_only_formats_with_a_checksum_notice_a_changed_bit(
    tmp_path, name, noticed
):
    path = tmp_path / name
    SAVERS[name](path)
    content, number = path.read_bytes(), ARRAYS["a"].tobytes()
    assert content.count(number) == 1
    other = (ARRAYS["a"] + np.float32(2)).tobytes()
    path.write_bytes(content.replace(number, other))
    if noticed:
        with pytest.raises(ValueError, match="CRC"):
            read_arrays(path)
        return
    np.testing.assert_array_equal(read_arrays(path)["a"], ARRAYS["a"] + 2)


def test_bfloat16_of_safetensors_becomes_float32(tmp_path):
    pytest.importorskip("safetensors", reason="it is not installed")
    path = tmp_path / "w.safetensors"
    header = b'{"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}'
    path.write_bytes(
        len(header).to_bytes(8, "little") + header + b"\xc0\x3f\x40\xc0"
    )
    array = read_arrays(path)["a"]
    assert array.dtype == "float32"
    np.testing.assert_array_equal(array, [1.5, -3])
