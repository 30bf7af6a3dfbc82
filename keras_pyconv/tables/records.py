"""Rows and tables, and what a network of any task costs."""

from dataclasses import dataclass
from functools import cache

from keras_pyconv.architectures import RECORDS
from keras_pyconv.architectures.levels import check, check_fields
from keras_pyconv.arguments import instance, text
from keras_pyconv.complexity import Complexity, complexity


@dataclass(frozen=True)
class Row:
    """A network as a table of the paper names it.

    Attributes:
        label: as printed.
        network: name of the record; empty where there is none.
        printed: parameters in millions, and 10^9 operations, or None.
        accuracy: as printed, one for each metric of the table, or empty.
        size: height and width of the input in pixels.
        classes: outputs of the classifier; by default the data set's.
        code: the accuracies that the authors' code names, by column.
        note: what a reader of the figures should know.
        in_paper: whether the paper has this row. If not, `printed` is what it
            prints for the network that this one is meant to be.
        here: the table's first metric as measured with this package; `note`
            must then say how.
    """

    label: str
    network: str
    printed: tuple[float, float] | None
    accuracy: tuple[str, ...]
    size: int = 224
    classes: int | None = None
    code: tuple[str, ...] = ()
    note: str = ""
    in_paper: bool = True
    here: str = ""

    def __post_init__(self):
        check_fields(self)
        text("label", self.label)


@dataclass(frozen=True)
class Table:
    """One table of the paper or of its supplement.

    `metrics` are the columns of accuracies as the paper prints them, and
    `code_metrics` those that the authors publish with their code. `drawn`
    tables also show their networks layer by layer.
    """

    key: str
    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    code_metrics: tuple[str, ...] = ()
    drawn: bool = False

    def __post_init__(self):
        check_fields(self)
        text("key", self.key)
        text("title", self.title)
        for row in self.rows:
            self._check(row)

    def _check(self, row):
        where = f"Table {self.key}, {row.label}"
        known, code_known = len(self.metrics), len(self.code_metrics)
        accuracy, code = f"accuracy={row.accuracy}", f"code={row.code}"
        message = f"{known} metrics, but {accuracy}"
        check(len(row.accuracy) == known, where, message)
        message = f"{code_known} metrics of the authors' code, but {code}"
        check(len(row.code) in (0, code_known), where, message)
        message = f"not in the paper, but {accuracy}, {code}"
        good = row.in_paper or not any((*row.accuracy, *row.code))
        check(good, where, message)
        message = f"`note` must say how here={row.here!r} was measured"
        check(row.note or not row.here, where, message)
        message = "not in the paper, and `note` does not say what it is"
        check(row.note or row.in_paper, where, message)


def count(row: Row) -> Complexity | None:
    """What the row's network costs, in closed form; None without a record.

    Raises:
        ValueError: if no record has the name of the row's network.
    """
    return _counted(instance("row", row, Row))


@cache
def _counted(row):
    if not row.network:
        return None
    message = f"no record is named {row.network!r}"
    check(row.network in RECORDS, row.label, message)
    return complexity(row.network, row.size, row.classes)
