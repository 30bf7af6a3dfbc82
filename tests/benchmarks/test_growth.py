"""The growth of time is divided by that of the closed form."""

import dataclasses
import json

import pytest
from PIL import Image

from benchmarks import growth, plan
from benchmarks.processes import row_of
from tests.benchmarks.measured import MACHINE


def _rows():
    """Twice as long for each image as the closed form where it is alone."""
    mappings = [
        m for m in growth.SUITE.full if m["part"] in ("batch", "levels")
    ]
    for group in plan.groups(mappings, 2, {"device": ["cpu"]}):
        for case in group.cases:
            row, cost = row_of(case), growth.complexity(case.subject)
            seconds = case.batch * cost.multiply_adds / 1e11
            seconds *= 2 if case.batch == 1 else 1
            row["processor_seconds"] = {"inference": [seconds]}
            # Somebody else was at work.
            yield {**row, "turns": {"inference": [[3 * seconds]]}}


def test_each_curve_changes_one_thing():
    groups = plan.groups(growth.SUITE.full, 2, {"device": ["cpu"]})
    for group, curve in zip(groups, plan.CURVES, strict=True):
        field = {"depth": "subject", "levels": "subject"}.get(curve, curve)
        alike = {
            (case.part, case.subject, case.batch, case.side, case.threads)
            for case in (
                dataclasses.replace(case, **{field: 0}) for case in group.cases
            )
        }
        assert len(alike) == 1
        values = [getattr(case, field) for case in group.cases]
        assert len(set(values)) == len(values) > 1


def test_the_table_and_the_picture_are_relative_to_the_base(tmp_path):
    record = {"machine": MACHINE, "rows": list(_rows())}
    lines = growth.show(record).splitlines()
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in lines]
    rows = {cell[0]: cell[2:] for cell in cells if len(cell) == 8}
    assert rows["batch 1"] == [
        *("3.82", "76", "50.0", "0.0625 ×", "0.125 ×", "2.00")
    ]
    assert rows["batch 16"][3:] == ["1 ×", "1 ×", "1.00"]
    assert rows["levels 5"][-1] == "1.00"
    with Image.open(growth.draw([record], tmp_path / "curves.png")) as image:
        assert image.width == 900 and image.height > 500


@pytest.mark.ci
def test_the_command_measures_draws_and_writes_a_record(tmp_path, capsys):
    path = tmp_path / "record.json"
    record = growth.main(["--smoke", f"--results={path}"])
    assert json.loads(path.read_text()) == record
    assert path.with_suffix(".png").exists()
    assert "| batch 2 |" in capsys.readouterr().out
