"""The paper's tables, as far as they are a property of the networks.

`python -m keras_pyconv.tables` prints them; nothing is built for it.
"""

from keras_pyconv.tables.paper import TABLES
from keras_pyconv.tables.records import Row, Table, count
from keras_pyconv.tables.render import LEGEND, cells, render

__all__ = [
    "LEGEND",
    "Row",
    "TABLES",
    "Table",
    "cells",
    "count",
    "render",
]
