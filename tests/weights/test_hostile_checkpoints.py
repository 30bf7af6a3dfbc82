"""Hostile checkpoints are refused: no crash, no hang, no memory, no change."""

import types

import pytest

from keras_pyconv.weights import files, pickles, read_arrays, torch_pickle
from tests.weights import forked, hostile, hostile_archives

LONGEST = 700
LONG = 1 << 17


def fingerprint():
    """What a file could change of the modules that read it."""
    found = {}
    for module in (files, pickles, torch_pickle):
        for name, value in vars(module).items():
            if isinstance(value, types.FunctionType):
                defaults = (
                    repr(value.__defaults__),
                    repr(value.__kwdefaults__),
                )
                found[module, name] = (value.__code__, *defaults, *vars(value))
            elif isinstance(value, (dict, tuple, str, int)):
                found[module, name] = repr(value)
    return found


def read_unchanged(path):
    """Names or the error of a file; whether the process is as it was."""
    before = fingerprint()
    try:
        ending = sorted(read_arrays(path)), None
    except ValueError as error:
        ending = None, str(error)
    # What the file made has been freed by now.
    return *ending, fingerprint() == before


def assert_sentence(path, message):
    """One line of some length, without escape codes, that names the file."""
    assert str(path) in message and len(message) < LONGEST
    assert message.isprintable()


def assert_refused(*paths):
    ending = forked.outcome(lambda: [read_unchanged(path) for path in paths])
    assert ending[0] == "returned", ending
    for path, (names, message, unchanged) in zip(paths, ending[1]):
        assert unchanged and names is None, names
        assert_sentence(path, message)


@forked.here
@pytest.mark.parametrize("program", hostile.PROGRAMS)
def test_a_hostile_pickle_is_refused_in_every_kind_of_file(tmp_path, program):
    content = hostile.PROGRAMS[program]
    # What is long to read is read once.
    kinds = ["archive"] if len(content) > LONG else list(hostile.KINDS)
    paths = [tmp_path / f"{kind}.pth" for kind in kinds]
    for path, kind in zip(paths, kinds):
        path.write_bytes(hostile.KINDS[kind](content))
    assert_refused(*paths)


@forked.here
@pytest.mark.parametrize("name", hostile_archives.FILES)
def test_a_hostile_file_of_arrays_is_refused(tmp_path, name):
    content, ending = hostile_archives.FILES[name]
    path = tmp_path / f"w{ending}"
    path.write_bytes(content)
    if ending == ".safetensors":
        pytest.importorskip("safetensors", reason="it reads such files")
    assert_refused(path)


@forked.here
@pytest.mark.parametrize("program", hostile.PROGRAMS)
def test_pytorch_does_not_refuse_more(tmp_path, program):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    path = tmp_path / "w.pth"
    path.write_bytes(hostile.archive(hostile.PROGRAMS[program]))

    def load():
        torch.load(path, weights_only=True)

    # It may read the file, refuse it, crash or hang; ours refuses.
    theirs = forked.outcome(load, seconds=5, memory=1 << 30)
    print(f"PyTorch {torch.__version__}: {theirs[:2]}")
    assert_refused(path)
