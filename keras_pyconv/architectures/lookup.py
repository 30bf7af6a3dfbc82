"""A record by its name, or as it is."""

import re
from collections.abc import Mapping
from typing import TypeVar, cast

from keras_pyconv.reading import nearest, short

Record = TypeVar("Record")


def find(
    name: str,
    row: Record | str,
    kind: type[Record] | tuple[type, ...],
    rows: Mapping[str, Record],
    hint: str = "",
) -> Record:
    """The record itself, or the one of that name among `rows`.

    `name` is what the caller's argument is called; `hint` ends the message of
    an unknown one.
    """
    if isinstance(row, kind):
        return cast(Record, row)
    if isinstance(row, str) and row in rows:
        return rows[row]
    words, record = "network", ""
    if isinstance(kind, type):
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
        record = f", `{kind.__name__}`"
    near = nearest(row, rows)
    raise ValueError(
        f"Unknown {words} {short(row)}.{near} Known: {', '.join(rows)}; or "
        f"pass a record{record}, as `{name}`.{hint and ' '}{hint}"
    )
