"""`--track` logs a run to its tracker, and goes on in the same run there."""

import contextlib
import dataclasses
import importlib.util
import json
import sqlite3

import pytest

from recipes import finetune_folder, tracking
from recipes.command_line import Mistake
from recipes.tracking import FILE

TRACKERS = "wandb", "mlflow"


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_tracker_that_is_missing_is_told_with_its_extra(tracker, tmp_path):
    if importlib.util.find_spec(tracker):
        pytest.skip(f"{tracker} is installed")
    words = ["--smoke", "--track", tracker, "--workdir", str(tmp_path)]
    with pytest.raises(Mistake, match=rf"pip install '.\[{tracker}\]'"):
        finetune_folder.main(words)


# The trackers use what other packages will remove.
@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.ci
@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_resumed_run_goes_on_in_the_run_of_its_tracker(
    tracker, tmp_path, monkeypatch
):
    pytest.importorskip(tracker, reason="no extra for tests brings it")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    words = ["--smoke", "--track", tracker, "--workdir", "run"]
    words += ["--epochs", "2", "--data-dir", str(tmp_path / "tfds")]
    ids = []
    for more in (["--stop-after", "3"], [], []):
        finetune_folder.main(words + more)
        file = tmp_path / "run" / FILE
        ids.append(json.loads(file.read_text())[tracker])
    assert len(set(ids)) == 1
    if tracker == "wandb":
        written = (tmp_path / "run" / "wandb").glob(f"offline-run-*-{ids[0]}")
        assert len(list(written)) == 2
        return
    rows = sqlite3.connect("mlflow.db").execute(
        "select step from metrics where key = 'val_loss' order by step"
    )
    assert [step for (step,) in rows] == [0, 1]


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_a_run_that_fails_is_not_called_finished(error, tmp_path, monkeypatch):
    ended = []

    def tracker(*_):
        return (lambda known: "7"), (lambda failed: ended.append(failed))

    monkeypatch.setattr(tracking, "_mlflow", tracker)
    settings = dataclasses.replace(finetune_folder.SETTINGS)
    run = dataclasses.replace(settings.run, track="mlflow")
    settings = dataclasses.replace(settings, run=run)
    with pytest.raises(error) if error else contextlib.nullcontext():
        with tracking.tracked(settings, tmp_path):
            if error:
                raise error
    assert ended == [error is ValueError]
