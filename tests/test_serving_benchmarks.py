"""Proves that the figures of serving are judged by what was measured."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from benchmarks import plan, report, serving
from benchmarks.processes import row_of
from benchmarks.records import rows_of
from tests.benchmarks.measured import MACHINE
from tests.serving import load
from tests.serving.process import running


def row(contender, precision, seconds, problem=""):
    """A measured case of batch 16; `seconds` of each round."""
    case = plan.Case("serving", "net", contender, precision, batch=16)
    found = row_of(case)
    found["turns"]["inference"] = [[value] for value in seconds]
    if problem:
        found["problems"]["inference"] = problem
    return found


def test_targets_are_judged_by_ratios():
    rows = [
        row("ours", "fp32", [1.0, 1.0]),
        row("stock", "fp32", [3.0, 3.2]),
        row("openvino", "fp32", [0.9, 0.9]),
        row("ours", "bf16", [], "> 60 s"),
        row("torch_compiled", "bf16", [2.0]),
    ]
    record = {"machine": MACHINE, "rows": rows}
    found = {
        (verdict["target"].split()[2], verdict["precision"]): (
            verdict["measured"],
            verdict["reached"],
        )
        for verdict in report.verdicts(rows_of(record))
    }
    assert found == {
        ("stock", "fp32"): ("3.10 ×", "yes"),
        ("OpenVINO", "fp32"): ("0.90 ×", "no"),
        ("OpenVINO", "bf16"): ("ours > 60 s", "not comparable"),
        ("torch.compile", "fp32"): ("not measured", "not comparable"),
        ("torch.compile", "bf16"): ("ours > 60 s", "not comparable"),
    }


def test_the_table_says_what_was_not_measured():
    rows = [row("ours", "bf16", [], "> 60 s")]
    rows.append(row("torch_compiled", "bf16", [2.0]))
    lines = report.tables({"machine": MACHINE, "rows": rows}).splitlines()
    assert "**net, CPU, batch 16, 224 × 224**" in lines
    cells = [[c.strip() for c in line.split("|")] for line in lines]
    found = {cell[1]: cell for cell in cells if cell[2:3] == ["bf16"]}
    assert found["ours"][4] == "> 60 s"
    assert found["torch.compile, frozen"][4] == "8"


def test_every_group_asks_all_contenders_alike():
    groups = plan.groups(serving.SUITE.full, 2, {"device": ["cpu"]})
    assert len(groups) == 4
    for group in groups:
        cases = {
            (case.precision, case.batch, case.side, case.threads)
            for case in group.cases
        }
        assert len(cases) == 1
        assert [case.contender for case in group.cases] == [
            *("ours", "ours_frozen", "stock"),
            *("openvino", "onnxruntime", "torch_compiled"),
        ]


def test_growing_memory_is_not_flat():
    level = [(second, 500.0) for second in range(9)]
    growing = [(second, 500.0 + 20 * second) for second in range(9)]
    assert load.growth(level) == 1.0
    assert load.growth(growing) > load.FLAT


@pytest.mark.slow
def test_every_good_answer_under_load_is_right(tmp_path):
    pytest.importorskip("tensorflow_serving", reason="the messages of gRPC")
    load.write_model(tmp_path)
    with running(tmp_path / "models") as server:
        figures = load.run(tmp_path, server, seconds=5)
    assert figures["good"] > 50
    assert figures["right"] == figures["good"], figures["complaints"]
    assert figures["wrong"] == figures["failed"] == 0, figures["counts"]
    assert figures["is_flat"]


# What `.ci/test-server` asks Docker for, with the loopback server in the
# container's place.
DOCKER = """#!/bin/bash
case $1 in
    build) cp -r "${@: -1}/models" "$STANDS" ;;
    run)
        mkfifo "$STANDS/open"
        "$PYTHON" -P tests/serving/loopback.py "$STANDS/models" "$REST" \\
            "$GRPC" <>"$STANDS/open" >"$STANDS/log" 2>&1 &
        echo $! ;;
    rm) kill "$3" ;;
esac
"""


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


@pytest.mark.slow
def test_the_command_for_the_real_server_asks_it(tmp_path):
    pytest.importorskip("tensorflow_serving", reason="the messages of gRPC")
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    settings = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "STANDS": str(tmp_path),
        "REST": _free_port(),
        "GRPC": _free_port(),
    }
    done = subprocess.run(
        [pathlib.Path(__file__).parents[1] / ".ci" / "test-server"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert " 0 wrong, 0 failed." in done.stdout


@pytest.mark.slow
def test_all_runtimes_are_measured_side_by_side(tmp_path):
    for package in ("openvino", "onnxruntime", "torch"):
        pytest.importorskip(package, reason="one of the contenders")
    record = tmp_path / "record.json"
    options = ["--smoke", "--precisions", "fp32", "--batches", "2"]
    serving.main([*options, "--results", str(record)])
    for found in json.loads(record.read_text())["rows"]:
        assert found["turns"]["inference"], found["problems"]
