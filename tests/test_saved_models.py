"""What is exported into `saved_models/` never dirties the checkout."""

import pathlib
import shutil
import subprocess

import pytest

import keras_pyconv

FOLDER = pathlib.Path(__file__).parents[1] / "saved_models"


def test_git_ignores_exports_and_their_servers_files(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def git(*words):
        command = ["git", "-C", tmp_path, *words]
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout

    git("init")
    root = tmp_path / "saved_models"
    root.mkdir()
    for name in (".gitignore", "README.md"):
        shutil.copy(FOLDER / name, root)
    git("add", "--all")
    assert len(git("ls-files").split()) == 2
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=2, input_shape=(32, 32, 3)
    )
    version = keras_pyconv.export.saved_model(model, root / "pets")
    assert pathlib.Path(version).is_dir() and (root / "ledger.json").exists()
    assert "??" not in git("status", "--porcelain", "--untracked-files=all")
