"""Targets are about what is measured, and verdicts about the right rows."""

import pytest

from benchmarks import (
    detection,
    resnext,
    run,
    segmentation,
    serving,
    video_network,
)
from benchmarks.plan import Case, groups
from benchmarks.processes import row_of
from benchmarks.records import rows_of
from benchmarks.report import TARGETS, verdicts
from tests.benchmarks.measured import MACHINE

SUITES = run, resnext, segmentation, detection, video_network, serving


def _all_cases():
    for module in SUITES:
        for group in groups(module.SUITE.full, 2, {"device": ("cpu",)}):
            yield from group.cases


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.claim)
def test_a_target_is_about_what_a_command_measures(target):
    wanted = {"part": target.part, "contender": "ours", **target.only}
    rows = [row_of(case) for case in _all_cases()]
    ours = [row for row in rows if wanted.items() <= row.items()]
    assert ours and all(target.measure in row["turns"] for row in ours)
    rival = {**target.only, "part": target.part, "contender": target.against}
    assert target.against is None or any(
        rival.items() <= row.items() for row in rows
    )


def _verdicts(*rows):
    return verdicts(rows_of({"machine": MACHINE, "rows": rows}))


def test_without_onednn_nothing_is_judged_but_what_is_about_it():
    rows = [
        row_of(Case("crop", "A", name, batch=1, onednn="0"))
        for name in ("ours", "torch")
    ]
    for row in rows:
        row["turns"]["inference"] = [[1.0]]
    assert not _verdicts(*rows)
    case = Case("network", "PyConvHGResNet50", "ours_no_onednn")
    row = {**row_of(case), "first_seconds": {"training": 21.0}}
    (verdict,) = _verdicts(row)
    assert verdict["target"] == "first training step, oneDNN off"
    assert (verdict["measured"], verdict["reached"]) == ("21.0 s", "no")
