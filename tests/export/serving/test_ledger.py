"""The ledger says what every exported version is, and notices changes."""

import shutil

import pytest

from keras_pyconv.export import __main__ as command
from keras_pyconv.export import saved_model
from keras_pyconv.export.serving import ledger


@pytest.fixture
def folder(small, tmp_path):
    """A folder of models with two versions of one."""
    saved_model(small, tmp_path / "net", source="runs/first")
    saved_model(small, tmp_path / "net", 7)
    return tmp_path


def states(folder, **options):
    return {
        (entry.name, entry.version): state
        for entry, state in ledger.listing(folder, **options)
    }


def test_an_export_is_entered(folder, small):
    first, second = ledger.read_ledger(folder)
    assert (first.name, first.version, second.version) == ("net", 1, 7)
    assert first.network == small.name
    assert first.parameters == small.count_params()
    assert first.source == "runs/first"
    assert first.checksum == ledger.checksum(folder / "net" / "1")
    assert first.made_with["keras"]


def test_a_version_that_was_changed_or_removed_is_told(folder):
    assert states(folder, verify=True) == {("net", 1): "", ("net", 7): ""}
    with open(folder / "net/1/saved_model.pb", "ab") as file:
        file.write(b"\0")
    shutil.rmtree(folder / "net/7")
    assert states(folder, verify=True) == {
        ("net", 1): "changed",
        ("net", 7): "missing",
    }


def test_a_version_from_elsewhere_is_listed_too(folder):
    shutil.copytree(folder / "net/1", folder / "other/3")
    assert states(folder)["other", 3] == "not in the ledger"


def test_a_copy_has_the_same_checksum(folder, tmp_path):
    shutil.copytree(folder / "net/1", tmp_path / "copy")
    copied = ledger.checksum(tmp_path / "copy")
    assert copied == ledger.checksum(folder / "net/1")
    (tmp_path / "copy/saved_model.pb").rename(tmp_path / "copy/other.pb")
    assert ledger.checksum(tmp_path / "copy") != copied


def test_the_command_lists_and_verifies(folder, capsys):
    assert command.main(["list", str(folder)]) == 0
    head, _, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["name", "version", "network"]
    assert "runs/first" in first and "net " in second
    (folder / "net/1/saved_model.pb").write_bytes(b"")
    assert command.main(["list", str(folder), "--verify"]) == 1
    assert "[changed]" in capsys.readouterr().out


def test_the_command_says_where_no_folder_is(tmp_path, capsys):
    assert command.main(["list", str(tmp_path / "none")]) == 2
    assert "no folder of models" in capsys.readouterr().err


@pytest.mark.parametrize(
    "inner, message",
    [
        ("net", "is the folder of one model. Pass"),
        ("net/7", "is one version of a model. Pass"),
    ],
)
def test_the_command_asks_for_the_folder_of_models(
    folder, capsys, inner, message
):
    assert command.main(["list", str(folder / inner)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.endswith(f"models: {folder}\n")


def test_the_command_says_that_a_folder_holds_no_model(tmp_path, capsys):
    (tmp_path / "net").mkdir()
    assert command.main(["list", str(tmp_path)]) == 2
    assert f"no model in {tmp_path}, and no ledger" in capsys.readouterr().err


def test_a_damaged_ledger_is_refused_before_writing(folder, small):
    (folder / ledger.FILE).write_text("[{}]")
    with pytest.raises(ValueError, match="ledger.json is damaged"):
        saved_model(small, folder / "new")
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    "row",
    [
        "1",
        "{}",
        '{"name": "net", "version": "1", "network": "", "parameters": 1, '
        '"checksum": ""}',
        '{"name": null, "version": 1, "network": "", "parameters": 1, '
        '"checksum": ""}',
        '{"name": "net", "version": 1, "network": "", "parameters": 1, '
        '"checksum": "", "made_with": []}',
        '{"name": "net", "version": true, "network": "", "parameters": 1, '
        '"checksum": ""}',
        '{"name": "net", "version": 1, "network": "", "parameters": 1, '
        '"checksum": "", "signatures": 3}',
        '"\\ud800',
    ],
)
def test_a_damaged_row_is_refused_before_writing(tmp_path, small, row):
    (tmp_path / ledger.FILE).write_text(f"[{row}]")
    with pytest.raises(ValueError, match="ledger.json is damaged"):
        saved_model(small, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_readme_that_is_not_text_is_kept_as_its_owners(small, tmp_path):
    root = tmp_path / "net"
    root.mkdir()
    (root / "README.md").write_bytes(b"\xff\xfe mine")
    saved_model(small, root)
    assert (root / "README.md").read_bytes() == b"\xff\xfe mine"
    assert [entry.version for entry in ledger.read_ledger(tmp_path)] == [1]
