"""`predict --beam` writes the rows of `predict`, whatever interrupts it."""

import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from keras_pyconv import commands

WHY = "the extra `beam` is not installed: make test-beam"
ours = pytest.importorskip("keras_pyconv.commands.beam", reason=WHY)
systems = pytest.importorskip("apache_beam.io.localfilesystem", reason=WHY)
testing = pytest.importorskip("apache_beam.testing.util", reason=WHY)

pytestmark = pytest.mark.ci
TASKS = ["classification", "detection", "segmentation", "video"]
FILES, BATCH, SHARDS = 1000, 10, 20  # whole batches in each shard


class Bucket(systems.LocalFileSystem):
    """A file system with `bucket:/` before the paths of this machine."""

    @classmethod
    def scheme(cls):
        return "bucket"

    def match(self, patterns, limits=None):
        found = super().match(_without_scheme(patterns), limits)
        for about in (one for result in found for one in result.metadata_list):
            about.path = f"bucket:/{about.path}"
        return found

    def open(self, path, *given, **options):
        return super().open(*_without_scheme([path]), *given, **options)

    def create(self, path, *given, **options):
        return super().create(*_without_scheme([path]), *given, **options)

    def exists(self, path):
        return super().exists(*_without_scheme([path]))

    def rename(self, source_file_names, destination_file_names):
        pair = source_file_names, destination_file_names
        return super().rename(*map(_without_scheme, pair))

    def delete(self, paths):
        for path in _without_scheme(paths):
            pathlib.Path(path).unlink()


def _without_scheme(paths):
    return [path.removeprefix("bucket:/") for path in paths]


def words(model, *sources, output, **options):
    """A command line of `predict`."""
    named = [w for k, v in options.items() for w in (f"--{k}", str(v))]
    given = ["predict", "--model", model, *sources, "--output", output]
    return [*map(str, given), *named, "--batch-size", str(BATCH)]


def shards_of(folder, format="jsonl"):
    return sorted(pathlib.Path(folder).glob(f"answers-*.{format}"))


def text_of(folder):
    return "".join(shard.read_text() for shard in shards_of(folder))


# The rows --------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_the_rows_of_predict(
    task, saved, photos, film_folder, tmp_path
):
    source = film_folder if task == "video" else photos
    options = {"format": "jsonl"}
    given = words(saved[task], source, output=tmp_path / "one", **options)
    assert commands.main(given) == 0
    given = words(saved[task], source, output=tmp_path / "many", **options)
    assert commands.main([*given, "--shards", "3", "--beam"]) == 0
    one = (tmp_path / "one" / "answers.jsonl").read_text()
    one = list(map(json.loads, one.splitlines()))
    many = list(map(json.loads, text_of(tmp_path / "many").splitlines()))
    assert len(shards_of(tmp_path / "many")) == 3
    assert [row["file"] for row in many] == [row["file"] for row in one]
    assert sum("reason" in row for row in one) in (3, 4)
    for row, wanted in zip(many, one):
        assert row.keys() == wanted.keys()
        assert row.get("reason") == wanted.get("reason")
        # Other batches, so other rounding.
        for part in ("classes", "objects"):
            compare(row.get(part, []), wanted.get(part, []))


def compare(found, wanted):
    assert [one["name"] for one in found] == [one["name"] for one in wanted]
    for one, other in zip(found, wanted):
        for name in one.keys() - {"name"}:
            np.testing.assert_allclose(one[name], other[name], atol=1e-3)


def test_tables_are_written_in_parts_that_are_whole(saved, photos, tmp_path):
    done = ours.predict(
        saved["classification"], [str(photos)], tmp_path, shards=4
    )
    assert done == (8, 3, 4, 0)
    shards = shards_of(tmp_path, "csv")
    rows = [
        row
        for shard in shards
        for row in csv.DictReader(io.StringIO(shard.read_text()))
    ]
    assert len(shards) == 4 and len(rows) == 8
    assert [row["reason"] != "" for row in rows].count(True) == 3


