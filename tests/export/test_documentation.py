"""The page about serving says what the code does."""

import pathlib
import re

from keras_pyconv.export import saved_model
from keras_pyconv.export.serving import server_files, warmup

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "serving.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)


def test_it_shows_the_files_that_an_export_writes(small, tmp_path):
    path = saved_model(small, tmp_path / "saved_models" / "pets")
    text = PAGE.read_text()
    written = [p.name for p in (tmp_path / "saved_models").iterdir()]
    assert set(written) == {
        *("ledger.json", ".ledger.lock", "models.config", "batching.config"),
        *("monitoring.config", "pets"),
    }
    (tree,) = re.findall(r"```text\nsaved_models/\n(.*?)```", text, re.S)
    assert set(re.findall(r"^  ([\w.]+)", tree, re.M)) == set(written)
    assert (path / warmup.FILE).exists() and warmup.FILE in text


def test_the_server_is_started_with_files_that_are_written():
    (started,) = (block for block in blocks("bash") if "docker" in block)
    named = re.findall(rf"{server_files.MOUNTED}/(\S+)", started)
    assert sorted(named) == sorted(
        (server_files.MODELS, server_files.MONITORING, server_files.BATCHING)
    )
