"""The example of docs/training.md runs as it is printed."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "training.md"


def test_the_example_trains(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "training.md", "exec"), names)
    first, *_, last = names["history"].history["val_loss"]
    assert last < first
    assert (tmp_path / "runs" / "example" / "log.csv").exists()
