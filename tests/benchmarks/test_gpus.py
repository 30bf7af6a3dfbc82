"""Proves what `benchmarks/gpus.sh` runs, and that it works but for the card."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks import gpus, machine, plan, run
from benchmarks.processes import row_of
from tests.benchmarks.measured import MACHINE

SCRIPT = pathlib.Path(gpus.__file__).with_name("gpus.sh")
# In place of Python: notes its words, sees what $SEEN names, and fails in part.
PYTHON = """#!/bin/bash
if [ "$1" = -c ]; then
    read -r _ package _ <<<"$2"
    [[ " $SEEN " = *" ${package%;} "* ]]
else
    echo "${@:2}" >>"$NOTES"
    [[ "$*" != *"--parts mirrored"* ]]
fi
"""


@pytest.fixture
def script(tmp_path):
    """Runs the script beside such cards; its end, and what it called."""

    def call(*words, cards="", seen="tensorflow torch", python=None):
        for name, text in {
            "nvidia-smi": f"#!/bin/bash\nprintf '{cards}'",
            "python": PYTHON,
        }.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        notes = tmp_path / "notes"
        notes.write_text("")
        settings = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHON": python or str(tmp_path / "python"),
            "NOTES": str(notes),
            "SEEN": seen,
        }
        done = subprocess.run(
            [SCRIPT, *words],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
        return done, notes.read_text().splitlines()

    return call


def test_without_a_gpu_the_script_says_so_in_a_line(script):
    done, called = script()
    assert (done.returncode, called) == (2, [])
    assert done.stderr.count("\n") == 1
    assert "no NVIDIA GPU" in done.stderr


def test_a_part_that_fails_leaves_the_others(script, tmp_path):
    done, called = script(str(tmp_path), cards="NVIDIA H200, 143771\\n" * 2)
    assert done.returncode == 1
    assert done.stderr == "Failed: mirrored (exit status 1)\n"
    modules = [words.split()[0] for words in called]
    assert modules == [
        f"benchmarks.{name}"
        for name in ("gpus", "gpus", "grouped_conv", "grouped_conv")
    ]
    assert "--contenders ours torch --minutes 9 " in called[0]
    assert "--batches 1 128 8 " in called[0]
    assert called[1].count("PyConvResNet50 on") == 2
    assert called[0].endswith(f"{tmp_path}/2-nvidia-h200-networks.json")


def test_without_tensorflow_keras_runs_on_jax(script, tmp_path):
    card = "NVIDIA L4, 23034\\n"
    done, (called,) = script(str(tmp_path), cards=card, seen="torch jax")
    assert done.returncode == 0
    assert "TensorFlow with CUDA" in done.stderr
    assert "PyTorch" not in done.stderr
    assert "--contenders ours_jax torch " in called
    assert "--batches 1 32 2 " in called


@pytest.mark.slow
def test_all_of_it_runs_on_a_cpu(script, tmp_path):
    done, _ = script("--smoke", str(tmp_path), python=sys.executable)
    assert done.returncode == 0, done.stderr
    names = "networks", "mirrored", "ways"
    networks, scaling, ways = (
        json.loads((tmp_path / f"smoke-{name}.json").read_text())
        for name in names
    )
    ours = [row for row in networks["rows"] if row["contender"] == "ours"]
    assert {row["precision"] for row in ours} == {"bf16", "tf32"}
    assert not any(row["problems"] for row in ours)
    assert len(scaling["rows"]) == 2
    assert not any(row["problems"] for row in scaling["rows"])
    assert not any(row["problems"] for row in ways["results"]["no oneDNN"])


def test_each_network_is_measured_in_each_precision_beside_pytorch():
    chosen = {"device": ["gpu"], "contender": ["ours", "torch"]}
    chosen |= {"batch": [128, 8], "part": ["network", "video_network"]}
    groups = plan.groups(gpus.SUITE.full, 2, chosen)
    found = [(g.cases[0].subject, g.cases[0].precision) for g in groups]
    assert found == [
        (network, precision)
        for precision in ("bf16", "tf32", "fp32")
        for network in (
            "PyConvResNet50",
            "PyConvHGResNet50",
            "PyConvResNet3D50",
        )
    ]
    assert all(len(group.cases) == 2 for group in groups)
    (case,) = {c.environment()["KERAS_BACKEND"] for c in groups[0].cases}
    assert case == "tensorflow"


def row(part, contender, seconds, measure, **sizes):
    """A measured case."""
    case = plan.Case(part, contender=contender, device="gpu", **sizes)
    found = row_of(case)
    found["turns"][measure] = [[seconds]]
    return found


def test_a_share_is_of_the_fastest_product_in_the_precision():
    matrices = {"subject": "matrices", "side": 10000}
    network = {"subject": "PyConvResNet50", "batch": 100}
    rows = [
        row("product", "ours", 0.4, "product", **matrices),
        row("product", "torch", 0.2, "product", **matrices),
        row("network", "ours", 0.2, "training", **network),
    ]
    assert gpus.limits(rows) == {"fp32": 1e13}
    # Three times 2 x 3.82 G operations, of 100 images in a fifth of a second.
    said = gpus.show({"machine": MACHINE, "rows": rows})
    assert "| 11.5 (115%) |" in said.splitlines()[-1]


def test_efficiency_is_by_so_many_times_one():
    scaled = {"side": 224, "measure": "training"}
    rows = [
        row("mirrored", "ours", 0.1, subject="PyConvResNet50 on 1", **scaled),
        row("mirrored", "ours", 0.125, subject="PyConvResNet50 on 2", **scaled),
    ]
    said = gpus.show({"machine": MACHINE, "rows": rows})
    assert said.endswith(" 80% |")


def test_an_interrupt_keeps_the_groups_before(monkeypatch, tmp_path):
    def conduct(groups, *_):
        yield [row_of(case) for case in groups[0].cases]
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "conduct", conduct)
    record = gpus.main(["--smoke", "--results", str(tmp_path / "it.json")])
    assert {row["part"] for row in record["rows"]} == {"product"}


def test_a_machine_without_a_gpu_is_told_before_the_work(monkeypatch):
    monkeypatch.setattr(machine, "gpus", list)
    with pytest.raises(SystemExit, match="no NVIDIA GPU here"):
        gpus.main([])
