"""What is built from the repository holds the package and its recipes."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from keras_pyconv.weights.shipped import TASKS

ROOT = Path(__file__).parents[1]
BUILD = """
from setuptools import build_meta
print(build_meta.build_sdist("dist"), build_meta.build_wheel("dist"))
"""


def sources(folder):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*.py")
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names of files in the sdist and in the wheel, without their roots."""
    pytest.importorskip("setuptools", minversion="64")
    copy = tmp_path_factory.mktemp("copy")
    for name in ("keras_pyconv", "recipes"):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=leave)
    for name in (*ROOT.glob("setup.*"), "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    shutil.copy(ROOT / "LICENSE", copy)
    subprocess.run([sys.executable, "-c", BUILD], cwd=copy, check=True)
    (sdist,) = copy.glob("dist/*.tar.gz")
    (wheel,) = copy.glob("dist/*.whl")
    with tarfile.open(sdist) as archive:
        of_sdist = {n.partition("/")[2] for n in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        return of_sdist, set(archive.namelist())


def test_the_wheel_holds_the_recipes_inside_the_package(built):
    _, wheel = built
    wanted = sources("keras_pyconv")
    wanted |= {f"keras_pyconv/{name}" for name in sources("recipes")}
    assert {name for name in wheel if name.endswith(".py")} == wanted
    assert "keras_pyconv/tasks/imagenet_classes.csv" in wheel
    folder = "keras_pyconv/weights/digits_in_photos"
    for task in TASKS:
        for ending in ("json", "weights.h5", "weights.h5.sha256"):
            assert f"{folder}/{task}.{ending}" in wheel
    # By it a checker reads the types of an installed package.
    assert "keras_pyconv/py.typed" in wheel


def test_a_wheel_can_be_built_of_the_sdist(built):
    sdist, _ = built
    needed = {"setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
    needed |= sources("keras_pyconv") | sources("recipes")
    assert needed <= sdist
