"""Help fits a screen, is quick, and its examples are such as are taken."""

import re
import subprocess
import sys

import pytest

from keras_pyconv import commands

SLOW = {"tensorflow", "keras", "numpy", "yaml", "PIL"}
LINES, COLUMNS = 32, 80


@pytest.fixture
def told(capsys, monkeypatch):
    """Function of a command's name to the text of its `--help`."""
    monkeypatch.setenv("COLUMNS", "80")

    def told(*words):
        with pytest.raises(SystemExit) as ended:
            commands.parse([*words, "--help"])
        assert not ended.value.code
        return capsys.readouterr().out

    return told


@pytest.mark.parametrize("name", ["", *commands.COMMANDS])
def test_help_fits_a_screen_and_has_two_examples(
    told, name, tmp_path, monkeypatch
):
    run = tmp_path / "runs" / "pets"
    run.mkdir(parents=True)
    constants = '{"constants": {"variant": "PyConvResNet18"}}'
    (run / "constants.json").write_text(constants)
    (run / "net.weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    text = told(*filter(None, [name]))
    lines = text.splitlines()
    assert len(lines) <= LINES and max(map(len, lines)) < COLUMNS
    examples = re.findall(r"^  (keras-pyconv .*)$", text, re.M)
    assert len(examples) == 2
    for example in examples:
        words = [word.strip("'") for word in example.split()[1:]]
        if name:
            assert words[0] == name
        assert callable(commands.parse(words).run)


@pytest.mark.parametrize(
    "words",
    [
        ["keras_pyconv"],
        ["keras_pyconv", "predict", "-h"],
        ["keras_pyconv", "tables", "-h"],
        ["keras_pyconv", "train", "finetune_folder", "-h"],
        ["keras_pyconv", "doctor"],
        ["keras_pyconv", "evaluate", "digits_in_photos", "-h"],
        ["keras_pyconv", "evaluate", "digits_in_foto"],
        ["keras_pyconv", "list"],
        ["keras_pyconv", "networks", "--max-parameters", "3"],
        ["keras_pyconv", "tables", "--table", "1"],
    ],
)
def test_help_mistakes_and_records_do_not_wait_for_tensorflow(words):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 2)
    imported = {
        line.rpartition("|")[2].strip() for line in done.stderr.split("\n")
    }
    assert "keras_pyconv.early" in imported and not imported & SLOW


def test_every_subcommand_has_a_file(told):
    shown = re.findall(r"^  (\w+) ", told(), re.M)
    assert shown == list(commands.COMMANDS)


@pytest.mark.parametrize(
    "words, said",
    [
        (["fly"], "unknown command 'fly'"),
        (["predict", "a.png"], "--model"),
        (["predict", "--model", "x", "a.png", "--draw"], "--output FOLDER"),
        (["predict", "--model", "x", "a.png", "--beam"], "--output FOLDER"),
        (["predict", "--model", "x", "a.png", "--shards", "2"], "--beam"),
        (
            ["predict", "--model", "x", "a.png", "--output", "y"]
            + ["--side", "32", "--beam", "--runner", "FlinkRunner"],
            "--side does not go with --beam",
        ),
        (["train", "nothing"], "unknown recipe 'nothing'"),
        (["networks", "--task", "x"], "--task"),
        (["evalute"], "Did you mean evaluate?"),
        (["train", "quickstat"], "Did you mean quickstart?"),
        (["evaluate", "digits_in_foto"], "Did you mean digits_in_photos?"),
        (
            ["evaluate", "digits_in_foto"],
            "Weights: digits_in_photos, digits_in_photos/detection",
        ),
        (["export", "runs/pets", "pets.pt"], "pets.onnx"),
    ],
)
def test_a_mistake_is_one_line(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        commands.main(words)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_an_export_is_kept_out_of_a_folder_of_images(tmp_path, capsys):
    (tmp_path / "cat.png").touch()
    words = ["export", "digits_in_photos", str(tmp_path)]
    assert commands.main(words) == 2
    told = capsys.readouterr().err
    assert "other files: cat.png. Pass a new folder" in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_an_export_into_the_folder_of_models_is_told_so(tmp_path, capsys):
    (tmp_path / "ledger.json").write_text("[]")
    (tmp_path / "pets" / "1").mkdir(parents=True)
    assert commands.main(["export", "digits_in_photos", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "is a folder of models. Pass a folder in it" in told
    assert told.count("\n") == 1
