"""What is no file is called what it is, and what was changed is noticed."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from keras_pyconv.models import build_classifier
from keras_pyconv.reading import check_file, one_line, plain, short
from keras_pyconv.weights import __main__ as command
from keras_pyconv.weights import load, read_arrays, save_keras_weights
from keras_pyconv.weights.sources import (
    checksum,
    checksum_path,
    is_whole,
    write_checksum,
)
from tests.weights.conftest import VARIANT
from tests.weights.test_keras_files import mini

ESCAPES = "\x1b[2J\r\n\u202e"


def make_loop(path):
    path.symlink_to(path.name)


NO_FILES = {
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a pipe": (os.mkfifo, "is a device or a pipe"),
    "a loop": (make_loop, "is a loop of links"),
    "a device": (
        lambda path: path.symlink_to("/dev/zero"),
        "is a device or a pipe",
    ),
    "a link to nothing": (
        lambda path: path.symlink_to("lost"),
        "is a link to lost, which is not there",
    ),
    "within a file": (lambda path: None, "There is no"),
}
READERS = {
    "w.pth": read_arrays,
    "w.npz": read_arrays,
    "w.safetensors": read_arrays,
    "w.weights.h5": lambda path: load(mini(), path),
    "w.keras": lambda path: load(mini(), path),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_called_what_it_is(tmp_path, kind, name):
    make, words = NO_FILES[kind]
    path = tmp_path / name
    make(path)
    with pytest.raises(OSError, match=words) as caught:
        READERS[name](path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", ["w.pth", "w.weights.h5"])
def test_builders_and_the_command_say_the_same(tmp_path, kind, name, capsys):
    make, words = NO_FILES[kind]
    path = tmp_path / name
    make(path)
    with pytest.raises(ValueError, match=words):
        build_classifier(VARIANT, weights=path)
    assert command.main([str(tmp_path / name), "--output", "w.npz"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error or "must end in one of" in error


@pytest.mark.parametrize("path", ["a\0b.pth", "x" * 5000 + ".pth"])
def test_what_can_be_no_path_is_said_to_be_none(path):
    with pytest.raises(OSError, match="is no path of a file") as caught:
        check_file(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_text_of_a_file_is_one_short_line_without_escape_codes():
    for make in (short, plain, one_line):
        for text in (ESCAPES, ESCAPES * 10**6, "\ud800", "x" * 10**6):
            made = make(text)
            assert made.isprintable() and len(made) < 900
    assert plain(short("a\x1b")) == short("a\x1b") == r"'a\x1b'"
    assert one_line(ValueError("one\n  two.\n")) == "one two"
    assert one_line(ValueError("")) == "ValueError"


# Checksums ------------------------------------------------------------------


def test_what_is_written_has_its_checksum_beside_it(tmp_path):
    path = tmp_path / "w.weights.h5"
    save_keras_weights(mini(), path)
    assert sorted(os.listdir(tmp_path)) == [path.name, f"{path.name}.sha256"]
    assert is_whole(path)
    load(mini(), path)
    if shutil.which("sha256sum"):
        words = ["sha256sum", "-c", f"{path.name}.sha256"]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_was_changed_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"as it was")
    write_checksum(path)
    path.write_bytes(b"changed")
    with pytest.raises(ValueError, match="damaged or was changed.*sha256"):
        READERS[name](path)


def test_every_flip_of_a_bit_is_noticed(tmp_path):
    path = tmp_path / "w.weights.h5"
    save_keras_weights(mini(), path)
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), 499):
        whole[place] ^= 1
        path.write_bytes(whole)
        with pytest.raises(ValueError, match="damaged or was changed"):
            load(mini(), path)
        whole[place] ^= 1


@pytest.mark.parametrize(
    "content",
    ["{digest}", "{digest}  other/name\n", "SHA256 (w) = {DIGEST}\n"],
)
def test_checksums_of_other_programs_are_read(tmp_path, content):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.ones(2))
    digest = checksum(path)
    beside = tmp_path / "w.npz.sha256"
    beside.write_text(content.format(digest=digest, DIGEST=digest.upper()))
    assert is_whole(path) and list(read_arrays(path)) == ["a"]


@pytest.mark.parametrize("content", ["", "no checksum", "a" * 63, "a" * 65])
def test_a_checksum_that_is_none_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.ones(2))
    (tmp_path / "w.npz.sha256").write_text(content)
    with pytest.raises(ValueError, match="holds no SHA-256"):
        read_arrays(path)
    assert not is_whole(path)


def test_a_checksum_that_is_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.ones(2))
    os.mkfifo(checksum_path(path))
    with pytest.raises(ValueError, match="sha256' is a device or a pipe"):
        read_arrays(path)
    assert not is_whole(path)


def test_an_interrupted_write_leaves_no_checksum_of_another_file(
    tmp_path, monkeypatch
):
    from keras_pyconv.weights import sources

    path = tmp_path / "w.weights.h5"
    save_keras_weights(mini(), path)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "write_checksum", stop)
    with pytest.raises(KeyboardInterrupt):
        save_keras_weights(mini(), path)
    assert os.listdir(tmp_path) == [path.name]
    load(mini(), path)
