"""The page on other libraries needs few lines for each of their tasks."""

from tests.snippets.found import BLOCKS


def test_each_task_takes_few_lines():
    examples = [block.text for block in BLOCKS["docs/neighbours.md"]]
    assert len(examples) == 5
    assert max(len(text.splitlines()) for text in examples) <= 14
