"""The pages say what the code says: generated tables, examples, links."""

import pathlib
import re

import pytest

from keras_pyconv.tables import pages

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md")), ROOT / "saved_models/README.md"]


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_generated_table_is_current(name):
    page = README if name == README.name else DOCS / name
    assert pages.current(page) == page.read_text(), "run `make tables`"


def test_the_readme_is_read_in_a_minute():
    assert len(README.read_text().splitlines()) <= 150


def test_a_stale_table_is_renewed_in_place(tmp_path):
    page = tmp_path / "README.md"
    begin, end, _ = pages.PAGES["README.md"]
    page.write_text(f"above\n{begin}\nstale\n{end}\nbelow\n")
    pages.main([str(page)])
    text = page.read_text()
    assert "stale" not in text and "| ResNet50 " in text
    assert text.startswith("above\n") and text.endswith("\nbelow\n")


@pytest.mark.parametrize(
    "name, message",
    [
        ("README.md", "markers"),
        ("other.md", "no generated table; these have: README.md, networks.md"),
        ("gone/weights.md", "gone/weights.md"),
    ],
)
def test_a_page_that_cannot_be_renewed_is_left_alone(
    tmp_path, capsys, name, message
):
    page = tmp_path / name
    if page.parent.exists():
        page.write_text("nothing here\n")
    with pytest.raises(SystemExit):
        pages.main([str(page)])
    assert message in capsys.readouterr().err
    assert not page.exists() or page.read_text() == "nothing here\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_points_to_exists(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
