"""The commands `python -m keras_pyconv.export check PATH` and `list`."""

import argparse
import pathlib
import sys

import keras_pyconv.export
from keras_pyconv.export import ledger


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


# By name: what it is for, its arguments, and what runs it.
COMMANDS = {
    "check": (
        "prove that a SavedModel answers in stock TF Serving",
        _check_arguments,
        _check,
    ),
    "list": ("show what a folder of models holds", _list_arguments, _list),
}


def main(arguments=None):
    """Runs one command; returns the exit status.

    Args:
        arguments: list of command line words, or None for the process's own.

    Returns:
        0 where all is well, 1 where a check failed or a model of the ledger
        is not as it should be, 2 where the path holds no SavedModel.
    """
    parser = argparse.ArgumentParser(prog="python -m keras_pyconv.export")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (purpose, add_arguments, _) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=purpose))
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command][-1](options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
