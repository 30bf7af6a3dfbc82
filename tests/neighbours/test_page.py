"""The page on other libraries needs few lines for each of them."""

import pathlib
import re

from tests.snippets.found import BLOCKS

PAGE = "docs/neighbours.md"
LIBRARIES = [
    *("keras-cv", "TF Model Garden", "KerasHub"),
    *("Google Cloud Storage", "CSV files of labels"),
    "Weights & Biases, MLflow",
]


def test_each_library_has_an_example_of_at_most_ten_lines():
    for block in BLOCKS[PAGE]:
        assert len(list(filter(str.strip, block.text.splitlines()))) <= 10
    _, *sections = re.split("(?m)^## ", pathlib.Path(PAGE).read_text("utf-8"))
    assert [one.partition("\n")[0] for one in sections] == LIBRARIES
    assert all("```" in one for one in sections)
