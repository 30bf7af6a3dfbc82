"""The README of a model holds requests that can be sent as they stand."""

import json
import re

import keras
import pytest

from keras_pyconv.export import saved_model
from keras_pyconv.export.serving.guide import MARK


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def rest_requests(text):
    """Pairs of the address and the JSON of the requests in a README."""
    for block in blocks(text, "bash"):
        match = re.fullmatch(
            r"curl -s (\S+) -d @- <<END\n(.*)\nEND\n", block, re.S
        )
        if match:
            # The shell puts the file's bytes there.
            body = match[2].replace("$(base64 -w0 picture.jpg)", "AAAA")
            yield match[1], json.loads(body)


@pytest.fixture(scope="module")
def page(exported):
    """The README of the small PyConv classifier."""
    return (exported.parent / "README.md").read_text()


def test_it_shows_how_to_send_files(page):
    file = {"b64": "AAAA"}
    address = "http://localhost:8501/v1/models/network"
    assert list(rest_requests(page)) == [
        (
            f"{address}:predict",
            {
                "signature_name": "serve_bytes",
                "instances": [{"image_bytes": file}],
            },
        ),
        (
            f"{address}:classify",
            {
                "signature_name": "classify",
                "examples": [{"image/encoded": file}],
            },
        ),
    ]


def test_it_shows_how_to_send_numbers(small, tmp_path):
    root = saved_model(small, tmp_path / "net").parent
    ((_, body),) = rest_requests((root / "README.md").read_text())
    assert body["instances"] == [{"features": [0.0, 0.0, 0.0, 0.0]}]


def test_its_python_compiles_and_names_the_model(page):
    (code,) = blocks(page, "python")
    compile(code, "README.md", "exec")
    assert 'model_spec.name = "network"' in code
    assert 'request.inputs["image_bytes"]' in code


def test_it_lists_what_goes_in_and_comes_out(page):
    assert MARK in page
    assert "| `images` | `(batch, 32, 32, 3)` | float32 |" in page
    assert "| `probabilities` | `(batch, 10)` | float32 | of every" in page
    assert "short side resized to 37 pixels" in page
    assert "(EXIF) are applied" in page


def test_it_says_how_a_model_that_scales_pixels_is_fed(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255.0)(inputs)
    x = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(x))
    root = saved_model(keras.Model(inputs, x), tmp_path / "net").parent
    text = (root / "README.md").read_text()
    assert "short side resized to 8 pixels" in text
    assert "mean (0.0, 0.0, 0.0) and the deviation" in text
