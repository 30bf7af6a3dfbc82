"""Where the record of a measurement goes: one file a machine and a name."""

import pathlib
import re

HERE = pathlib.Path(__file__).parent


def record_path(described, name, smoke=False):
    """`results/<machine>-<name>.json`, or under `runs/` for a smoke run.

    Args:
        described: what `machine.description()` gave.
        name: of the measurement.
        smoke: whether the figures mean nothing.
    """
    folder = HERE / "results"
    if smoke:
        folder = HERE.parent / "runs" / "benchmarks"
    place = f"{described['cpu']} {described['cores']} cores {name}"
    return folder / (re.sub(r"[^a-z0-9]+", "-", place.lower()) + ".json")
