"""Every example of the page on other libraries runs as it stands."""

import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "neighbours.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.mark.ci
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = EXAMPLES[number]
    assert len(example.splitlines()) <= 14
    exec(compile(example, "neighbours.md", "exec"), {})


def test_there_is_an_example_for_each_task():
    assert len(EXAMPLES) == 3
