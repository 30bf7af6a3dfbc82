"""The conversion recipe runs from its real entry point, on little data."""

import json

import pytest

from recipes import convert_keras_model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert")
    rows = convert_keras_model.main(
        [
            "--smoke",
            f"--data-dir={folder / 'data'}",
            f"--workdir={folder / 'work'}",
        ]
    )
    return folder, rows


def test_both_networks_are_trained_on_and_compared(run):
    assert [row["network"] for row in run[1]] == [
        "plain",
        "just converted",
        "converted, trained on",
        "plain, trained on",
    ]
    assert all(0 <= row["accuracy"] <= 1 for row in run[1])


def test_the_record_shows_no_more_cost_after_than_before(run):
    record = json.loads((run[0] / "work" / "results.json").read_text())
    before, after = record["multiply_adds"]
    assert after < before
    assert record["rows"] == run[1]
