"""Measures everything side by side on this machine and prints the tables.

    python -m benchmarks.run            about 50 minutes on two cores
    python -m benchmarks.run --smoke    everything tiny, about two minutes

A machine has one JSON record, whose other rows a partial run keeps. `--onednn 0
1` measures all without oneDNN too, `--isa all AVX2` all with its instructions
limited. `--write` puts the newest record of each kind of processor into the
README of this folder; with `--recorded`, without measuring.
"""

import dataclasses
import datetime
import sys

from benchmarks import machine, plan, records, report
from benchmarks.processes import conduct
from benchmarks.progress import Progress
from keras_pyconv.writing import renewed, write_atomically

README = records.HERE / "README.md"


_VIDEO = {"part": "video", "subject": [*plan.LAYERS], "batch": 1}
_NETWORK = {"part": "network", "precision": [*plan.PRECISIONS]}
_MINI = {"subject": "PyConvResNetMini", "batch": 2, "side": 64}
SUITE = plan.Suite(
    name="",
    doc=__doc__,
    full=(
        {**_VIDEO, "side": 56, "frames": 16},
        {**_NETWORK, "subject": ["PyConvResNet50", "PyConvHGResNet50"]},
    ),
    smoke=({**_VIDEO, "side": 8, "frames": 4}, {**_NETWORK, **_MINI}),
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
    "isa": "isa",
}
# What every case can be measured with, whatever its suite says.
KERNELS = {
    "onednn": (["1", "0"], "with oneDNN, without, or each in turn"),
    "isa": (list(plan.ISAS), "with what oneDNN is limited to"),
}


def parser_of(suite):
    """The command line of a suite."""
    parser = records.command_line(suite.doc)
    mappings, devices = suite.full + suite.smoke, {"device": suite.devices}
    groups = plan.groups(mappings, 1, devices)
    cases = [case for group in groups for case in group.cases]
    for name, field in FILTERS.items():
        known = list(dict.fromkeys(getattr(case, field) for case in cases))
        known, said = KERNELS.get(name, (known, "only these"))
        options = {"nargs": "+", "choices": known, "type": type(known[0])}
        parser.add_argument(f"--{name}", help=said, **options)
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
    parser.set_defaults(write=False, recorded=False)
    if markers(suite)[0] in README.read_text(encoding="utf-8"):
        words = {"write": "put the tables of all processors into README.md"}
        words["recorded"] = "measure nothing, show what was"
        for name, said in words.items():
            parser.add_argument(f"--{name}", action="store_true", help=said)
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
    begun = datetime.datetime.now().isoformat(timespec="minutes")
    about = {"measured": begun, "commit": options.machine["commit"]}
    rows = []
    try:
        for found in conduct(groups, patience, progress):
            rows += [{**row, **about} for row in found]
    except KeyboardInterrupt:
        print("\nStopped; the groups before are kept.", file=sys.stderr)
    return {
        "rounds": patience.rounds,
        "seconds_a_turn": patience.turn,
        "gpu_problem": problem,
        "rows": rows,
    }


def conduct_suite(suite, options, show=report.tables, more=lambda rows: None):
    """Measures, writes the record and shows it; returns it.

    `show` makes a text of records, and `more` adds to the rows measured.
    """
    shown, record = records.newest(suite.name), None
    if options.recorded and not shown:
        sys.exit(f"Nothing is recorded in {records.HERE / 'results'}")
    if not options.recorded:
        found = measure(suite, options)
        more(found["rows"])
        shown = [{"machine": options.machine, **found}]
        if not options.smoke:
            path = records.record_path(options, suite.name)
            found["rows"] = records.with_earlier(found["rows"], path)
        record = records.write_record(options, suite.name, **found)
    text = show(*(records.newest(suite.name) if options.write else shown))
    print(text)
    if options.write:
        page = renewed(README, markers(suite), text.strip())
        write_atomically(README, page)
    return record


def markers(suite):
    """The lines of README.md between which the tables of a suite stand."""
    module = suite.name.replace("-", "_") or "run"
    command = f"python -m benchmarks.{module} --write"
    return f"<!-- begin: written by `{command}` -->", "<!-- end -->"


def main_of(suite, show=report.tables, more=lambda rows: None):
    """The entry point of a suite; it returns the record."""

    def main(arguments=None):
        options = parser_of(suite).parse_args(arguments)
        return conduct_suite(suite, options, show, more)

    return main


main = main_of(SUITE)

if __name__ == "__main__":
    main()
