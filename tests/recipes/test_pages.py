"""The commands of the pages are such as the recipes take."""

import contextlib
import importlib
import io
import pathlib
import re
import shlex

import pytest

from recipes import command_line, fitting
from recipes.settings import as_dict
from tests.recipes.settings_of import settings_of

ROOT = pathlib.Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:  exec )?python -m recipes\.(\w+)(.*)$", re.M)
FILES = ("--config", "--set")  # read by the extra `official`
OF_THEIR_OWN = ("serve_client",)


def commands():
    """Page, recipe and words of every command of a page."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        text = text.replace("$OPTIONS", "")
        for block in re.findall(r"```bash\n(.*?)```", text, re.S):
            for recipe, rest in COMMAND.findall(block):
                words = shlex.split(rest.rstrip("'"), comments=True)
                yield page.name, recipe, words
    for path in sorted((ROOT / "recipes").glob("*.py")):
        text = path.read_text().replace("\\\\\n", " ")
        for recipe, rest in re.findall(
            r"^(?:Command|Also): python -m recipes\.(\w+)(.*)$", text, re.M
        ):
            yield path.name, recipe, shlex.split(rest)


COMMANDS = [
    pytest.param(recipe, words, id=f"{page}-{recipe}-{number}")
    for number, (page, recipe, words) in enumerate(commands())
    if recipe not in OF_THEIR_OWN
]


def test_pages_and_recipes_have_commands():
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("recipe, words", COMMANDS)
def test_a_command_of_a_page_is_taken(recipe, words):
    module = importlib.import_module(f"recipes.{recipe}")
    if set(FILES) & set(words):
        pytest.importorskip("official", reason="reads files of settings")
        words = _without_files(words)
    if not hasattr(module, "SETTINGS"):
        command_line.parse("", module.Settings(), words)
    else:
        settings_of(module, *words)


def _without_files(words):
    """The same without the file, which the run of the page has written."""
    pairs = zip([None, *words], words)
    rest = [w for before, w in pairs if "--config" not in (before, w)]
    return [*rest, "--data=pets"]


def test_the_example_of_own_settings_runs(capsys):
    page = (ROOT / "docs" / "recipes.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(compile(example, "recipes.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == "8 16 1\n"


def test_every_recipe_is_on_the_page():
    page = (ROOT / "docs" / "recipes.md").read_text()
    for path in (ROOT / "recipes").glob("*.py"):
        if "__main__" in path.read_text():
            assert f"`{path.stem}`" in page


def test_the_options_of_the_page_are_options():
    page = (ROOT / "docs" / "recipes.md").read_text()
    recipe = importlib.import_module("recipes.classify_imagenet")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        settings_of(recipe, "--help")
    tables = "\n".join(line for line in page.splitlines() if line[:3] == "| `")
    named = set(re.findall(r"`(--[\w-]+)", tables))
    assert len(named) > 20
    assert not {one for one in named if one not in said.getvalue()}
    paths = set(re.findall(r"\| `((?:training|optimizer|run)\.\w+)`", tables))
    assert paths and paths <= set(as_dict(recipe.SETTINGS))
    assert fitting.CLASSIFIER_FIGURES[0] == "val_top1_error"
