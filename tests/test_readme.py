"""The README says what the code says: generated tables and examples."""

import pathlib
import re

import pytest

from keras_pyconv.tables import pages

README = pathlib.Path(__file__).parent.parent / "README.md"


def test_the_table_of_networks_is_current():
    assert pages.current(README) == README.read_text(), "run `make tables`"


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
        ("other.md", "no generated table; these have: README.md, weights.md"),
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


def test_every_file_that_the_readme_points_to_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links
    missing = [link for link in links if not (README.parent / link).exists()]
    assert not missing


@pytest.mark.ci
def test_the_python_examples_of_the_readme_run(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
