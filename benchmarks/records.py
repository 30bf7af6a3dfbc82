"""The command line of a measurement, and where its record goes."""

import argparse
import json
import pathlib
import re
import sys

from keras_pyconv.writing import write_atomically

HERE = pathlib.Path(__file__).parent


def command_line(doc):
    """A parser with what every measurement has.

    Args:
        doc: the docstring of the measurement; it is the help text.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="tiny and short, to see that all works; figures mean nothing",
    )
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        help="file for the record (default: in results/, by the machine)",
    )
    return parser


def write_record(record, name, options):
    """Writes a record as JSON and says where; returns the path.

    Args:
        record: a mapping, with `machine.description()` as its "machine".
        name: of the measurement.
        options: what `command_line` parsed. A smoke run is kept apart.
    """
    path = options.results
    if path is None:
        described = record["machine"]
        folder = HERE / "results"
        if options.smoke:
            folder = HERE.parent / "runs" / "benchmarks"
        place = f"{described['cpu']} {described['cores']} cores {name}"
        path = folder / (re.sub(r"[^a-z0-9]+", "-", place.lower()) + ".json")
    write_atomically(path, json.dumps(record, indent=1, default=str) + "\n")
    print(f"\nRecord: {path}", file=sys.stderr)
    return path
