"""Imports point one way through the package, and importing it stays light."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import keras_pyconv
from tests.arguments.public import ROOMS

ROOT = Path(__file__).parents[1]
# A room may import what stands before it. `__init__` is the package's own.
ORDER = [
    "early",
    "diverted",
    "figures",
    "lazy",
    "renamed",
    "storage",
    "listing",
    "reading",
    "finished",
    "writing",
    "page",
    "arguments",
    "typing",
    "placement",
    "provenance",
    "children",
    "progress",
    "optimizers",
    "ops",
    "layers",
    "architectures",
    "networks",
    "complexity",
    "weights",
    "parity",
    "models",
    "tables",
    "tasks",
    "reports",
    "datasets",
    "runs",
    "training",
    "export",
    "neighbours",
    "__init__",
    "recipes",
    "commands",
    "check_videos",
]
PRIVATE = ("keras.src", "tensorflow.python")
FRAMEWORKS = ("keras", "tensorflow", "keras_pyconv.ops", "keras_pyconv.layers")
WITHOUT_FRAMEWORKS = (*("architectures", "networks", "complexity", "parity"),)
# What a recipe may import: files of the room that are no programs.
SHARED = tuple(
    f"recipes.{path.stem}"
    for path in (ROOT / "recipes").glob("*.py")
    if "__main__" not in path.read_text()
)
OPTIONAL = (
    "av gdown jax keras_cv matplotlib safetensors sklearn "
    "tensorflow_datasets torch"
).split()
# TensorFlow's own lines, such as "2026-01-31 12:00:00.1: I tensorflow/...".
LOG_LINE = re.compile(
    r"WARNING: All log|[IWEF]\d{4} |\d{4}-\d\d-\d\d .*: [IWE]"
)


def imports(name, source):
    """Dotted names of all that a file imports, inside functions too."""
    folder = name.split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = folder[: len(folder) + 1 - node.level] * bool(node.level)
            start += [node.module] if node.module else []
            yield from (".".join([*start, a.name]) for a in node.names)


def room_of(name):
    """The room of a dotted name; None for other packages."""
    package, room, *_ = *name.split("."), ""
    if package == "keras_pyconv":
        return room if room in ORDER else "__init__"
    return "recipes" if package == "recipes" else None


def within(name, packages):
    return any(name == p or name.startswith(f"{p}.") for p in packages)


def faults(name, source):
    """What a file imports and must not, in words."""
    room = room_of(name.removesuffix(".py").replace("/", "."))
    # A command is a program over the whole package, wherever it stands.
    last = ORDER[-1] if name.endswith("/__main__.py") else room
    for target in imports(name, source):
        other = room_of(target)
        if other and ORDER.index(other) > ORDER.index(last):
            yield f"{name} imports {other}"
        elif within(target, PRIVATE):
            yield f"{name} imports the private {target}"
        elif room in WITHOUT_FRAMEWORKS:
            if within(target, FRAMEWORKS):
                yield f"{name} imports {target}"
        elif room == other == "recipes" and not within(target, SHARED):
            yield f"{name} imports {target}, another recipe"


def test_nothing_imports_what_stands_to_its_right():
    paths = [*ROOT.glob("keras_pyconv/**/*.py"), *ROOT.glob("recipes/**/*.py")]
    assert paths
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    found = [f for n, p in names.items() for f in faults(n, p.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "name, source, fault",
    [
        ("models/x.py", "from keras_pyconv import tasks", "imports tasks"),
        ("ops/x.py", "def f():\n  import keras_pyconv.models.y", "models"),
        ("ops/x.py", "from ..layers import PyConv", "imports layers"),
        ("ops/x.py", "from keras_pyconv import PyConv", "imports __init__"),
        ("ops/x.py", "from keras.src import ops", "the private keras.src.ops"),
        ("complexity/x.py", "import tensorflow as tf", "imports tensorflow"),
        ("networks/x.py", "import keras", "imports keras"),
        ("parity/x.py", "from keras import ops", "imports keras"),
        ("networks/x.py", "from keras_pyconv import models", "imports models"),
        ("architectures.py", "from keras import ops", "imports keras.ops"),
    ],
)
def test_a_wrong_import_is_noticed(name, source, fault):
    (found,) = faults(f"keras_pyconv/{name}", source)
    assert found.startswith(f"keras_pyconv/{name} imports") and fault in found


def test_a_recipe_that_imports_another_is_noticed():
    assert list(faults("recipes/a.py", "from recipes import b"))
    assert not list(faults("recipes/a.py", "from recipes import fitting"))
    assert not list(faults("recipes/a.py", "import keras, keras_pyconv"))


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_sorted_and_exist(room):
    module = importlib.import_module(room)
    names = module.__all__
    assert names == sorted(set(names))
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("room", ROOMS[1:])
def test_what_a_room_imports_of_its_own_files_is_public(room):
    module = importlib.import_module(room)
    there = {
        name
        for name, value in vars(module).items()
        if str(getattr(value, "__module__", "")).startswith(f"{room}.")
    }
    assert there <= set(module.__all__)


# Keras loads some of the optional packages itself where they are installed.
ON_IMPORT = """
import sys, keras
before = set(sys.modules)
import keras_pyconv
print(sorted(set(sys.argv[1:]) & (set(sys.modules) - before)))
if keras.backend.backend() != "tensorflow":
    assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_importing_is_silent_and_loads_nothing_optional(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", ON_IMPORT, *OPTIONAL],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if not LOG_LINE.match(line)] == []
    assert done.returncode == 0
    assert done.stdout == "[]\n"


COMMAND = "keras-pyconv", "list"


@pytest.mark.parametrize(
    "ours, words, said, has",
    [
        ("keras_pyconv", COMMAND, None, "1"),
        ("keras_pyconv", COMMAND, "0", "0"),
        ("keras_pyconv", ["users.py"], None, None),
        ("recipes", ["users.py"], None, "1"),
        ("recipes", ["users.py"], "0", "0"),
        ("benchmarks", ["users.py"], None, "1"),
        ("benchmarks", ["users.py"], "0", "0"),
    ],
)
def test_only_our_processes_turn_onednn_on(ours, words, said, has):
    """Where nothing is said, and in no process of a user."""
    program = """
import contextlib, os, sys
*sys.argv, ours = sys.argv[1:]
with contextlib.suppress(SystemExit):
    __import__(ours)
print("found", os.environ.get("TF_ENABLE_ONEDNN_OPTS"))
"""
    given = {k: v for k, v in os.environ.items() if "ONEDNN_OPTS" not in k}
    if said is not None:
        given["TF_ENABLE_ONEDNN_OPTS"] = said
    done = subprocess.run(
        [sys.executable, "-c", program, *words, ours],
        env=given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"found {has}"


def test_only_tests_import_tests():
    rooms = ("keras_pyconv", "recipes", "benchmarks")
    paths = [p for room in rooms for p in (ROOT / room).rglob("*.py")]
    assert paths
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    assert not [
        f"{name} imports {target}"
        for name, path in names.items()
        for target in imports(name, path.read_text())
        if within(target, ("tests",))
    ]


def private_uses(name, source):
    """Private names of `benchmarks` and `recipes` that a test uses."""
    rooms = ("benchmarks", "recipes", "keras_pyconv.recipes")
    found = [t for t in imports(name, source) if within(t, rooms)]
    modules = {target.rpartition(".")[2] for target in found}
    yield from (t for t in found if re.search(r"\._[^_]", t))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in modules and re.match(r"_[^_]", node.attr):
                yield f"{node.value.id}.{node.attr}"


def test_tests_use_no_private_names_of_benchmarks_and_recipes():
    assert list(
        private_uses(
            "tests/x.py",
            "from benchmarks import run\nfrom recipes.a import _b\nrun._c()",
        )
    ) == ["recipes.a._b", "run._c"]
    paths = (ROOT / "tests").rglob("*.py")
    found = {p.name: list(private_uses(p.name, p.read_text())) for p in paths}
    assert not {name: uses for name, uses in found.items() if uses}


def test_every_public_name_is_listed():
    there = {
        name
        for name, value in vars(keras_pyconv).items()
        if not (name.startswith("_") or isinstance(value, types.ModuleType))
    }
    assert there <= set(keras_pyconv.__all__) <= set(dir(keras_pyconv))
