"""Prints what networks cost: `python -m keras_pyconv.complexity --help`."""

import argparse

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.complexity.crossing import CROSSING_RULE, crossing_table
from keras_pyconv.complexity.grid import STYLES
from keras_pyconv.complexity.network import (
    COUNTING_RULE,
    complexity,
    networks_table,
)


def main(argv=None):
    """Prints the table that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.complexity",
        description="Print the parameters and operations of networks. "
        "`python -m keras_pyconv.tables` prints them as in the paper's tables.",
        epilog=COUNTING_RULE,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="network names (default: the residual classifiers)",
    )
    parser.add_argument(
        "--input-size",
        type=int,
        metavar="PX",
        help="height and width (default: as in the paper)",
    )
    parser.add_argument("--format", choices=STYLES, default="text")
    parser.add_argument(
        "--levels",
        action="store_true",
        help="break each network down by part and by pyramid level",
    )
    parser.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="bytes that N devices exchange if `level_devices` divides the "
        "levels among them",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="batch size, for --devices (default: %(default)s)",
    )
    options = parser.parse_args(argv)
    try:
        print(_report(options))
    except ValueError as error:
        parser.error(str(error))


def _report(options):
    names, size = options.names or list(ARCHITECTURES), options.input_size
    if options.devices is not None:
        given = {"devices": options.devices, "batch_size": options.batch_size}
        tables = [
            crossing_table(complexity(name, size), options.format, **given)
            for name in names
        ]
        return "\n\n".join([*tables, CROSSING_RULE])
    if not options.levels:
        table = networks_table(names, size, options.format)
        return f"{table}\n\n{COUNTING_RULE}"
    counted = (complexity(name, size) for name in names)
    tables = [c.table(style=options.format, levels=True) for c in counted]
    return "\n\n".join([*tables, COUNTING_RULE])


if __name__ == "__main__":
    main()