def test_a_pipeline_of_ones_own_has_a_row_for_each_path(saved, photos):
    handler = ours.SavedModelHandler(saved["classification"], top=2)
    paths = [str(photos / name) for name in ("a.png", "f_cut.jpg", "b.jpg")]

    def told(result):
        row = result.inference
        classes = len(row.get("classes", ()))
        return row["file"] == result.example, classes, row.get("reason", "")

    cut = "the JPEG file is damaged or breaks off"
    wanted = [(True, 2, ""), (True, 0, cut), (True, 2, "")]
    with ours.beam.Pipeline(runner="FnApiRunner") as pipeline:
        results = pipeline | ours.beam.Create(paths)
        results |= ours.RunInference(handler)
        rows = results | ours.beam.Map(told)
        testing.assert_that(rows, testing.equal_to(wanted))


def test_another_file_system_gives_the_rows_of_this_one(
    saved, photos, tmp_path
):
    here = ours.predict(
        saved["classification"],
        [str(photos)],
        tmp_path / "here",
        format="jsonl",
        shards=2,
    )
    there = ours.predict(
        f"bucket:/{saved['classification']}",
        [f"bucket:/{photos}"],
        f"bucket:/{tmp_path}/there",
        format="jsonl",
        shards=2,
    )
    assert there == here
    wanted = text_of(tmp_path / "here")
    assert text_of(tmp_path / "there").replace("bucket:/", "") == wanted
    gone = f"bucket:/{tmp_path}/gone.png"
    done = ours.predict(
        saved["classification"], [gone], tmp_path / "gone", format="jsonl"
    )
    assert done == (1, 1, 1, 0)
    row = json.loads(text_of(tmp_path / "gone"))
    assert row == {"file": gone, "reason": f"There is no file {gone!r}"}


def test_a_file_system_that_fails_blames_no_file(monkeypatch):
    def fail(*_, **__):
        raise OSError("the network is down")

    monkeypatch.setattr(ours.FileSystems, "open", fail)
    monkeypatch.setattr(ours.FileSystems, "exists", fail)
    with pytest.raises(RuntimeError, match="the network is down"):
        ours.beam_files.read("bucket://photos/a.png")


# Ended and started again -----------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder of a thousand small images, of which 59 are broken."""
    place = tmp_path_factory.mktemp("many")
    draw = np.random.default_rng(7)
    for number in range(FILES):
        path = place / f"{number:04}.png"
        if number % 17 == 5:
            path.write_text("no image")
        else:
            pixels = draw.integers(0, 256, (16, 20, 3), "uint8")
            Image.fromarray(pixels).save(path)
    return place


def test_killed_and_started_again_nothing_is_lost_or_doubled(
    saved, many, tmp_path
):
    given = words(
        saved["classification"], many, output=tmp_path, format="jsonl"
    )
    given = [sys.executable, "-m", "keras_pyconv", *given]
    given += ["--shards", str(SHARDS), "--beam", "--runner", "FnApiRunner"]
    finished = {}
    for least in (3, 9):
        run = subprocess.Popen(given, start_new_session=True)
        while len(shards_of(tmp_path)) < least:
            assert run.poll() is None, "it ended before it was killed"
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        now = {path: path.stat() for path in shards_of(tmp_path)}
        assert least <= len(now) < SHARDS
        for path, before in finished.items():
            assert now[path].st_mtime_ns == before.st_mtime_ns
            assert now[path].st_ino == before.st_ino
        finished = now
    told = subprocess.run(given, check=True, stderr=subprocess.PIPE, text=True)
    assert f"{SHARDS} shards ({len(finished)} of them kept)" in told.stderr
    assert len(shards_of(tmp_path)) == SHARDS
    for path, before in finished.items():
        assert path.stat().st_mtime_ns == before.st_mtime_ns
    alone = words(
        saved["classification"], many, output=tmp_path / "one", format="jsonl"
    )
    assert commands.main(alone) == 0
    wanted = (tmp_path / "one" / "answers.jsonl").read_text().splitlines()
    found = text_of(tmp_path).splitlines()
    assert found == wanted and len(found) == FILES
    assert sum("reason" in json.loads(row) for row in found) == 59


def test_a_runner_without_counters_has_no_numbers_of_files():
    done = ours.Predicted(None, 0, 4, 1)
    wanted = "files, which the runner does not count; 4 shards (1 of them kept)"
    assert str(done) == f"predicted {wanted}"


def test_a_finished_folder_is_left_as_it_is(saved, photos, tmp_path):
    options = {"format": "jsonl", "shards": 2}
    given = (saved["classification"], [str(photos)], tmp_path)
    ours.predict(*given, **options)
    assert ours.predict(*given, **options, batch_size=3) == (0, 0, 2, 2)


