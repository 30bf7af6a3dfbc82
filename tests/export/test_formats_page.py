"""The examples of the page on LiteRT and ONNX run as they stand."""

import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch):
    for package in ("ai_edge_litert", "tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `export`")
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S):
        exec(compile(code, PAGE.name, "exec"), names)
    assert names["answer"]["predictions"].shape == (1, 3)
    assert names["exported"].accuracy.examples == 64
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == [
        "pets.onnx",
        "pets.tflite",
        "pets16.tflite",
        "pets8.tflite",
    ]
