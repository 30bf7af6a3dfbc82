"""Tables as text, Markdown and CSV.

The differences are between figures rounded
as the paper rounds its own. `+0.00` means that every printed digit agrees. A
row that the paper does not have is compared with a target: the figure of the
row that it stands for.
"""

import csv
import io
from collections.abc import Mapping

from keras_pyconv.arguments import instance, is_one_of, shown
from keras_pyconv.complexity.grid import grid
from keras_pyconv.tables.layout import layout
from keras_pyconv.tables.records import Row, Table, count

FORMATS = ("text", "markdown", "csv")
WORDS = ("Network", "Record", "Input")
LEGEND = (
    "Params: trainable scalars, without the moving statistics of batch "
    "normalization. MACs: convolutions and dense layers, a product "
    "and its addition as one. Ops: by the paper's convention, as thop "
    "counted them in mid-2019. Diff: ours, rounded, less the printed "
    "figure. Target: not printed for this row, which is ours, but for the one "
    "that it stands for. (paper): as printed there. (authors' code): as "
    "published with it. (here): measured with this package; empty where "
    "nothing was."
)
MEASURED = ("images/s (here)", "Peak MiB (here)", "Device (here)")


def cells(
    table: Table, measured: Mapping[tuple[str, int], tuple] | None = None
) -> list[dict[str, str]]:
    """One dictionary a row, from the title of a column to its text.

    Args:
        table: one of `TABLES`.
        measured: images per second, peak memory in MiB and the device, by
            network and size. None leaves their columns out.
    """
    instance("table", table, Table)
    if measured is not None:
        instance("measured", measured, Mapping)
    return [_cells(table, row, measured) for row in table.rows]


def _cells(table, row, measured):
    counted = count(row)
    line = {"Network": row.label, "Record": row.network, "Input": ""}
    ours, printed, macs = (None, None), row.printed or (None, None), None
    if counted:
        line["Input"] = "x".join(map(str, counted.input_shape[:-1]))
        ours = counted.parameters / 1e6, counted.paper_ops / 1e9
        macs = counted.multiply_adds / 1e9
    word = "" if row.in_paper else "target "
    line |= _compare("Params, M", "M", ours[0], printed[0], word)
    line |= {"MACs, G": _two(macs)}
    line |= _compare("Ops, G", "G", ours[1], printed[1], word)
    for metric, value in zip(table.metrics, row.accuracy):
        line[f"{metric} (paper)"] = value
    for place, metric in enumerate(table.code_metrics):
        value = row.code[place] if row.code else ""
        line[f"{metric} (authors' code)"] = value
    line[f"{table.metrics[0]} (here)"] = row.here
    if measured is not None:
        figures = measured.get((row.network, row.size), ("",) * 3)
        line |= dict(zip(MEASURED, map(_figure, figures)))
    return line


def _two(number, style=".2f"):
    return "" if number is None else f"{number:{style}}"


def _compare(title, unit, ours, printed, word):
    known = None not in (ours, printed)
    difference = round(ours, 2) - printed + 0.0 if known else None
    return {
        title: _two(ours),
        f"Printed, {unit}": word * known + _two(printed),
        f"Diff, {unit}": _two(difference, "+.2f"),
    }


def _figure(value):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.1f}"


def render(
    tables: list[Table],
    style: str = "text",
    measured: Mapping[tuple[str, int], tuple] | None = None,
    provenance: str = "",
) -> str:
    """The tables in one string; `LEGEND` says what the columns are.

    Args:
        tables: some of `TABLES`.
        style: `"text"`, `"markdown"` or `"csv"`. CSV is one table with a
            column that names the paper's.
        measured: as for `cells`.
        provenance: how and on what it was measured; a line below the tables,
            and in CSV a column of the rows that were measured.

    Raises:
        ValueError: if `style` is unknown.
    """
    if not is_one_of(style, FORMATS):
        message = f"`style` must be one of {FORMATS}; got {shown(style)}"
        raise ValueError(message)
    instance("tables", tables, (list, tuple))
    for table in tables:
        instance("tables", table, Table)
    if measured is not None:
        instance("measured", measured, Mapping)
    instance("provenance", provenance, str)
    if style == "csv":
        return _csv(tables, measured, provenance)
    blocks = [_block(table, style, measured) for table in tables]
    if provenance:
        blocks.append(f"Measured here: {provenance}.")
    return "\n\n".join(blocks)


def _block(table, style, measured):
    lines = cells(table, measured)
    header = list(lines[0])
    rows = [list(line.values()) for line in lines]
    title = f"### {table.title}" if style == "markdown" else table.title
    body = grid(header, rows, style, words=WORDS)
    drawing = [layout(table, style)] if table.drawn else []
    return "\n\n".join([title, body, *_notes(table, style), *drawing])


def _notes(table: Table, style: str) -> list[str]:
    """The rows' notes as one paragraph, if there are any."""
    notes: dict[str, list[Row]] = {}
    for row in table.rows:
        if row.note:
            notes.setdefault(row.note, []).append(row)
    mark = "- " if style == "markdown" else "  "
    lines = [
        f"{mark}{', '.join(row.label for row in rows)}: {note}."
        for note, rows in notes.items()
    ]
    return ["\n".join(lines)] if lines else []


def _csv(tables, measured, provenance):
    lines = []
    for table in tables:
        for row, line in zip(table.rows, cells(table, measured)):
            lines.append({"Table": table.key} | line)
            if provenance:
                known = (row.network, row.size) in (measured or {})
                lines[-1]["Measured (here)"] = provenance if known else ""
            lines[-1]["Note"] = row.note
    columns = dict.fromkeys(title for line in lines for title in line)
    # The note stays last, wherever the first table had it.
    columns.pop("Note", None)
    file = io.StringIO()
    writer = csv.DictWriter(
        file, [*columns, "Note"], restval="", lineterminator="\n"
    )
    if lines:
        writer.writeheader()
    writer.writerows(lines)
    return file.getvalue().rstrip("\n")
