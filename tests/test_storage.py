"""Paths of other file systems, and of this one without TensorFlow."""

import pathlib

import pytest

from keras_pyconv import storage
from tests.elsewhere import copied


def test_what_is_here_needs_no_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "tf", None)
    (tmp_path / "a.txt").write_bytes(b"text")
    (tmp_path / "inner").mkdir()
    assert storage.read(tmp_path / "a.txt", 2) == b"te"
    assert storage.file_names(tmp_path) == {"a.txt"}
    assert storage.glob(f"{tmp_path}/*.txt") == [str(tmp_path / "a.txt")]
    assert storage.is_folder(tmp_path) and storage.exists(tmp_path / "a.txt")
    assert storage.absent(tmp_path, ["a.txt", "inner", "b/c.txt"]) == {
        "inner",
        "b/c.txt",
    }
    with storage.fetched(tmp_path / "a.txt") as path:
        assert path == tmp_path / "a.txt"
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "b.txt")


@pytest.mark.parametrize(
    "path, is_remote",
    [
        ("gs://bucket/a", True),
        ("ram://a", True),
        (pathlib.Path("gs:/bucket/a"), False),
        ("/tmp/gs://a", False),
        ("a/b", False),
        (b"gs://a", False),
        (None, False),
    ],
)
def test_a_scheme_before_two_slashes_is_another_file_system(path, is_remote):
    assert storage.is_remote(path) == is_remote


def test_errors_about_a_copy_name_what_was_asked_for(tmp_path):
    pytest.importorskip("tensorflow")
    (tmp_path / "a.txt").write_bytes(b"text")
    path = copied(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError) as caught:
        with storage.fetched(path) as copy:
            assert copy.read_bytes() == b"text"
            open(f"{copy}.gone")
    assert f"{path}.gone" in str(caught.value)
    with pytest.raises(OSError, match="File system scheme 'nfs9' not impl"):
        storage.read("nfs9://a/b")


def test_a_copy_of_a_folder_does_not_leave_its_folder(tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    (tmp_path / "a.txt").write_bytes(b"text")
    path = copied(tmp_path / "a.txt").rpartition("/")[0]
    names = ["a.txt", "../"]
    monkeypatch.setattr(tf.io.gfile, "listdir", lambda folder: names)
    with pytest.raises(ValueError, match="a file named '.' or '..'"):
        storage.fetch(path, tmp_path / "copy")
    assert {one.name for one in tmp_path.iterdir()} <= {"a.txt", "copy"}
