"""What an evaluation found, and the files that it leaves behind."""

import csv
import dataclasses
import functools
import heapq
import io
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.page import page, plots, table
from keras_pyconv.reports import figures, measures
from keras_pyconv.typing import PathLike
from keras_pyconv.writing import without_nan, write_atomically

WORST = 24  # mistakes that are shown
_IN_JSON = ("per_class", "by_size", "calibration", "confused")
_ON_PAGE = {"per_class": "By class", "confused": "Most often confused"}


@dataclasses.dataclass(frozen=True)
class Mistake:
    """An image that was answered wrongly.

    Attributes:
        name: of the image.
        truth, given: names of classes.
        text: the score, in words.
        pixels: uint8 `(height, width, 3)`, or None.
    """

    name: str
    truth: str
    given: str
    text: str
    pixels: np.ndarray | None = None

    def __str__(self):
        return f"taken for {self.given}, {self.text}"


class Worst:
    """The worst few of all that are added; walked through from the worst on."""

    def __init__(self, most=WORST):
        self._most, self._added, self._kept = most, 0, []

    def add(self, badness, make):
        """Keeps what `make` makes if it is among the worst so far."""
        self._added += 1
        row = float(badness), -self._added
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, (*row, make()))
        elif row > self._kept[0][:2]:
            heapq.heapreplace(self._kept, (*row, make()))

    def __iter__(self):
        # No two rows are alike before what was made.
        return (made for *_, made in sorted(self._kept, reverse=True))


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """What an evaluation found; `write` leaves it in a folder.

    Attributes:
        title: of the page.
        summary: numbers by name; shares are in [0, 1].
        tables: `{name: (header, rows)}`.
        figures: `{name: (caption, function of nothing to a figure)}`.
        mistakes: the worst first.
        notes: what is left out, and what is meant.
    """

    title: str
    summary: Mapping
    tables: Mapping
    figures: Mapping
    mistakes: tuple = ()
    notes: tuple[str, ...] = ()

    def write(self, folder: PathLike) -> pathlib.Path:
        """Writes CSV, JSON, PNG and report.html; returns the path of that.

        Args:
            folder: where to; made where it is missing.
        """
        folder = arguments.new_folder("folder", folder)
        drawn = {k: _png(draw) for k, (_, draw) in self.figures.items()}
        files = {f"{name}.png": content for name, content in drawn.items()}
        if self.mistakes:
            sheet = functools.partial(figures.sheet, self.mistakes)
            files["mistakes.png"] = _png(sheet)
        for name, (header, rows) in self.tables.items():
            files[f"{name}.csv"] = _csv(header, rows)
        text = json.dumps(without_nan(self._as_dict()), indent=1) + "\n"
        for name, content in {**files, "report.json": text}.items():
            write_atomically(folder / name, content)
        path = folder / "report.html"
        with page(path, self.title, self._text(), self._html(drawn)) as shown:
            for one in self.mistakes:
                shown.add(one.name, one.truth, str(one), one.pixels)
        return path

    def _as_dict(self):
        """All but what is as large as the confusion and the curves."""
        tables = {k: v for k, v in self.tables.items() if k in _IN_JSON}
        rows = {
            name: [dict(zip(header, row)) for row in rows]
            for name, (header, rows) in tables.items()
        }
        about = {"title": self.title, "summary": self.summary}
        return {**about, "notes": self.notes, **rows}

    def _text(self):
        lines = [f"{name}: {_word(x)}" for name, x in self.summary.items()]
        return "\n".join([*lines, *self.notes])

    def _html(self, drawn):
        """What stands before the mistakes."""
        images = {self.figures[name][0]: drawn[name] for name in drawn}
        parts = {"Figures": plots(images)}
        for name, title in _ON_PAGE.items():
            if name in self.tables:
                header, rows = self.tables[name]
                parts[title] = table(header, [map(_word, row) for row in rows])
        parts["The worst mistakes"] = "" if self.mistakes else "There is none."
        return "\n".join(f"<h2>{k}</h2>\n{text}" for k, text in parts.items())


def _png(draw):
    import matplotlib

    held = io.BytesIO()
    # Names of classes are no formulas.
    with matplotlib.rc_context({"text.parse_math": False}):
        draw().savefig(held, format="png", dpi=160)
    return held.getvalue()


def _csv(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    # An empty field for what is no number.
    writer.writerows([["" if x != x else x for x in row] for row in rows])
    return text.getvalue()


def _word(value):
    """A value for the page; shares in per cent."""
    if isinstance(value, float):
        return share(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


# What the tasks have in common ------------------------------------------------


def names_of(name, given, count):
    """Texts, so many; by default numbers."""
    if given is None:
        return tuple(map(str, range(count)))
    found = arguments.texts(name, given)
    return arguments.check(name, found, len(found) == count, f"{count} texts")


def shown(images, places):
    """The images at some places; None for each where there are none."""
    return images(places) if images and len(places) else [None] * len(places)


def assemble(
    title, names, counts, *, columns, curves, sums, sizes, none=(), **more
):
    """The `Report` of any task.

    Args:
        title: of the page.
        names: of the classes.
        counts: `(true, given)`, with a row and a column more for each of
            `none`, what is no class; None where nothing is confused.
        columns: `{name: (classes,)}`, of each class.
        curves: AP `(classes,)` and precision `(classes, 101)`.
        sums: as of `confidence_sums`.
        sizes: rows of `by_size`, the unit, and what their value is; or None.
        **more: the other fields of `Report`.
    """
    aps, levels = curves
    error, tables, drawn = measures.calibration_error(sums), {}, {}
    if counts is not None:
        scores = measures.precision_recall_f1(counts, len(names))
        columns |= dict(zip(("precision", "recall", "F1"), scores))
        tables, drawn = _confusion(counts, names, [*names, *none])
    recalls = [f"{x:.2f}" for x in measures.LEVELS]
    tables = {
        "per_class": _table({"class": names, **columns}),
        **tables,
        "precision_recall": _matrix("class", names, recalls, levels),
        "calibration": _table(measures.calibration(sums)),
    }
    curve = "Precision and recall, average precision (AP) beside"
    drawn |= {
        "precision_recall": (curve, figures.curves, levels, aps, names),
        "calibration": ("Calibration", figures.reliability, sums, error),
    }
    if sizes is not None:
        rows, unit, value = sizes
        header = ["from", "to", "count", value, "low", "high"]
        tables["by_size"] = header, rows
        drawn["by_size"] = ("By size", figures.by_size, *sizes)
    drawn = {
        name: (caption, functools.partial(draw, *given))
        for name, (caption, draw, *given) in drawn.items()
    }
    summary = {**more.pop("summary"), "expected calibration error": error}
    return Report(title, summary, tables, drawn, **more)


def _confusion(counts, names, axes):
    """Tables and figures of which class is taken for which."""
    rates = measures.shares(counts)
    tables = {
        "confusion_counts": _matrix("true", axes, axes, counts),
        "confusion_rates": _matrix("true", axes, axes, rates),
        "confused": measures.confused(counts, names),
    }
    per_cent = "Confusion, in per cent of the true class"
    return tables, {
        "confusion_counts": ("Confusion", figures.confusion, counts, axes),
        "confusion_rates": (per_cent, figures.confusion, counts, axes, True),
    }


def _table(columns):
    values = [np.asarray(one).tolist() for one in columns.values()]
    return [*columns], list(zip(*values))


def _matrix(corner, names, header, values):
    rows = zip(names, np.asarray(values).tolist())
    return [corner, *header], [[name, *row] for name, row in rows]
