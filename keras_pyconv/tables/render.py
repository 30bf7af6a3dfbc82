"""Tables as text, Markdown and CSV.

Differences are between figures rounded as the paper rounds its own: `+0.00`
means that every printed digit agrees.
"""

import csv
import io
from collections.abc import Mapping
from itertools import zip_longest

from keras_pyconv.arguments import check, instance, one_of
from keras_pyconv.complexity.grid import grid
from keras_pyconv.tables.records import Table, count

FORMATS = ("text", "markdown", "csv")
LEGEND = (
    "Params: trainable parameters, without the moving statistics of batch "
    "normalization. MACs: multiply-adds of convolutions and dense layers. "
    "Ops: operations by the paper's convention (thop in mid-2019). Diff: our "
    "rounded figure minus the printed one. Target: the printed figure of the "
    "row that ours stands for. (paper): printed in the paper. (authors' "
    "code): published with the code. (here): measured with this package; "
    "empty if not measured."
)
MEASURED = ("images/s (here)", "Peak MiB (here)", "Device (here)")


def cells(
    table: Table, measured: Mapping[tuple[str, int], tuple] | None = None
) -> list[dict[str, str]]:
    """One dictionary per row, from column title to text.

    `measured` maps network and size to images per second, peak memory in MiB
    and the device; None leaves these columns out.
    """
    instance("table", table, Table)
    if measured is not None:
        instance("measured", measured, Mapping)
        good = all(isinstance(key, tuple) for key in measured)
        check("measured", measured, good, "by (network, size)", TypeError)
    return [_cells(table, row, measured) for row in table.rows]


def _cells(table, row, measured):
    counted = count(row)
    line = {"Network": row.label, "Record": row.network, "Input": ""}
    ours, printed, macs = (None, None), row.printed or (None, None), None
    if counted:
        line["Input"] = _sides(counted.input_shape[:-1])
        ours = counted.parameters / 1e6, counted.paper_ops / 1e9
        macs = counted.multiply_adds / 1e9
    word = "" if row.in_paper else "target "
    line |= _compare("Params, M", "M", ours[0], printed[0], word)
    line |= {"MACs, G": _figure(macs)}
    line |= _compare("Ops, G", "G", ours[1], printed[1], word)
    for metric, value in zip(table.metrics, row.accuracy):
        line[f"{metric} (paper)"] = value
    for metric, value in zip_longest(table.code_metrics, row.code):
        line[f"{metric} (authors' code)"] = value or ""
    line[f"{table.metrics[0]} (here)"] = row.here
    if measured is not None:
        found = measured.get((row.network, row.size), ("",) * 3)
        line |= zip(MEASURED, (_figure(value, ".1f") for value in found))
    return line


def _figure(value, style=".2f"):
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:{style}}"


def _compare(title, unit, ours, printed, word):
    known = None not in (ours, printed)
    difference = round(ours, 2) - printed + 0.0 if known else None
    return {
        title: _figure(ours),
        f"Printed, {unit}": word * known + _figure(printed),
        f"Diff, {unit}": _figure(difference, "+.2f"),
    }


def render(
    tables: list[Table],
    style: str = "text",
    measured: Mapping[tuple[str, int], tuple] | None = None,
    provenance: str = "",
) -> str:
    """The tables in one string; `LEGEND` says what the columns are.

    Args:
        tables: some of `TABLES`.
        style: `"text"`, `"markdown"` or `"csv"`, which is one table.
        measured: as for `cells`.
        provenance: how and on what it was measured: a line, or a column.
    """
    one_of("style", style, FORMATS)
    instance("tables", tables, (list, tuple))
    for place, table in enumerate(tables):
        instance(f"tables[{place}]", table, Table)
    instance("measured", measured, (Mapping, type(None)))
    instance("provenance", provenance, str)
    if style == "csv":
        return _csv(tables, measured, provenance)
    blocks = [_block(table, style, measured) for table in tables]
    if provenance:
        blocks.append(f"Measured here: {provenance}.")
    return "\n\n".join(blocks)


def _block(table, style, measured):
    lines = cells(table, measured)
    rows = [list(line.values()) for line in lines]
    title = f"### {table.title}" if style == "markdown" else table.title
    words = ("Network", "Record", "Input")
    body = grid(list(lines[0]), rows, style, words=words)
    drawing = [layout(table, style)] if table.drawn else []
    return "\n\n".join([title, body, *_notes(table, style), *drawing])


def _notes(table, style):
    """The rows' notes as one paragraph, if there are any."""
    labels = {}
    for row in table.rows:
        if row.note:
            labels.setdefault(row.note, []).append(row.label)
    mark = "- " if style == "markdown" else "  "
    lines = [f"{mark}{', '.join(labels[n])}: {n}." for n in labels]
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
    if not lines:
        return ""
    columns = dict.fromkeys(title for line in lines for title in line)
    # The note stays last, wherever the first table had it.
    del columns["Note"]
    file = io.StringIO()
    writer = csv.DictWriter(
        file, [*columns, "Note"], restval="", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue().rstrip("\n")


def layout(table, style="text"):
    """The residual networks of a table layer by layer, as the paper draws them.

    A stage's stride is that of its first block's spatial convolution alone.
    """
    rows = {}
    for row in table.rows:
        rows.setdefault(row.network, row)
    columns = [_network(count(row)) for row in rows.values()]
    header = ["Stage", "Output", *rows]
    stages = range(1, len(columns[0]) - 1)
    lines = []
    for name, parts in zip(("stem", *stages, "classifier"), zip(*columns)):
        sizes, texts = zip(*parts)
        lead = [str(name), " or ".join(dict.fromkeys(sizes))]
        for line in zip_longest(*texts, fillvalue=""):
            lines.append([*lead, *line])
            lead = ["", ""]
    return grid(header, lines, style, words=tuple(header))


def _network(counted):
    """(output, lines) of the stem, of every stage and of the classifier."""
    record, rank = counted.architecture, len(counted.input_shape) - 1
    stride = f"stride {_sides(record.stem_strides)}"
    kernel = _sides(record.stem_kernel, rank)
    stem = [f"{kernel}, {record.stem_width}, {stride}"]
    if record.stem_pool:
        window = _sides(record.stem_window, rank)
        stem.append(f"{window} max pool, {stride}")
    stages = (_stage(stage, rank) for stage in record.layout())
    classes = counted.layers[-1].output_shape[-1]
    sizes = [_sides(part.output_shape[:-1]) for part in counted.parts[:-1]]
    top = ["global average pool", f"dense, {classes}"]
    return [*zip(sizes, [stem, *stages], strict=True), ("", top)]


def _stage(stage, rank):
    one = _sides(1, rank)
    levels = zip(stage.kernels, stage.filters, stage.groups)
    return [
        f"{stage.blocks} blocks, stride {_sides(stage.strides)}",
        f"{one}, {stage.width}",
        *(f"  {_sides(k, rank)}, {f}, G={g}" for k, f, g in levels),
        f"{one}, {stage.channels}",
    ]


def _sides(sizes, rank=1):
    """One size an axis, or the same for all."""
    sizes = (sizes,) * rank if isinstance(sizes, int) else sizes
    return "x".join(map(str, sizes))
