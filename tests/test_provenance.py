"""Proves that what a result was made with is said, and nothing else."""

import pathlib
import shutil
import subprocess

import pytest

from keras_pyconv import provenance
from keras_pyconv.progress import Bar

MODULE = "keras_pyconv/provenance.py"


def git(folder, *words):
    names = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.run(
        ["git", *names, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of the module; provenance believes to stand in it."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    (tmp_path / "keras_pyconv").mkdir()
    (tmp_path / "README.md").write_text("a page")
    shutil.copy(provenance.__file__, tmp_path / MODULE)
    git(tmp_path, "init", "-q")
    monkeypatch.setattr(provenance, "FOLDER", tmp_path / "keras_pyconv")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / MODULE))
    return tmp_path


def test_the_commit_is_that_of_the_code(checkout):
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "begin")
    head = git(checkout, "rev-parse", "HEAD")
    assert provenance.commit() == head[:12]
    (checkout / "README.md").write_text("another page")
    assert provenance.commit() == head[:12]
    (checkout / MODULE).write_text("changed")
    assert provenance.commit() == head[:12] + "-dirty"


def test_the_commit_of_a_repository_that_holds_an_installation_is_not_ours(
    checkout,
):
    git(checkout, "add", "README.md")
    git(checkout, "commit", "-qm", "somebody's")
    assert provenance.commit() == "unknown"


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == "unknown"


def test_all_is_said_of_what_is_installed():
    said = provenance.provenance(("numpy", "no_such_package"))
    assert list(said) == ["date", "commit", "machine", "python", "versions"]
    assert list(said["versions"]) == ["numpy"]
    assert said["machine"].endswith(f", {provenance.cores()} cores")
    assert provenance.version("no_such_package", "missing") == "missing"


@pytest.mark.parametrize(
    "text, model, sets",
    [
        ("model name : A 9 @ 2 GHz\nflags : fpu avx2\n", "A 9 @ 2 GHz", 1),
        ("processor : 0\nFeatures : asimd bf16\n", None, 2),
        (None, None, 0),
    ],
    ids=["x86", "arm", "no Linux"],
)
def test_the_processor_is_named(monkeypatch, text, model, sets):
    def read(path):
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(pathlib.Path, "read_text", read)
    named = provenance.processor()
    assert named == model if model else named
    assert len(provenance.instruction_sets()) == sets


def test_the_bar_stands_on_standard_error(capsys):
    bar = Bar(2, interval=0, unit_name="file")
    bar.update(1, [("lost", 3)])
    bar.add(1)
    out, err = capsys.readouterr()
    assert out == "" and "2/2" in err and "lost: 3" in err
