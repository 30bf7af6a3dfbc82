"""A file is written whole, or what stood there stays."""

import os

import pytest

from keras_pyconv.writing import renewed, replacing, write_atomically


def test_text_and_bytes_are_written_into_new_folders(tmp_path):
    for name, content in (("a/text.md", "é\n"), ("b/picture.png", b"\x00\xff")):
        write_atomically(tmp_path / name, content)
        wanted = content.encode() if isinstance(content, str) else content
        assert (tmp_path / name).read_bytes() == wanted


def test_what_stood_there_stays_when_the_writer_fails(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as beside:
        assert beside.suffix == ".onnx"
        beside.write_text("ne")
        raise RuntimeError("interrupted")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="name of a file in it"):
        write_atomically(tmp_path, "text")


def test_a_page_is_renewed_between_its_markers(tmp_path):
    page, markers = tmp_path / "page.md", ("<!-- begin -->", "<!-- end -->")
    page.write_text("before\n<!-- begin -->\nold\n<!-- end -->\nafter\n")
    once = renewed(page, markers, "new")
    assert once == "before\n<!-- begin -->\n\nnew\n\n<!-- end -->\nafter\n"
    page.write_text(once)
    assert renewed(page, markers, "new") == once


def test_a_page_without_markers_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- end --> stands before <!-- begin -->\n")
    with pytest.raises(ValueError, match="page.md must hold the markers"):
        renewed(page, ("<!-- begin -->", "<!-- end -->"), "new")
