"""A version appears complete or not at all, even when its writer is killed."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from keras_pyconv.export.serving import versions

KILLED_IN_THE_MIDDLE = """
import os, runpy, signal, sys

def write(folder):
    (folder / "saved_model.pb").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

runpy.run_path(sys.argv[1])["publish"](sys.argv[2], None, write)
"""


def write(folder):
    (folder / "variables").mkdir()
    (folder / "saved_model.pb").write_text("whole")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_a_killed_writer_leaves_no_version_and_is_cleaned_up(tmp_path):
    command = [sys.executable, "-I", "-c", KILLED_IN_THE_MIDDLE]
    done = subprocess.run([*command, versions.__file__, str(tmp_path)])
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "saved_model.pb").read_text() == "half"
    assert not left.name.isdigit()
    place = versions.publish(tmp_path, None, write)
    assert os.listdir(tmp_path) == ["1"]
    assert (place / "saved_model.pb").read_text() == "whole"


def test_a_writer_that_runs_elsewhere_is_left_alone(tmp_path):
    other = tmp_path / f"tmp-another.host-{2**22 + 1}-01234567"
    other.mkdir()
    versions.publish(tmp_path, None, write)
    assert other.exists()


def test_the_next_version_follows_the_largest(tmp_path):
    for name in ("3", "0012", "notes", "12.old"):
        (tmp_path / name).mkdir()
    assert versions.next_version(tmp_path) == 13


def test_a_version_that_appears_meanwhile_is_not_replaced(tmp_path):
    def write_slowly(folder):
        write(folder)
        (tmp_path / "1").mkdir()

    with pytest.raises(FileExistsError, match="Version 1 appeared"):
        versions.publish(tmp_path, 1, write_slowly)
    assert os.listdir(tmp_path) == ["1"]
    assert not os.listdir(tmp_path / "1")


@pytest.mark.parametrize(
    "name, kind",
    [("saved_model.pb", "itself a SavedModel"), ("metadata.json", "a preset")],
)
def test_other_folders_of_a_model_get_no_versions(name, kind, tmp_path):
    (tmp_path / name).write_text("stays")
    with pytest.raises(ValueError, match=kind):
        versions.check_destination(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_without_a_version_the_next_free_one_is_taken(tmp_path):
    def write_slowly(folder):
        write(folder)
        (tmp_path / "1").mkdir()

    assert versions.publish(tmp_path, None, write_slowly).name == "2"


def test_folders_that_it_made_go_away_with_a_failure(tmp_path):
    def fail(folder):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        versions.publish(tmp_path / "a" / "b", None, fail)
    assert not os.listdir(tmp_path)


def test_a_relative_root_gives_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = versions.publish("models/net", None, write)
    assert place == pathlib.Path("models/net/1")


def test_no_version_follows_the_largest_that_a_server_holds(tmp_path):
    (tmp_path / str(versions.LARGEST_VERSION)).mkdir()
    with pytest.raises(ValueError, match="servers accept no larger one"):
        versions.check_destination(tmp_path)
    with pytest.raises(ValueError, match="servers accept no larger one"):
        versions.publish(tmp_path, None, write)
    assert os.listdir(tmp_path) == [str(versions.LARGEST_VERSION)]
    assert versions.publish(tmp_path, 3, write).name == "3"


def test_a_folder_that_the_server_ignores_is_no_version(tmp_path):
    (tmp_path / str(versions.LARGEST_VERSION + 1)).mkdir()
    assert versions.publish(tmp_path, None, write).name == "1"


def test_a_folder_of_other_files_is_no_place_for_versions(tmp_path):
    photos = tmp_path / "photos"
    versions.check_no_others(photos)
    photos.mkdir()
    versions.check_no_others(photos)
    for name in (".DS_Store", "README.md"):
        (photos / name).touch()
    versions.check_no_others(photos)
    for name in "abcd":
        (photos / f"{name}.png").touch()
    message = "a.png, b.png, c.png, 1 more. Pass a new folder, such as saved"
    with pytest.raises(ValueError, match=message):
        versions.check_no_others(photos)
    # Beside versions other files may be on purpose.
    (photos / "1").mkdir()
    versions.check_no_others(photos)
