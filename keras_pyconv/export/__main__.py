"""The commands `python -m keras_pyconv.export` `check`, `bench`, `list`."""

import argparse
import json
import pathlib
import sys

import keras_pyconv.export
from keras_pyconv.export.proof import bench as timing
from keras_pyconv.export.serving import ledger
from keras_pyconv.progress import Bar
from keras_pyconv.writing import write_atomically


def _check_arguments(parser):
    parser.add_argument("path", help="folder of one version: .../net/1")


def _check(options):
    report = keras_pyconv.export.check(options.path)
    print(report)
    return 0 if report.passed else 1


def _list_arguments(parser):
    parser.add_argument(
        "folder",
        nargs="?",
        type=pathlib.Path,
        default=pathlib.Path("saved_models"),
        help="folder of the models (default: %(default)s)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read every file and compare it with its checksum",
    )


def _list(options):
    rows = ledger.listing(options.folder, options.verify)
    print(ledger.table(rows))
    return 1 if any(state for _, state in rows) else 0


def _bench_arguments(parser):
    parser.add_argument("path", help="folder of one version: .../net/1")
    parser.add_argument("--signature", default="serving_default")
    parser.add_argument(
        "--batch-sizes", nargs="+", type=int, default=(1, 4, 16), metavar="N"
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        metavar="N",
        help="a process each (default: one, and all that there are)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="for each batch size (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, default=64, help="pixels, where any size is taken"
    )
    parser.add_argument(
        "--onednn",
        choices=("on", "off"),
        help="sets TF_ENABLE_ONEDNN_OPTS (default: as it is)",
    )
    parser.add_argument(
        "--json", type=pathlib.Path, help="file to write the figures to"
    )


def _bench(options):
    threads = options.threads or timing.default_threads()
    onednn = {"on": True, "off": False}.get(options.onednn)
    cases = len(threads) * len(options.batch_sizes)
    rows = timing.bench(
        options.path,
        options.signature,
        batch_sizes=options.batch_sizes,
        threads=threads,
        seconds=options.seconds,
        size=options.size,
        onednn=onednn,
        progress=Bar(cases, unit_name="case").update,
    )
    print(timing.table(rows))
    if options.json:
        figures = timing.record(options.path, options.signature, rows, onednn)
        write_atomically(options.json, json.dumps(figures, indent=1) + "\n")
    return 0


# By name: what it is for, its arguments, and what runs it.
COMMANDS = {
    "check": (
        "prove that a SavedModel answers in stock TF Serving",
        _check_arguments,
        _check,
    ),
    "bench": (
        "time a SavedModel by batch size and threads",
        _bench_arguments,
        _bench,
    ),
    "list": ("show what a folder of models holds", _list_arguments, _list),
}


def main(arguments=None):
    """Runs one command; returns the exit status.

    Args:
        arguments: list of command line words, or None for the process's own.

    Returns:
        0 where all is well, 1 where a check failed or a model of the ledger
        is not as it should be, 2 where the path holds no SavedModel or is no
        folder of models, or where nothing could be found out.
    """
    parser = argparse.ArgumentParser(prog="python -m keras_pyconv.export")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (purpose, add_arguments, _) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=purpose))
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command][-1](options)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
