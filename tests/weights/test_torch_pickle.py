"""Both kinds of PyTorch's files are read without it, and nothing is run."""

import collections
import contextlib
import random
import zipfile

import numpy as np
import pytest

from keras_pyconv.weights import read_arrays
from keras_pyconv.weights.pickles import UnsafeError
from keras_pyconv.weights.sources import Stored
from keras_pyconv.weights.torch_pickle import open_torch
from tests.weights import torch_writer
from tests.weights.torch_writer import Raw

CONTENT = {
    "state_dict": {
        "kernel": np.arange(24.0, dtype="float32").reshape(2, 3, 4),
        "bias": np.array([1.5, -2.0], "float64"),
        "half": np.array([0.5], "float16"),
        "counter": np.array(7),
        "mask": np.array([True, False]),
        "none": np.zeros((0, 3), "float32"),
    },
    "epoch": 90,
    "names": ["a", ("b", None)],
}

both_kinds = pytest.mark.parametrize(
    "old", [False, True], ids=["archive", "chain"]
)


def read_torch(path):
    """All that a checkpoint holds, its tensors as arrays."""

    def read(value):
        if isinstance(value, dict):
            return {name: read(one) for name, one in value.items()}
        return value.read() if isinstance(value, Stored) else value

    with open_torch(path) as content:
        return read(content)


def assert_same(read, expected):
    assert read.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(read[name], np.asarray(array))


@both_kinds
def test_tensors_of_every_kind_come_back(tmp_path, old):
    torch_writer.save(tmp_path / "w.pth", CONTENT, old)
    read = read_torch(tmp_path / "w.pth")
    assert_same(read["state_dict"], CONTENT["state_dict"])
    assert read["state_dict"]["counter"].shape == ()
    assert (read["epoch"], read["names"]) == (90, ["a", ("b", None)])


class Python2(torch_writer.Writer):
    """Writes text and dictionaries as Python 2 did."""

    def dump(self, value):
        if isinstance(value, str):
            return b"U" + bytes([len(value)]) + value.encode("latin-1")
        if isinstance(value, dict):
            pairs = [list(pair) for pair in value.items()]
            made = torch_writer.name("collections", "OrderedDict")
            return made + self.dump((pairs,)) + b"R"
        return super().dump(value)


@both_kinds
def test_what_python_2_wrote_is_read(tmp_path, old, monkeypatch):
    monkeypatch.setattr(torch_writer, "Writer", Python2)
    content = {"state_dict": {"a": np.ones((2, 3), "float32")}, "by": "\xff"}
    torch_writer.save(tmp_path / "w.pth", content, old)
    read = read_torch(tmp_path / "w.pth")
    assert_same(read["state_dict"], content["state_dict"])
    assert read["by"] == b"\xff"


def torch_content(torch):
    whole = torch.arange(24.0).reshape(4, 6)
    return {
        "whole": whole,
        "rows": whole[1:3],
        "turned": whole.t(),
        "column": whole[:, 2],
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "bfloat16": torch.tensor([1.5, -3.0]).bfloat16(),
        "scalar": torch.tensor(3),
    }


@both_kinds
def test_files_of_pytorch_itself_are_read_alike(tmp_path, old):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    content = torch_content(torch)
    state = collections.OrderedDict(content)
    state._metadata = {"": {"version": 1}}
    wrapped = {"state_dict": state, "best": np.float64(78.5), "size": (1,)}
    path = tmp_path / "w.pth"
    torch.save(wrapped, path, _use_new_zipfile_serialization=not old)
    expected = {
        name: tensor.detach().float().numpy()
        for name, tensor in content.items()
    }
    assert_same(read_torch(path)["state_dict"], expected)


@both_kinds
def test_pytorch_reads_what_the_tests_write(tmp_path, old):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch_writer.save(tmp_path / "w.pth", CONTENT, old)
    read = torch.load(tmp_path / "w.pth", weights_only=True)
    assert_same(read["state_dict"], CONTENT["state_dict"])


# Calls `open(trace, "w")` in ways that pickles have.
def by_reduce(module, function, writer, trace):
    called = writer.dump((str(trace), "w"))
    return torch_writer.name(module, function) + called + b"R"


