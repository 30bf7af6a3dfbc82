"""Whatever is in a checkpoint, it is read or refused in a sentence.

Programs of pickles by chance, and good files with some bytes changed, are read
in a process of their own. Where PyTorch is installed it reads them too.
"""

import functools
import io
import pathlib
import struct
import tempfile
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from keras_pyconv.weights import read_arrays
from tests.weights import forked, hostile, torch_writer
from tests.weights.test_hostile_checkpoints import (
    assert_sentence,
    read_unchanged,
)

fuzzed = functools.partial(
    settings,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
GOOD = {
    "a": np.arange(6.0, dtype="float32").reshape(2, 3),
    "b": np.array([1, 2], "int64"),
    "c": np.array(3),
}


def _sized(form, code):
    """An instruction with text, whose count may be another one."""
    text = some.binary(max_size=6)
    wrong = some.integers(0, 2 ** (8 * struct.calcsize(form)) - 1)
    return some.builds(
        lambda t, n: code + struct.pack(form, n) + t,
        *(text, wrong),
    ) | text.map(lambda t: code + struct.pack(form, len(t)) + t)


NAMES = [
    hostile.REBUILD,
    hostile.FLOATS,
    hostile.ORDERED,
    hostile.storage(),
    hostile.tensor(0, (2, 2), (2, 1)),
    torch_writer.name("collections", "Counter"),
    torch_writer.name("torch._utils", "_rebuild_parameter"),
    torch_writer.name("torch", "Size"),
    torch_writer.name("numpy", "dtype"),
    torch_writer.name("os", "system"),
]
CODES = [bytes([code]) for code in range(256)]
COMMON = list(b"()]}.0NRQab2estu\x81\x85\x86\x87\x8f\x90\x94")
INSTRUCTIONS = some.one_of(
    some.sampled_from(NAMES),
    some.sampled_from([bytes([code]) for code in COMMON]),
    some.sampled_from(CODES),
    some.builds(
        lambda code, index: code + bytes([index]),
        some.sampled_from([b"q", b"h", b"K"]),
        some.integers(0, 3),
    ),
    _sized("<I", b"X"),
    _sized("<B", b"U"),
    _sized("<B", b"\x8a"),
    some.binary(min_size=8, max_size=8).map(lambda b: b"G" + b),
)
PROGRAMS = some.lists(INSTRUCTIONS, max_size=40).map(
    lambda parts: hostile.START + b"".join(parts) + b"."
)


@functools.cache
def good(old):
    """The bytes of a good file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "w.pth"
        torch_writer.save(path, GOOD, old)
        return path.read_bytes()


def changed(content, changes):
    """Bytes with some of them replaced, dropped or put in."""
    content = bytearray(content)
    for place, kind, value in changes:
        place = int(place * len(content))
        if kind == "replace":
            content[place : place + len(value)] = value
        elif kind == "drop":
            del content[place : place + len(value)]
        else:
            content[place:place] = value
    return bytes(content)


CHANGES = some.lists(
    some.tuples(
        some.floats(0, 1),
        some.sampled_from(["replace", "drop", "put in"]),
        some.binary(min_size=1, max_size=8)
        | some.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(4), b"\x7f" * 8]),
    ),
    min_size=1,
    max_size=4,
)


def with_changed_pickle(changes):
    """A good archive, as such, with some bytes of its pickle changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good(False))) as old:
        with zipfile.ZipFile(stream, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name.endswith("data.pkl"):
                    content = changed(content, changes)
                new.writestr(name, content)
    return stream.getvalue()


# In whole archives; there libraries differ in what they make of damage.
PICKLES = some.one_of(
    some.builds(
        lambda kind, program: hostile.KINDS[kind](program),
        *(some.sampled_from(["archive", "chain"]), PROGRAMS),
    ),
    some.builds(with_changed_pickle, CHANGES),
)
FILES = some.one_of(
    PICKLES,
    some.builds(
        lambda old, changes: changed(good(old), changes),
        *(some.booleans(), CHANGES),
    ),
)


# One process for several, for it takes longer to make than a file to read.
SEVERAL = some.lists(FILES, min_size=1, max_size=10)
SEVERAL_PICKLES = some.lists(PICKLES, min_size=1, max_size=10)


def by_pytorch(path):
    """The arrays of a file as PyTorch reads them, or None."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, weights_only=True)
        return {str(name): value.numpy() for name, value in content.items()}
    except Exception:
        return None


def differing(path):
    """What ours makes of a file that PyTorch refuses, or reads otherwise."""
    theirs = by_pytorch(path)
    try:
        ours = read_arrays(path)
    except ValueError:
        return None
    if theirs is None:
        return f"PyTorch refuses what is read: {sorted(ours)}"
    same = ours.keys() == theirs.keys() and all(
        np.array_equal(array, theirs[name], equal_nan=array.dtype.kind == "f")
        for name, array in ours.items()
    )
    return None if same else f"{ours} is {theirs} for PyTorch"


def of_each(call, path, contents):
    """What a call says of each content of a file, in one process."""

    def run():
        answers = []
        for content in contents:
            path.write_bytes(content)
            answers.append(call(path))
        return answers

    ending = forked.outcome(run, memory=1 << 30)
    assert ending[0] == "returned", ending
    return ending[1]


def assert_read_or_refused(path, contents):
    for names, message, unchanged in of_each(read_unchanged, path, contents):
        assert unchanged
        if names is None:
            assert_sentence(path, message)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed") / "w.pth"


@forked.here
@pytest.mark.parametrize("old", [False, True], ids=["archive", "chain"])
def test_a_file_that_was_not_changed_is_read(path, old):
    path.write_bytes(good(old))
    for name, array in read_arrays(path).items():
        np.testing.assert_array_equal(array, GOOD[name])


@forked.here
@fuzzed(max_examples=20)
@given(SEVERAL)
def test_any_file_is_read_or_refused(path, contents):
    assert_read_or_refused(path, contents)


@forked.here
@fuzzed(max_examples=20)
@given(SEVERAL_PICKLES)
def test_what_pytorch_refuses_is_refused(path, contents):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert not any(of_each(differing, path, contents))


@pytest.mark.ci
@forked.here
@fuzzed(max_examples=300)
@given(SEVERAL)
def test_any_of_many_files_is_read_or_refused(path, contents):
    assert_read_or_refused(path, contents)


@pytest.mark.ci
@forked.here
@fuzzed(max_examples=300)
@given(SEVERAL_PICKLES)
def test_what_pytorch_refuses_of_many_files_is_refused(path, contents):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert not any(of_each(differing, path, contents))
