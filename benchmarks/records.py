"""The command line of a measurement, and where its record goes."""

import argparse
import json
import pathlib
import re
import sys
import time

from keras_pyconv.writing import write_atomically

HERE = pathlib.Path(__file__).parent


def command_line(doc):
    """A parser with what every measurement has."""
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

    The record has `machine.description()` as its "machine"; `name` is that of
    the measurement, empty for `benchmarks.run`. A smoke run is kept apart.
    """
    path = options.results
    if path is None:
        described = record["machine"]
        folder = HERE / "results"
        if options.smoke:
            folder = HERE.parent / "runs" / "benchmarks"
        place = f"{described['cpu']} {described['cores']} cores {name}".strip()
        path = folder / (re.sub(r"[^a-z0-9]+", "-", place.lower()) + ".json")
    write_atomically(path, json.dumps(record, indent=1, default=str) + "\n")
    print(f"\nRecord: {path}", file=sys.stderr)
    return path


def in_turns(steps, rounds, say=print):
    """Seconds of each step in each round: A B C, A B C, ...

    So a drift of the machine meets all alike. What compiles is called once
    before.
    """
    for step in steps.values():
        step()
    seconds = {name: [] for name in steps}
    for number in range(1, rounds + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            seconds[name].append(round(time.perf_counter() - begin, 5))
        say(f"round {number} of {rounds}", flush=True)
    return seconds


def learned(recipe, network, options, *words):
    """Runs a recipe; what is recorded of any run, and what it returned."""
    options = {"variant": network, **options, "strategy": "one"}
    command = [f"--{name}={value}" for name, value in options.items()]
    command += words
    begin = time.perf_counter()
    found = recipe.main(command)
    seconds = round(time.perf_counter() - begin, 1)
    return {"network": network, "command": command, "seconds": seconds}, found
