"""Prints the paper's tables: `python -m keras_pyconv.tables --help`."""

import argparse
import textwrap

from keras_pyconv.tables import LEGEND, TABLES, render
from keras_pyconv.tables.render import FORMATS


def _positive(kind):
    def read(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not positive")
        return value

    # argparse puts this name into what it says of other texts.
    read.__name__ = f"positive {kind.__name__}"
    return read


def parser(prog="python -m keras_pyconv.tables"):
    """The parser of this program, which `prog` names."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Print the paper's tables beside our own counts.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"""{textwrap.fill(LEGEND, 78)}

  keras-pyconv tables --table 1
  keras-pyconv tables --table s1 --format markdown""",
    )
    add = parser.add_argument
    table = "print only this table (s: supplement); may be repeated"
    add("--table", choices=list(TABLES), action="append", help=table)
    add("--format", choices=FORMATS, default="text", help="(%(default)s)")
    measure = "also run the networks here; add inference speed and memory"
    add("--measure", action="store_true", help=measure)
    batch = "batch size of --measure (%(default)s)"
    add("--batch", type=_positive(int), default=8, help=batch)
    seconds = "time per network of --measure (%(default)s)"
    add("--seconds", type=_positive(float), default=5.0, help=seconds)
    return parser


def main(argv=None):
    """Prints the tables that the command line asks for."""
    run(parser().parse_args(argv))


def run(options):
    """Prints the tables of the options."""
    tables = [TABLES[key] for key in options.table or TABLES]
    measured, how = None, ""
    if options.measure:
        from keras_pyconv.tables.measure import conditions, measure

        rows = [row for table in tables for row in table.rows]
        measured = measure(rows, options.batch, options.seconds)
        how = conditions(options.batch, options.seconds)
    print(render(tables, options.format, measured, how))
    if options.format != "csv":
        print(f"\n{LEGEND}")


if __name__ == "__main__":
    main()
