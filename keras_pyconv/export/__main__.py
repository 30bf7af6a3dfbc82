"""The command `python -m keras_pyconv.export check PATH`."""

import argparse
import sys

import keras_pyconv.export


def main(arguments=None):
    """Runs one command; returns the exit status.

    Args:
        arguments: list of command line words, or None for the process's own.

    Returns:
        0 where every check passed, 1 where one failed, 2 where the path
        holds no SavedModel.
    """
    parser = argparse.ArgumentParser(prog="python -m keras_pyconv.export")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check", help="prove that a SavedModel answers in stock TF Serving"
    )
    check.add_argument("path", help="folder of one version: .../net/1")
    options = parser.parse_args(arguments)
    try:
        report = keras_pyconv.export.check(options.path)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
