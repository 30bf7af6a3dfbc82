"""The table of a run's epochs."""

import csv
import io

from keras_pyconv.writing import write_atomically


def table(history):
    """The epochs as CSV text, a column for every name in any of them."""
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def write_table(folder, history):
    """Writes log.csv, which after a kill holds what the checkpoint holds."""
    write_atomically(folder / "log.csv", table(history))
