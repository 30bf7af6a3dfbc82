"""The Python of each page runs from top to bottom, as a reader would run it."""

import contextlib
import io
import pathlib
import re
import shlex

import pytest

from tests.snippets import running, scenes, shell
from tests.snippets.found import BLOCKS
from tests.snippets.scenes import PAGES, Scene


def _is_run(name):
    has_python = "python" in {block.language for block in BLOCKS[name]}
    return has_python or PAGES.get(name, Scene()).really


RUN = [
    pytest.param(name, marks=PAGES.get(name, Scene()).mark or ())
    for name in filter(_is_run, BLOCKS)
]


@pytest.mark.parametrize("name", RUN)
def test_a_page_runs(name, tmp_path, monkeypatch):
    scene = PAGES.get(name, Scene())
    scenes.set_up(scene, tmp_path, monkeypatch)
    codes = [_code(block, scene) for block in BLOCKS[name]]
    if scene.alone:
        printed = running.alone("\n\n".join([scene.before, *codes]), tmp_path)
    else:
        printed = _here(name, codes, scene)
    assert re.search(scene.prints, printed, re.M), printed
    scenes.check_files(scene, tmp_path)


def _code(block, scene):
    """The Python of a block, or what runs the commands that are to run."""
    text = block.text
    if block.language == "bash":
        return f"run_commands({text!r})" if scene.really else ""
    for ours, theirs in scene.instead.items():
        text = text.replace(ours, theirs)
    return text


def _here(name, codes, scene):
    """What they print, all in one namespace."""

    def run_commands(block):
        for words, _ in shell.calls(block, pathlib.Path.cwd()):
            if shlex.join(words).startswith(scene.really):
                print(running.command(words))

    names = {"__name__": "page", "run_commands": run_commands}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for code in (scene.before, *codes):
            exec(compile(code, name, "exec"), names)
    return printed.getvalue()


def test_every_block_says_what_it_is():
    languages = {block.language for all in BLOCKS.values() for block in all}
    assert languages <= {"bash", "python"}


def test_what_has_a_scene_is_a_page():
    assert [name for name in PAGES if not _is_run(name)] == []
