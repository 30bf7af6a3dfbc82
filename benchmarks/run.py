"""Measures everything side by side on this machine and prints the tables.

    python -m benchmarks.run            about 50 minutes on two cores
    python -m benchmarks.run --smoke    everything tiny, about two minutes

Writes one JSON record per run. `--write` puts its tables into the README of
this folder; `--table FILE` does so from a record, without measuring.
"""

import dataclasses
import json
import pathlib
import sys

from benchmarks import machine, plan, report
from benchmarks.processes import conduct
from benchmarks.progress import Progress
from benchmarks.records import HERE, command_line, write_record
from keras_pyconv.writing import renewed, write_atomically

README = HERE / "README.md"


def _mappings(networks, layers, batch, side, video_side, frames):
    clip = {"batch": 1, "side": video_side, "frames": frames}
    videos = [{"part": "video", "subject": (name,), **clip} for name in layers]
    shared = {"part": "network", "batch": batch, "side": side}
    images = [
        {**shared, "subject": (network,), "precision": precision}
        for precision in plan.PRECISIONS
        for network in networks
    ]
    return (*videos, *images)


SUITE = plan.Suite(
    name="",
    doc=__doc__,
    full=_mappings(
        networks=("PyConvResNet50", "PyConvHGResNet50"),
        layers=tuple(plan.LAYERS),
        batch=16,
        side=224,
        video_side=56,
        frames=16,
    ),
    smoke=_mappings(
        networks=("PyConvResNetMini",),
        layers=tuple(plan.LAYERS),
        batch=2,
        side=64,
        video_side=8,
        frames=4,
    ),
    minutes=60,
    devices=("cpu", "gpu"),
)


# The options that choose cases, and the fields by which they do.
FILTERS = {
    "parts": "part",
    "subjects": "subject",
    "precisions": "precision",
    "contenders": "contender",
    "devices": "device",
    "batches": "batch",
    "onednn": "onednn",
}


def parser_of(suite):
    """The command line of a suite."""
    parser = command_line(suite.doc)
    mappings, devices = suite.full + suite.smoke, {"device": suite.devices}
    groups = plan.groups(mappings, 1, devices)
    cases = [case for group in groups for case in group.cases]
    for name, field in FILTERS.items():
        known = list(dict.fromkeys(getattr(case, field) for case in cases))
        options = {"nargs": "+", "choices": known, "type": type(known[0])}
        parser.add_argument(f"--{name}", help="only these", **options)
    parser.add_argument(
        "--minutes",
        type=float,
        default=suite.minutes,
        help="when to stop; what is left is reported as not measured",
    )
    parser.add_argument("--rounds", type=int, help="turns of each contender")
    parser.add_argument(
        "--threads",
        type=int,
        default=machine.cores(),
        help="threads of every contender (default: %(default)s)",
    )
    return parser


def measure(suite, options):
    """Runs what `options` choose and returns what is recorded of it."""
    patience = plan.SMOKE if options.smoke else suite.patience
    if options.rounds:
        patience = dataclasses.replace(patience, rounds=options.rounds)
    mappings = suite.smoke if options.smoke else suite.full
    chosen = {field: getattr(options, n) for n, field in FILTERS.items()}
    problem = machine.gpu_problem() if "gpu" in suite.devices else None
    if not options.devices:
        chosen["device"] = suite.devices[: 1 if problem else None]
    groups = plan.groups(mappings, options.threads, chosen)
    if not groups:
        sys.exit("Nothing to measure: no case fits all the options")
    weights = [group.weight for group in groups]
    progress = Progress(weights, 60 * options.minutes)
    groups_of_rows = conduct(groups, patience, progress)
    rows = [row for rows in groups_of_rows for row in rows]
    return {
        "rounds": patience.rounds,
        "seconds_a_turn": patience.turn,
        "minutes": round(progress.elapsed() / 60, 1),
        "gpu_problem": problem,
        "rows": rows,
        "targets": report.verdicts(rows),
    }


def conduct_suite(suite, options, show=report.tables):
    """Measures, writes the record and prints what `show` makes of it."""
    found = measure(suite, options)
    record = write_record(options, suite.name, **found)
    print(show(record))
    return record


def main_of(suite, show=report.tables):
    """The entry point of a suite; it returns the record."""

    def main(arguments=None):
        options = parser_of(suite).parse_args(arguments)
        return conduct_suite(suite, options, show)

    return main


def main(arguments=None):
    """Entry point; returns the record."""
    parser = parser_of(SUITE)
    parser.add_argument("--table", type=pathlib.Path, help="a record to show")
    parser.add_argument(
        "--write", action="store_true", help="put the tables into README.md"
    )
    options = parser.parse_args(arguments)
    if options.table:
        record = json.loads(options.table.read_text(encoding="utf-8"))
        print(report.tables(record))
    else:
        record = conduct_suite(SUITE, options)
    if options.write:
        page = renewed(README, report.MARKERS, report.tables(record).strip())
        write_atomically(README, page)
    return record


if __name__ == "__main__":
    main()
