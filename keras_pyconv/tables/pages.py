"""Renews the generated tables of the pages: `make tables`.

python -m keras_pyconv.tables.pages README.md docs/networks.md
"""

import argparse
import pathlib

from keras_pyconv.complexity import COUNTING_RULE, complexity, networks_table
from keras_pyconv.complexity.grid import grid
from keras_pyconv.tables.paper import TABLES
from keras_pyconv.tables.render import cells
from keras_pyconv.weights.catalog import (
    CLASSIFICATION_SETS,
    PUBLISHED,
    catalogue_table,
    shipped_table,
)
from keras_pyconv.writing import renewed, write_atomically

_TOP_1 = "top-1 at 224, %"


def _published_table():
    """The classifiers that have published weights, with their accuracy."""
    header = ["Network", "Parameters, M", "Operations, G"]
    header += [f'Top-1, %, `weights="{name}"`' for name in CLASSIFICATION_SETS]
    rows = []
    for name in [n for n, kind in PUBLISHED if kind == "imagenet"]:
        count = complexity(name)
        row = [name, f"{count.parameters / 1e6:.2f}"]
        row += [f"{count.paper_ops / 1e9:.2f}"]
        for kind in CLASSIFICATION_SETS:
            found = PUBLISHED.get((name, kind))
            row += [f"{found.figures[_TOP_1]:.2f}" if found else ""]
        rows += [row]
    return grid(header, rows, "markdown", words=("Network",))


def _table_5():
    """Table 5 of the paper, with what the networks that we have cost."""
    lines = cells(TABLES["5"])
    known = ("Network", "Input", "Params, M", "Ops, G")
    header = [t for t in lines[0] if t in known or t.endswith("(paper)")]
    rows = [[line[title] for title in header] for line in lines]
    return grid(header, rows, "markdown", words=("Network", "Input"))


_MARKERS = (
    "<!-- begin: written by `make tables` -->",
    "<!-- end: written by `make tables` -->",
)
# By the name of the page: the lines around the table, and what writes it.
PAGES = {
    "README.md": (*_MARKERS, _published_table),
    "networks.md": (
        *_MARKERS,
        lambda: f"{networks_table()}\n\n{COUNTING_RULE}",
    ),
    "segmentation.md": (*_MARKERS, _table_5),
    "weights.md": (
        "<!-- begin: the catalogue -->",
        "<!-- end: the catalogue -->",
        lambda: f"{shipped_table('markdown')}\n\n{catalogue_table()}",
    ),
}


def current(page) -> str:
    """The text that a page should have."""
    page = pathlib.Path(page)
    if page.name not in PAGES:
        known = ", ".join(PAGES)
        raise ValueError(f"{page} has no generated table; these have: {known}")
    *markers, write = PAGES[page.name]
    return renewed(page, markers, write())


def main(argv=None):
    """Renews the pages that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.tables.pages", description=__doc__
    )
    parser.add_argument("pages", nargs="+", metavar="PAGE")
    try:
        for page in parser.parse_args(argv).pages:
            write_atomically(page, current(page))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
