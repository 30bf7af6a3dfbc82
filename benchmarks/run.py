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

from benchmarks import machine, report
from benchmarks.plan import (
    CONTENDERS,
    FULL,
    MEASURES,
    PRECISIONS,
    SMOKE,
    groups,
)
from benchmarks.processes import conduct
from benchmarks.progress import Progress
from benchmarks.records import HERE, command_line, write_record
from keras_pyconv.writing import renewed, write_atomically

README = HERE / "README.md"


def _command_line():
    parser = command_line(__doc__)
    choices = {
        "parts": tuple(MEASURES),
        "subjects": None,
        "precisions": PRECISIONS,
        "contenders": tuple(CONTENDERS),
        "devices": ("cpu", "gpu"),
    }
    for name, known in choices.items():
        parser.add_argument(
            f"--{name}", nargs="+", choices=known, help="only these"
        )
    parser.add_argument(
        "--minutes",
        type=float,
        default=60,
        help="when to stop; what is left is reported as not measured",
    )
    parser.add_argument("--rounds", type=int, help="turns of each contender")
    parser.add_argument(
        "--threads",
        type=int,
        default=machine.cores(),
        help="threads of every contender (default: %(default)s)",
    )
    parser.add_argument("--table", type=pathlib.Path, help="a record to show")
    parser.add_argument(
        "--write", action="store_true", help="put the tables into README.md"
    )
    return parser


def measure(options):
    """Runs what `options` choose and returns the record."""
    settings = SMOKE if options.smoke else FULL
    if options.rounds:
        settings = dataclasses.replace(settings, rounds=options.rounds)
    described, problem = machine.description(), machine.gpu_problem()
    fields = ("part", "subject", "precision", "contender")
    chosen = {field: getattr(options, f"{field}s") for field in fields}
    with_gpu = ["cpu", "gpu"] if problem is None else ["cpu"]
    chosen["device"] = options.devices or with_gpu
    plan = groups(settings, options.threads, chosen)
    if not plan:
        sys.exit("Nothing to measure: no case fits all the options")
    weights = [group.weight for group in plan]
    progress = Progress(weights, 60 * options.minutes)
    groups_of_rows = conduct(plan, settings, progress)
    rows = [row for rows in groups_of_rows for row in rows]
    return {
        "machine": described,
        "smoke": options.smoke,
        "rounds": settings.rounds,
        "seconds_a_turn": settings.turn,
        "minutes": round(progress.elapsed() / 60, 1),
        "gpu_problem": problem,
        "rows": rows,
        "targets": report.verdicts(rows),
    }


def main(arguments=None):
    """Entry point; returns the record."""
    options = _command_line().parse_args(arguments)
    if options.table:
        record = json.loads(options.table.read_text(encoding="utf-8"))
    else:
        record = measure(options)
        write_record(record, "", options)
    text = report.tables(record)
    print(text)
    if options.write:
        page = renewed(README, report.MARKERS, text.strip())
        write_atomically(README, page)
    return record


if __name__ == "__main__":
    main()
