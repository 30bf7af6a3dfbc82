"""The command finds the files that training could not use."""

import csv
import shutil

import pytest

from keras_pyconv.check_videos import main


def test_useless_and_remarkable_files_are_told_apart(
    film_folder, tmp_path, capsys
):
    report = tmp_path / "report.csv"
    status = main(
        [str(film_folder), "--processes", "2", "--report", str(report)]
    )
    assert status == 1
    printed = capsys.readouterr().out
    assert "13 videos: 4 sound" in printed
    with open(report, newline="") as file:
        rows = {r["video"].rpartition("/")[2]: r for r in csv.DictReader(file)}
    useless = {n for n, r in rows.items() if r["verdict"] == "useless"}
    assert useless == {
        *("cut.mp4", "empty.mp4", "one_frame.mp4", "only_sound.mp4"),
    }
    assert "ends early" in rows["cut.mkv"]["remark"]
    assert rows["empty.mp4"]["remark"] == "the file is empty (0 bytes)"
    assert rows["turned.mp4"]["remark"] == "is turned by its header"
    assert rows["varying.mp4"]["verdict"] == "remarkable"


def test_a_list_is_checked_too_and_missing_files_are_useless(
    film_folder, tmp_path, capsys
):
    shutil.copy(film_folder / "sound.mp4", tmp_path / "a.mp4")
    table = tmp_path / "list.csv"
    table.write_text("path,label\na.mp4,run\ngone.mp4,run\n")
    assert main([str(table)]) == 1
    assert "gone.mp4 | useless | there is no such file" in (
        capsys.readouterr().out
    )
    table.write_text("path,label\na.mp4,run\n")
    assert main([str(table)]) == 0


def test_what_is_no_folder_is_refused(tmp_path, capsys):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(SystemExit):
            main([str(path)])
    assert "holds no videos" in capsys.readouterr().err


def test_a_list_that_cannot_be_used_is_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text("path,label\n1.mp4\n")
    for source, said in (
        (path, "line 2 has 1"),
        (tmp_path / "no.csv", "no file"),
    ):
        with pytest.raises(SystemExit):
            main([str(source)])
        assert said in capsys.readouterr().err
