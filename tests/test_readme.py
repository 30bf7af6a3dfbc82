"""The README says what the code says: generated tables and examples."""

import pathlib
import re

import pytest

from keras_pyconv.complexity.__main__ import MARKERS, main
from keras_pyconv.complexity.tables import COUNTING_RULE, networks_table
from keras_pyconv.writing import renewed

README = pathlib.Path(__file__).parent.parent / "README.md"


def test_the_table_of_networks_is_current():
    report = f"{networks_table()}\n\n{COUNTING_RULE}"
    current = renewed(README, MARKERS, report)
    assert current == README.read_text(), "run `make tables`"


def test_a_stale_table_is_renewed_in_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"above\n{MARKERS[0]}\nstale\n{MARKERS[1]}\nbelow\n")
    main(["ResNet50", "--write", str(page)])
    text = page.read_text()
    assert "stale" not in text and "| ResNet50 " in text
    assert text.startswith("above\n") and text.endswith("\nbelow\n")


def test_a_page_without_markers_is_left_alone(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(SystemExit):
        main(["ResNet50", "--write", str(page)])
    assert "markers" in capsys.readouterr().err
    assert page.read_text() == "nothing here\n"


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