def by_stack_name(module, function, writer, trace):
    called = writer.dump((str(trace), "w"))
    return writer.dump(module) + writer.dump(function) + b"\x93" + called + b"R"


def by_object(module, function, writer, trace):
    called = writer.dump((str(trace), "w"))
    return torch_writer.name(module, function) + called + b"\x81"


@both_kinds
@pytest.mark.parametrize("call", [by_reduce, by_stack_name, by_object])
@pytest.mark.parametrize(
    "module, function",
    [
        ("builtins", "open"),
        ("os", "system"),
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("collections", "OrderedDict.fromkeys"),
    ],
)
def test_what_is_no_tensor_is_named_and_not_called(
    tmp_path, old, call, module, function
):
    trace = tmp_path / "trace"
    opcodes = call(module, function, torch_writer.Writer(old), trace)
    content = {"state_dict": {"a": np.ones(2)}, "b": Raw(opcodes)}
    torch_writer.save(tmp_path / "w.pth", content, old)
    with pytest.raises(UnsafeError, match=f"Python object {module}.{function}"):
        read_torch(tmp_path / "w.pth")
    assert not trace.exists()


def test_the_first_pickle_of_a_chain_calls_nothing_either(tmp_path):
    trace = tmp_path / "trace"
    writer = torch_writer.Writer(True)
    header = Raw(by_reduce("builtins", "open", writer, trace))
    torch_writer.save(tmp_path / "w.pth", {}, True, header)
    with pytest.raises(UnsafeError):
        read_torch(tmp_path / "w.pth")
    assert not trace.exists()


@both_kinds
def test_a_file_cut_anywhere_has_a_cause_of_one_line(tmp_path, old):
    torch_writer.save(tmp_path / "w.pth", CONTENT, old)
    whole = (tmp_path / "w.pth").read_bytes()
    for length in range(0, len(whole), 37):
        (tmp_path / "cut.pth").write_bytes(whole[:length])
        with pytest.raises(ValueError) as caught:
            read_arrays(tmp_path / "cut.pth")
        assert "\n" not in str(caught.value)


@both_kinds
def test_damaged_bytes_never_do_more_than_fail(tmp_path, old):
    torch_writer.save(tmp_path / "w.pth", CONTENT, old)
    whole = (tmp_path / "w.pth").read_bytes()
    rng = random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        (tmp_path / "damaged.pth").write_bytes(damaged)
        with contextlib.suppress(ValueError):
            read_arrays(tmp_path / "damaged.pth")


def tensor_of(writer, count, *view):
    kind = Raw(torch_writer.name("torch", "FloatStorage"))
    # The first storage is that of the array beside it, of 4 numbers.
    key = "0" if count == 4 else "1"
    storage = ("storage", kind, key, "cpu", count)
    storage += (None,) if writer.old else ()
    arguments = (Raw(writer.dump(storage) + b"Q"), *view, False, None)
    called = torch_writer.name("torch._utils", "_rebuild_tensor_v2")
    return Raw(called + writer.dump(arguments) + b"R")


@both_kinds
@pytest.mark.parametrize(
    "count, view",
    [
        (4, (0, (5,), (1,))),
        (4, (2, (3,), (1,))),
        (4, (0, (2,), (9,))),
        (4, (-1, (2,), (1,))),
        (4, (0, (2,), (-1,))),
        (4, (0, (10**12,), (0,))),
        (4, (0, (2, 2), (1,))),
        (10**15, (0, (2,), (1,))),
    ],
    ids=str,
)
def test_a_tensor_may_not_reach_beyond_its_numbers(tmp_path, old, count, view):
    tensor = tensor_of(torch_writer.Writer(old), count, *view)
    content = {"a": np.ones(4, "float32"), "b": tensor}
    torch_writer.save(tmp_path / "w.pth", content, old)
    with pytest.raises(ValueError):
        read_torch(tmp_path / "w.pth")


def test_compressed_members_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w", 8) as archive:
        writer = torch_writer.Writer(False)
        content = writer.pickle({"a": np.zeros(10**6, "float32")})
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/data/0", bytes(4 * 10**6))
        archive.writestr("a/version", b"3\n")
    with pytest.raises(ValueError, match="compressed"):
        read_torch(tmp_path / "w.pth")
