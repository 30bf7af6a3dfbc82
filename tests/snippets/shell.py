"""Runs the shell's part of a snippet, and lets the real parsers read it.

A block is run by bash as it stands, with nothing to call but programs that
write down how they were called. So quotes, variables, line ends and file names
are the shell's business, and a program that nobody knows here fails.
"""

import argparse
import configparser
import contextlib
import importlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess

from keras_pyconv import commands
from keras_pyconv.commands.doors import recipes
from recipes import command_line
from tests.recipes.settings_of import settings_of
from tests.snippets.found import ROOT

# What writes down its call, and what is really run.
NOTED = ("docker", "keras-pyconv", "make", "pip", "python")
REAL = ("bash", "paste", "sed")
_NOTE = """#!/bin/bash
printf '%s\\037' "${TF_CONFIG-}" "${0##*/}" "$@" >> "$CALLS"
printf '\\036' >> "$CALLS"
"""
_SLURM = {
    "scontrol": "#!/bin/bash\nprintf 'node0\\nnode1\\n'\n",
    "srun": '#!/bin/bash\nSLURM_PROCID=0 exec "$@"\n',
}


def calls(block, folder):
    """`(words, TF_CONFIG)` of each program that a block calls, in a folder."""
    programs = folder / "programs"
    if not programs.exists():
        programs.mkdir()
        files = {name: _NOTE for name in NOTED} | _SLURM
        for name, text in files.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        for name in REAL:
            (programs / name).symlink_to(shutil.which(name))
    noted = folder / "calls"
    noted.write_text("")
    subprocess.run(
        [shutil.which("bash"), "-euc", block],
        env={"PATH": str(programs), "CALLS": str(noted)},
        cwd=folder,
        check=True,
    )
    for call in noted.read_text().split("\x1e")[:-1]:
        config, *words = call.split("\x1f")[:-1]
        yield words, config


def read(words, config=""):
    """Lets the program's own parser read the words; an error is a mistake."""
    if config:
        cluster = json.loads(config)
        workers = cluster["cluster"]["worker"]
        assert cluster["task"]["index"] < len(workers)
    try:
        _READERS[words[0]](words[1:])
    except SystemExit as left:  # after `--help`, too
        assert not left.code, shlex.join(words)


def mentions(words):
    """Whether words only name a program, and say not how it is called."""
    named = 2 if words[0] == "keras-pyconv" else 3
    return words[0] != "make" and len(words) <= named


def _make(words):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert words and set(words) <= set(targets), words


def _pip(words):
    """Extras are known; the package, which is in no index, is a folder."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    verb, *packages = words
    assert verb == "install"
    for package in packages:
        name, _, extras = package.strip("]").partition("[")
        assert not name.startswith("keras_pyconv"), "it is not published"
        if name == ".":
            known = setup["options.extras_require"]
            assert {*extras.split(",")} - {""} <= {*known}, package


def _docker(words):
    """No server here: tests/export/test_documentation.py knows its files."""
    assert words[0] == "run"


def _keras_pyconv(words):
    if words and words[0].isupper():
        return  # `keras-pyconv COMMAND --help`
    if words[:1] == ["train"] and len(words) > 1:
        _recipe(words[1], words[2:])
    elif words[:1] == ["evaluate"] and words[1] not in recipes():
        # The run's folder stands for these.
        _recipe("evaluate", ["--weights=w", "--data=d", *words[2:]])
    elif words:
        commands.parse(words)


def _python(words):
    flag, module, *rest = words
    assert flag == "-m"
    room, _, name = module.partition(".")
    if module in ("keras_pyconv", "keras_pyconv.export"):
        _keras_pyconv(rest)
    elif module == "keras_pyconv.check_videos":  # an old name
        _keras_pyconv(["doctor", *rest, "--task=video"])
    elif room == "recipes":
        _recipe(name, rest)
    else:
        _other(module, rest)


def _recipe(name, words):
    if name.isupper():
        return  # `python -m recipes.NAME --help`
    module = importlib.import_module(f"recipes.{name}")
    words = _without_files(words)
    if hasattr(module, "SETTINGS"):
        settings_of(module, *words)
    elif hasattr(module, "Settings"):
        command_line.parse("", module.Settings(), words)
    else:
        _until_parsed(module.main, words)


def _without_files(words):
    """Of a recipe, where what reads files of settings is not installed."""
    if importlib.util.find_spec("official"):
        return words
    kept, named = [], False
    for before, word in zip([None, *words], words):
        if {"--config", "--set"} & {before, word}:
            named = True
        else:
            kept.append(word)
    return [*kept, "--data=pets"] if named else kept


def _other(module, words):
    is_room = importlib.util.find_spec(module).submodule_search_locations
    found = importlib.import_module(module + ".__main__" * bool(is_room))
    _until_parsed(found.main, words)


class _Parsed(Exception):
    """The words were read; the work is left undone."""


def _until_parsed(main, words):
    with contextlib.suppress(_Parsed), _ending_after_parsing():
        main(words)
        raise AssertionError(f"{main.__module__} parses nothing")


@contextlib.contextmanager
def _ending_after_parsing():
    parse = argparse.ArgumentParser.parse_args

    def ending(parser, *args, **options):
        parse(parser, *args, **options)
        raise _Parsed

    argparse.ArgumentParser.parse_args = ending
    try:
        yield
    finally:
        argparse.ArgumentParser.parse_args = parse


_READERS = {
    "docker": _docker,
    "keras-pyconv": _keras_pyconv,
    "make": _make,
    "pip": _pip,
    "python": _python,
}
