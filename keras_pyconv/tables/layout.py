"""Networks side by side, layer by layer (Table 1; supplement, Table 2).

A stage's stride is that of its first
block's spatial convolution alone.
"""

from itertools import zip_longest

from keras_pyconv.architectures import VIDEO_ARCHITECTURES
from keras_pyconv.complexity.grid import grid
from keras_pyconv.tables.records import Table, count


def layout(table: Table, style: str = "text") -> str:
    """The networks of a table, as the paper draws them.

    Args:
        table: one whose networks are residual, of images or clips.
        style: `"text"` or `"markdown"`.

    Raises:
        ValueError: if `style` is unknown.
    """
    rows = {}
    for row in table.rows:
        rows.setdefault(row.network, row)
    columns = [_network(count(row)) for row in rows.values()]
    header = ["Stage", "Output", *rows]
    stages = range(1, len(columns[0]) - 1)
    lines = []
    for name, cells in zip(("stem", *stages, "classifier"), zip(*columns)):
        lead = [str(name), " or ".join(dict.fromkeys(c[0] for c in cells))]
        for texts in zip_longest(*(texts for _, texts in cells), fillvalue=""):
            lines.append([*lead, *texts])
            lead = ["", ""]
    return grid(header, lines, style, words=tuple(header))


def _network(counted):
    """(output, lines) of the stem, of every stage and of the classifier."""
    video = VIDEO_ARCHITECTURES.get(counted.architecture.name)
    record = video.base if video else counted.architecture
    cells = [(_size(counted.parts[0]), _stem(record, video))]
    for number, part in enumerate(counted.stages):
        cells.append((_size(part), _stage(record, video, number)))
    classes = counted.layers[-1].output_shape[-1]
    cells.append(("", ["global average pool", f"dense, {classes}"]))
    return cells


def _size(part):
    return _sides(part.output_shape[:-1])


def _sides(sizes):
    return "x".join(map(str, sizes))


def _stem(record, video):
    kernel = video.stem_kernel if video else (7, 7)
    window = (1, 3, 3) if video else (3, 3)
    stride = "stride 1x2x2" if video else "stride 2"
    lines = [f"{_sides(kernel)}, {record.stem_width}, {stride}"]
    if record.stem_pool:
        lines.append(f"{_sides(window)} max pool, {stride}")
    return lines


def _stage(record, video, number):
    stage, channels = record.stages[number], record.channels[number]
    one = _sides((1, 1, 1) if video else (1, 1))
    kernels = (
        video.kernels(number)
        if video
        else [(side, side) for side in stage.kernels]
    )
    strides = video.strides(number) if video else (stage.stride,)
    levels = zip(kernels, stage.filters, stage.groups)
    return [
        f"{stage.blocks} blocks, stride {_sides(strides)}",
        f"{one}, {stage.width}",
        *(f"  {_sides(k)}, {f}, G={g}" for k, f, g in levels),
        f"{one}, {channels}",
    ]
