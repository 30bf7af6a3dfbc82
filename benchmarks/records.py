"""The command line of a measurement, and where its record goes."""

import argparse
import dataclasses
import json
import pathlib
import re
import sys

from benchmarks import machine
from benchmarks.machine import kind
from benchmarks.plan import Case
from keras_pyconv.writing import write_atomically

HERE = pathlib.Path(__file__).parent


def command_line(doc, has_smoke=True):
    """A parser with what every measurement has, the machine included."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if has_smoke:
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
    parser.set_defaults(machine=machine.description(), smoke=False)
    return parser


def record_path(options, name):
    """Where the record of a measurement goes; a smoke run is kept apart."""
    if options.results:
        return options.results
    folder = HERE / "results"
    if options.smoke:
        folder = HERE.parent / "runs" / "benchmarks"
    return folder / file_name(options.machine, name)


def file_name(machine, name):
    """Of a record: where kernels differ, so do the names."""
    words = machine["cpu"], kind(machine), machine["cores"], "cores", name
    place = " ".join(map(str, words)).strip().lower()
    return re.sub(r"[^a-z0-9]+", "-", place) + ".json"


def write_record(options, name, **values):
    """Writes the machine and the values as JSON; returns the record."""
    shared = {"machine": options.machine, "smoke": options.smoke}
    record, path = {**shared, **values}, record_path(options, name)
    write_atomically(path, json.dumps(record, indent=1, default=str) + "\n")
    print(f"\nRecord: {path}", file=sys.stderr)
    return record


def rows_of(*records):
    """Rows of a suite's records, with what older ones do not say of each.

    Records of before there were suites have none: no turns were taken.
    """
    found = []
    for record in records:
        machine, rows = record["machine"], record.get("rows", [])
        shared = {"measured": machine["date"], "kind": kind(machine)}
        shared |= {"onednn": "1", "isa": "all"}
        found += [{**shared, **row} for row in rows if "turns" in row]
    return found


def with_earlier(rows, path):
    """Rows, and those of the record at `path` that were not measured now."""
    earlier = rows_of(json.loads(path.read_text())) if path.exists() else []
    names = [field.name for field in dataclasses.fields(Case)]
    found = {tuple(map(row.get, names)): row for row in (*earlier, *rows)}
    return list(found.values())


def newest(name):
    """The last record of a suite from each kind of processor."""
    ending = f"-cores-{name}.json" if name else "-cores.json"
    paths = (HERE / "results").glob(f"*{ending}")
    records = [json.loads(path.read_text()) for path in paths]
    records = [record for record in records if rows_of(record)]
    records.sort(key=lambda record: record["machine"]["date"])
    kinds = {kind(record["machine"]): record for record in records}
    return [kinds[name] for name in sorted(kinds)]
