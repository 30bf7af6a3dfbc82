"""Prints what networks cost: `python -m keras_pyconv.complexity --help`."""

import argparse
import pathlib

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.complexity.grid import STYLES
from keras_pyconv.complexity.network import complexity
from keras_pyconv.complexity.tables import COUNTING_RULE, networks_table
from keras_pyconv.writing import renewed, write_atomically

MARKERS = (
    "<!-- begin: written by `make tables` -->",
    "<!-- end: written by `make tables` -->",
)


def main(argv=None):
    """Prints the table that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.complexity",
        description="Parameters and operations of networks of any kind. "
        "`python -m keras_pyconv.tables` prints them as the paper's tables do.",
        epilog=COUNTING_RULE,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="of records (default: the residual networks for classification)",
    )
    parser.add_argument(
        "--input-size",
        type=int,
        metavar="PX",
        help="height and width (default: those at which the paper counts)",
    )
    parser.add_argument("--format", choices=STYLES, default="text")
    parser.add_argument(
        "--levels",
        action="store_true",
        help="each network by part and by level of its pyramids",
    )
    parser.add_argument(
        "--write",
        type=pathlib.Path,
        metavar="FILE",
        help="renew the Markdown table between the markers in FILE",
    )
    options = parser.parse_args(argv)
    try:
        if options.write:
            options.format = "markdown"
            page = renewed(options.write, MARKERS, _report(options))
            write_atomically(options.write, page)
        else:
            print(_report(options))
    except (OSError, ValueError) as error:
        parser.error(str(error))


def _report(options):
    names, size = options.names or list(ARCHITECTURES), options.input_size
    if not options.levels:
        tables = [networks_table(names, size, options.format)]
    else:
        tables = [
            complexity(name, size).table(style=options.format, levels=True)
            for name in names
        ]
    return "\n\n".join([*tables, COUNTING_RULE])


if __name__ == "__main__":
    main()
