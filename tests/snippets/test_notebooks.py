"""The notebooks are their scripts, run: `make notebooks` writes them."""

import json

import pytest

from tests.snippets import found

MOST_BYTES = 300_000
scripts = pytest.mark.parametrize("script", found.NOTEBOOKS, ids=found.name_of)


def notebook_of(script):
    return json.loads(script.with_suffix(".ipynb").read_text("utf-8"))


@scripts
def test_each_cell_of_code_comes_with_a_sentence(script):
    kinds = [kind for kind, _ in found.cells(script.read_text("utf-8"))]
    assert {*kinds[::2]} == {"markdown"} and "markdown" not in kinds[1::2]


@scripts
def test_a_notebook_is_its_script(script):
    cells = ["".join(cell["source"]) for cell in notebook_of(script)["cells"]]
    wanted = [text for _, text in found.cells(script.read_text("utf-8"))]
    assert cells == wanted, "run `make notebooks`"


@scripts
def test_a_notebook_was_run_to_its_end(script):
    cells = notebook_of(script)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [
        *range(1, len(code) + 1)
    ]
    assert any(cell["outputs"] for cell in code)


@scripts
def test_a_notebook_holds_no_error_and_no_noise(script):
    cells = notebook_of(script)["cells"]
    outputs = [out for cell in cells for out in cell.get("outputs", ())]
    said = ["".join(output.get("text", "")) for output in outputs]
    assert not [text for text in said if "/tmp/" in text or "tmp-" in text]
    assert "error" not in {output["output_type"] for output in outputs}
    assert "stderr" not in {output.get("name") for output in outputs}
    assert script.with_suffix(".ipynb").stat().st_size < MOST_BYTES
