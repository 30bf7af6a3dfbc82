"""Commands read and write other file systems, or refuse them in one line."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv import commands, export
from keras_pyconv.commands.opening import open_model
from keras_pyconv.export.proof import bench, claims
from keras_pyconv.weights.shipped import SET
from recipes import evaluate, finetune_folder
from recipes.settings import as_dict
from tests.commands.conftest import NAMES
from tests.datasets.pictures import write_folder
from tests.elsewhere import copied
from tests.recipes.settings_of import settings_of


@pytest.fixture(scope="module")
def files(models, tmp_path_factory):
    """A folder of the classifier's files, and its copy elsewhere."""
    folder, model = tmp_path_factory.mktemp("files"), models["classification"]
    model.save(folder / "net.keras")
    keras_pyconv.weights.save_keras_weights(model, folder / "net.weights.h5")
    (folder / "names.txt").write_text("\n".join(NAMES))
    return folder, copied(folder)


@pytest.mark.parametrize("name", ["net.keras", "net.weights.h5"])
def test_a_file_elsewhere_opens_as_the_model_here(files, models, name):
    network = None if name.endswith("keras") else "PyConvResNetMini"
    names = f"{files[1]}/names.txt"
    opened = open_model(f"{files[1]}/{name}", network, None, names, 64)
    assert opened.name == f"{files[1]}/{name}" and opened.class_names == NAMES
    image = np.random.default_rng(0).random((1, 64, 64, 3), "float32")
    wanted = models["classification"](image)
    np.testing.assert_array_equal(opened.model(image), wanted)


def test_the_newest_version_elsewhere_answers_as_the_one_here(
    saved, photos, tmp_path
):
    root = tmp_path / "net"
    for version in ("9", "10"):
        shutil.copytree(saved["classification"], root / version)
    (root / "9" / "saved_model.pb").write_bytes(b"none")
    (root / "11").mkdir()
    (root / "11" / "fingerprint.pb").write_bytes(b"is being sent")
    rows = {}
    for folder in (root, copied(root)):
        output = str(tmp_path / "answers")
        words = ["predict", "--model", str(folder), str(photos / "b.jpg")]
        assert commands.main([*words, "--output", output]) == 0
        rows[folder] = pathlib.Path(output, "answers.csv").read_text()
    here, elsewhere = rows.values()
    assert here == elsewhere and "b.jpg" in here


def test_the_command_exports_to_another_file_system(files, capsys, tmp_path):
    (tmp_path / "models").mkdir()
    root = f"{copied(tmp_path / 'models')}/net"
    assert commands.main(["export", f"{files[1]}/net.keras", root]) == 0
    assert capsys.readouterr().out.strip() == f"{root}/1"
    assert tf.io.gfile.exists(f"{root}/1/saved_model.pb")
    assert tf.io.gfile.exists(f"{root.rpartition('/')[0]}/ledger.json")


def test_a_check_and_a_timing_are_of_a_copy(saved, monkeypatch, capsys):
    version, seen = copied(saved["classification"]), []

    def check_all(candidates):
        (one,) = candidates
        seen.append(pathlib.Path(one.path))
        assert (seen[-1] / "saved_model.pb").is_file()
        return [claims.Report(one.path, ())]

    def time(path, *_, **__):
        seen.append(path)
        assert (path / "saved_model.pb").is_file()
        return []

    module = "keras_pyconv.export.proof.check.check_all"
    monkeypatch.setattr(module, check_all)
    monkeypatch.setattr(bench, "bench", time)
    assert export.check(version).path == version
    assert commands.main(["check", version]) == 0
    assert version in capsys.readouterr().out
    assert commands.main(["bench", version]) == 0
    root = version.rpartition("/")[0]
    assert commands.main(["check", root]) == 2
    assert f"{root} is no SavedModel" in capsys.readouterr().err
    assert {path.name for path in seen} == {"1"}
    assert not any(path.exists() for path in seen)


def test_an_evaluation_of_what_lies_elsewhere_finds_the_same(tmp_path):
    data = write_folder(tmp_path / "data", train=1, val=2, side=24)
    keras.utils.set_random_seed(3)
    keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(32, 32, 3), classes=2
    ).save(tmp_path / "net.keras")
    found = []
    for model, folder in (
        (tmp_path / "net.keras", data),
        (copied(tmp_path / "net.keras"), copied(data)),
    ):
        words = f"--model {model} --data {folder} --batch-size 2 --workdir"
        (answers,) = evaluate.main([*words.split(), str(tmp_path)]).values()
        found.append(answers)
    assert len(found[0].labels) == 4
    np.testing.assert_array_equal(found[0].labels, found[1].labels)
    assert found[0].errors() == found[1].errors()


ELSEWHERE = "gs://bucket/folder"


@pytest.mark.parametrize(
    "words, said",
    [
        (f"doctor {ELSEWHERE}", "is not on this machine"),
        (f"serve {ELSEWHERE}", "is not on this machine"),
        (f"list {ELSEWHERE}", "is not on this machine"),
        (f"evaluate {ELSEWHERE}", "a run is on this machine: copy"),
        (
            f"predict --model a.keras b.png --output {ELSEWHERE}",
            "--output is a folder on this machine",
        ),
        (
            "predict --model ram://nowhere/net a.png",
            "nothing at 'ram://nowhere",
        ),
    ],
)
def test_what_must_be_here_is_told_in_one_line(capsys, words, said):
    try:
        status = commands.main(words.split())
    except SystemExit as stop:
        status = stop.code
    told = capsys.readouterr().err.strip()
    assert status == 2 and said in told
    assert len(told.splitlines()) == 1


def test_the_folder_of_a_run_is_here_and_that_is_told_before(capsys):
    with pytest.raises(SystemExit):
        settings_of(finetune_folder, "--data=pets", f"--workdir={ELSEWHERE}")
    told = capsys.readouterr().err
    assert "run.workdir must be a path on this machine. Received: 'gs:" in told


def test_settings_keep_both_slashes_of_places_elsewhere():
    words = f"--data {ELSEWHERE} --data-dir {ELSEWHERE} --export-root"
    found = settings_of(finetune_folder, *words.split(), ELSEWHERE)
    values = as_dict(found)
    for path in ("data.source", "run.data_dir", "run.export_root"):
        assert values[path] == ELSEWHERE and type(values[path]) is str


def test_a_folder_named_as_the_packages_weights_is_found(
    saved, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(saved["classification"], f"{SET}/1")
    assert open_model(f"{SET}/").class_names == NAMES
    assert not caplog.records
    assert open_model(SET).name == SET
    (record,) = caplog.records
    assert f"the folder is {SET}/" in record.getMessage()
