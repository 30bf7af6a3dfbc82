"""The page on recipes names every recipe, and options that there are."""

import contextlib
import importlib
import io
import pathlib
import re

import pytest

from recipes import fitting
from recipes.settings import as_dict
from tests.recipes.settings_of import settings_of

ROOT = pathlib.Path(__file__).parents[2]


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
