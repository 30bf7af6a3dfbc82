"""The paper's tables, as far as they are a property of the networks.

`python -m keras_pyconv.tables` prints them; nothing is built for it.
"""

from keras_pyconv.tables.paper import (
    TABLE_1,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_5,
)
from keras_pyconv.tables.records import Row, Table, count
from keras_pyconv.tables.render import LEGEND, cells, render
from keras_pyconv.tables.supplement import (
    TABLE_S1,
    TABLE_S2,
    TABLE_S4,
    TABLE_S5,
    TABLE_S6,
)

TABLES = {
    table.key: table
    for table in (
        TABLE_1,
        TABLE_2,
        TABLE_3,
        TABLE_4,
        TABLE_5,
        TABLE_S1,
        TABLE_S2,
        TABLE_S4,
        TABLE_S5,
        TABLE_S6,
    )
}
