"""The timing command measures every case in a process of its own."""

import contextlib
import io
import json

import numpy as np
import pytest

from keras_pyconv.export import __main__ as command
from keras_pyconv.export.proof.bench import bench, request_arrays, table


@pytest.fixture(scope="module")
def ran(exported, tmp_path_factory):
    """What the command wrote and printed for two batch sizes."""
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    words = ["--batch-sizes", "1", "3", "--threads", "1", "--seconds", "0"]
    printed, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        with contextlib.redirect_stderr(told):
            status = command.main(
                ["bench", str(exported), *words, "--json", str(file)]
            )
    assert status == 0
    return json.loads(file.read_text()), printed.getvalue(), told.getvalue()


@pytest.fixture(scope="module")
def measured(ran):
    return ran[0]


def test_the_bar_and_the_table_go_to_different_streams(ran):
    _, printed, told = ran
    assert "1/2" in told and "2/2" in told
    assert printed.startswith("| threads |") and "/2" not in printed


def test_every_batch_size_has_its_row(measured):
    rows = measured["rows"]
    assert [(row["threads"], row["batch"]) for row in rows] == [(1, 1), (1, 3)]
    for row in rows:
        assert row["calls"] >= 5
        assert 0 < row["p50"] <= row["p90"] <= row["p99"]
        assert row["per_second"] > 0 and row["first"] > 0


def test_files_of_pictures_come_from_the_warm_up(exported):
    arrays = request_arrays(exported, "serve_bytes", 5, 64)
    assert arrays["image_bytes"].shape == (5,)
    assert all(len(data) > 100 for data in arrays["image_bytes"])
    images = request_arrays(exported, "serving_default", 5, 64)["images"]
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.float32


@pytest.mark.parametrize(
    "options, message",
    [
        ({"signature": "absent"}, "It has: classify, serve_bytes"),
        ({"batch_sizes": (0,)}, "`batch_sizes` must be positive"),
        ({"threads": (1.5,)}, "`threads` must be positive"),
    ],
    ids=["signature", "batch", "threads"],
)
def test_wrong_arguments_are_named(exported, options, message):
    with pytest.raises(ValueError, match=message):
        bench(exported, **options)


def test_a_table_has_a_line_for_each_row():
    assert table([]).count("\n") == 1
