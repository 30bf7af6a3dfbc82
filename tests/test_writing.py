"""A file is written whole, or what stood there stays."""

import errno
import os
import subprocess
import sys
import threading

import filelock
import pytest

from keras_pyconv import arguments
from keras_pyconv.writing import (
    locked,
    make_folder,
    making_folder,
    renewed,
    replacing,
    write_atomically,
)


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


@pytest.mark.parametrize("name", ["file", "file/inner", "file/inner/one"])
def test_below_a_file_there_is_no_folder(tmp_path, name):
    (tmp_path / "file").write_text("stays")
    with pytest.raises(NotADirectoryError, match="cannot become one"):
        make_folder(tmp_path / name)
    with pytest.raises(NotADirectoryError, match="Name another folder"):
        write_atomically(tmp_path / name / "page.md", "text")
    with pytest.raises(NotADirectoryError, match="cannot become one"):
        with making_folder(tmp_path / name):
            pass
    with pytest.raises(NotADirectoryError, match="`folder` must be the path"):
        arguments.new_folder("folder", tmp_path / name)
    assert (tmp_path / "file").read_text() == "stays"
    assert os.listdir(tmp_path) == ["file"]


def test_threads_may_write_one_file_at_once(tmp_path):
    path, begun = tmp_path / "page.md", threading.Barrier(6, timeout=30)

    def write():
        with replacing(path) as beside:
            begun.wait()
            beside.write_text("whole")
            begun.wait()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not begun.broken
    assert os.listdir(tmp_path) == ["page.md"]
    assert path.read_text() == "whole"


def test_a_lock_lets_one_thread_after_the_other_in(tmp_path):
    inside, most = [], []

    def enter():
        for _ in range(20):
            with locked(tmp_path / ".lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and max(most) == 1


HOLD = """
import sys
from keras_pyconv.writing import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_of_another_process_is_told_and_ends_with_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(BlockingIOError, match="Another process"):
            with locked(tmp_path / ".lock", wait=False):
                pass
        other.kill()
    with locked(tmp_path / ".lock", wait=False):
        pass


def test_a_file_system_without_locks_keeps_nobody_from_writing(
    tmp_path, monkeypatch
):
    def refuse(self, **options):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with locked(tmp_path / ".lock"):
        (tmp_path / "file").write_text("written")
    assert (tmp_path / "file").exists()


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError):
        with locked(tmp_path / "file" / ".lock"):
            pass
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match="is a .*; a file is needed"):
            with locked(tmp_path / name):
                pass


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
