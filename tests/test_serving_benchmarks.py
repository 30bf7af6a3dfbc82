"""Proves that the figures of serving are judged by what was measured."""

import json

import pytest

from benchmarks import plan, serving, serving_load
from benchmarks.processes import row_of


def row(contender, precision, seconds, problem=""):
    """A measured case of batch 16; `seconds` of each round."""
    case = plan.Case("serving", "net", contender, precision, batch=16)
    found = row_of(case)
    found["turns"]["inference"] = [[value] for value in seconds]
    if problem:
        found["problems"]["inference"] = problem
    return found


@pytest.fixture
def measured():
    """fp32 reaches both targets, bf16 was too slow to say."""
    fp32 = [
        row("served", "fp32", [1.0, 1.0]),
        row("served_stock", "fp32", [3.0, 3.2]),
        row("openvino", "fp32", [0.9, 0.9]),
    ]
    bf16 = [
        row("served", "bf16", [], "> 60 s"),
        row("torch_compiled", "bf16", [2.0]),
    ]
    return [fp32, bf16]


def test_targets_are_judged_by_ratios(measured):
    stock, openvino, torch = serving.verdicts(measured, 16)
    assert (stock["ratio"], stock["reached"]) == (3.1, True)
    assert (openvino["ratio"], openvino["reached"]) == (0.9, False)
    assert (torch["ratio"], torch["reached"]) == (None, None)
    assert torch["problem"] == "our export: > 60 s"


def test_the_table_says_what_was_not_measured(measured):
    lines = serving.table(measured[1]).splitlines()
    assert lines[0] == "**net, bf16, batch 16**"
    cells = [[c.strip() for c in line.split("|")] for line in lines]
    assert cells[4][1:3] == ["our export", "> 60 s"]
    assert cells[5][1:4] == ["torch.compile, frozen", "8", "2e+03"]


def test_every_group_asks_all_contenders_alike():
    groups = serving.groups(serving.FULL, 2)
    assert len(groups) == 4
    for group in groups:
        cases = {
            (case.precision, case.batch, case.side, case.threads)
            for case in group.cases
        }
        assert len(cases) == 1
        assert [case.contender for case in group.cases] == list(
            serving.CONTENDERS
        )


def test_growing_memory_is_not_flat():
    level = [(second, 500.0) for second in range(9)]
    growing = [(second, 500.0 + 20 * second) for second in range(9)]
    assert serving_load._growth(level) == 1.0
    assert serving_load._growth(growing) > serving_load.FLAT


@pytest.mark.slow
def test_every_good_answer_under_load_is_right(tmp_path):
    pytest.importorskip("tensorflow_serving", reason="the messages of gRPC")
    serving_load.write_model(tmp_path)
    figures = serving_load.run(tmp_path, seconds=5)
    assert figures["good"] > 50
    assert figures["right"] == figures["good"], figures["complaints"]
    assert figures["wrong"] == figures["failed"] == 0, figures["counts"]
    assert figures["is_flat"]


@pytest.mark.slow
def test_all_runtimes_are_measured_side_by_side(tmp_path):
    for package in ("openvino", "onnxruntime", "torch"):
        pytest.importorskip(package, reason="one of the contenders")
    record = tmp_path / "record.json"
    options = ["--smoke", "--precisions", "fp32", "--batches", "16"]
    serving.main([*options, "--results", str(record)])
    (group,) = json.loads(record.read_text())["groups"]
    for found in group:
        assert found["turns"]["inference"], found["problems"]
