"""Stock networks and their copies are measured alike, and shown apart."""

import json

import pytest

from benchmarks import native_groups
from benchmarks.plan import Case
from benchmarks.processes import row_of
from keras_pyconv.layers.native_groups import NATIVE
from tests.benchmarks.measured import MACHINE


def _row(contender, served, seconds):
    row = row_of(Case("groups", "ResNeXt50", contender, batch=8))
    row["turns"] = {"inference": [[seconds]], "training": [[seconds]]}
    row["first_seconds"]["training"] = 12.0
    return {**row, "served": served}


def test_a_copy_is_shown_beside_the_network_it_is_of():
    rows = [
        _row("ours", "taken", 0.5),
        _row("stock", "refused: must-compile 16 times", 2.0),
    ]
    shown = native_groups.show({"machine": MACHINE, "rows": rows})
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in shown.splitlines()
    ]
    title, day = "stock Keras layers", "AVX2, 2026-11-29"
    assert ["ours", "fp32", day, "16", "", "16", "", "12", ""] in cells
    speeds = ["4", "4.00 ×"] * 2
    assert [title, "fp32", day, *speeds, "12", ""] in cells
    assert cells[-1] == ["ResNeXt50", title, "refused: must-compile 16 times"]


def test_contenders_differ_in_their_grouped_convolutions_alone():
    kinds = [
        [type(layer) for layer in network._flatten_layers()]
        for network in (
            native_groups.network("RegNetMini", contender, 32)
            for contender in ("stock", "ours")
        )
    ]
    changed = [(a, b) for a, b in zip(*kinds, strict=True) if a is not b]
    assert changed and all(NATIVE[a] is b for a, b in changed)


@pytest.mark.slow
def test_the_command_measures_and_writes_a_record(tmp_path, capsys):
    path = tmp_path / "record.json"
    record = native_groups.main(["--smoke", f"--results={path}"])
    assert json.loads(path.read_text())["rows"] == record["rows"]
    served = [row["served"] for row in record["rows"]]
    assert served == ["taken", "refused: must-compile 3 times", *["taken"] * 2]
    cells = capsys.readouterr().out.replace(" ", "")
    assert "|RegNetMini|ours|taken|" in cells