@pytest.fixture(scope="module")
def begun(saved, photos, tmp_path_factory):
    """A used folder, and a function that runs there with other options."""
    folder = tmp_path_factory.mktemp("begun")
    usual = {"format": "jsonl", "shards": 2, "top": 2}
    usual |= {"model": "classification", "names": ("a.png", "b.jpg", "c.jpg")}

    def run(**change):
        options = usual | change
        paths = [str(photos / name) for name in options.pop("names")]
        return ours.predict(
            saved[options.pop("model")], paths, folder, **options
        )

    run()
    return folder, run


@pytest.mark.parametrize(
    "change, said",
    [
        ({"top": 1}, "other top:"),
        ({"format": "csv"}, "other format:"),
        ({"shards": 3}, "other shards:"),
        ({"names": ["a.png", "b.jpg"]}, "other files:"),
        ({"model": "detection"}, "other model:"),
    ],
)
def test_other_options_on_a_used_folder_are_refused(begun, change, said):
    folder, run = begun
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=said):
        run(**change)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "options, said",
    [
        (["--runner", "Nope"], "Unexpected pipeline runner: Nope"),
        (["--fly"], "Beam has no option --fly"),
        (["more"], "sources stand before --beam"),
        (["--direct_num_workers", "x"], "invalid int value: 'x'"),
    ],
)
def test_options_that_beam_refuses_are_told_in_one_line(
    saved, photos, tmp_path, capsys, options, said
):
    given = words(
        saved["classification"], photos / "a.png", output=tmp_path / "out"
    )
    assert commands.main([*given, "--beam", *options]) == 2
    told = capsys.readouterr().err.strip()
    assert said in told and "\n" not in told


def test_nothing_found_and_no_saved_model_are_refused(saved, tmp_path):
    with pytest.raises(ValueError, match="no images found in"):
        ours.predict(saved["classification"], [str(tmp_path)], tmp_path / "out")
    with pytest.raises(ValueError, match="keras-pyconv export writes"):
        ours.predict(tmp_path, ["a.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_list_no_folder_or_damaged_is_refused(
    saved, photos, tmp_path
):
    def run(sources, folder):
        return ours.predict(saved["classification"], sources, tmp_path / folder)

    with pytest.raises(TypeError, match="`sources` must be"):
        run(str(photos), "out")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="`output` must be"):
        run([str(photos)], "file")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "shards.json").write_text("{")
    with pytest.raises(ValueError, match="shards.json is damaged"):
        run([str(photos)], "out")


@pytest.mark.parametrize("error", [OSError("no space"), Exception("denied")])
def test_what_cannot_be_written_is_told_and_leaves_nothing(monkeypatch, error):
    deleted = []

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(ours.beam_files.FileSystems, "create", refuse)
    monkeypatch.setattr(ours.beam_files.FileSystems, "delete", deleted.extend)
    with pytest.raises(RuntimeError, match="ours://a could not be written: "):
        ours.beam_files.write("ours://a", "text")
    assert [path[:9] for path in deleted] == ["ours://a."]


def test_a_file_is_replaced_where_renaming_refuses_to(tmp_path, monkeypatch):
    """HDFS renames only to what does not exist."""
    rename = Bucket.rename

    def careful(self, sources, targets):
        if any(map(self.exists, targets)):
            raise OSError("it exists")
        return rename(self, sources, targets)

    monkeypatch.setattr(Bucket, "rename", careful)
    for text in ("first", "second"):
        ours.beam_files.write(f"bucket:/{tmp_path}/a.txt", text)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "second"


def test_names_of_remote_folders_are_no_patterns(tmp_path):
    for name in ("a[1]", "a1"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / f"{name}.png").touch()
        (tmp_path / name / "b.txt").touch()
    folder = f"bucket:/{tmp_path}/a[1]"
    found = ours.beam_files.find([folder], "classification")
    assert found == [f"{folder}/inner/a[1].png"]
    assert ours.beam_files.names(folder) == {"b.txt"}


def test_errors_of_other_runners_are_told_as_one_line(
    saved, photos, tmp_path, monkeypatch
):
    class Failing:
        def wait_until_finish(self):
            raise Exception("the job\nwas cancelled")

    monkeypatch.setattr(ours.beam.Pipeline, "run", lambda self: Failing())
    given = saved["classification"], [str(photos)], tmp_path / "out"
    with pytest.raises(RuntimeError, match="the job was cancelled"):
        ours.predict(*given)
