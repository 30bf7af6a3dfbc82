"""Every network and its cost beside what the paper prints.

The printed figures are data, not what we count, so that a difference shows.
"""

from collections.abc import Iterable

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.architectures.published import COSTS
from keras_pyconv.arguments import integer, refuse
from keras_pyconv.complexity.grid import grid
from keras_pyconv.complexity.network import complexity

# Where the figures of other sizes than the usual 224 are printed.
SOURCES = {320: "supplement, Table 4"}

COUNTING_RULE = (
    "Parameters: trainable scalars, without the moving statistics of batch "
    "normalization. Multiply-adds: convolutions and dense layers, a product "
    "and its addition as one. Paper's convention: operations as thop counted "
    "them in mid-2019, normalization, activation and pooling included. "
    "Printed: by the source, in the paper's convention."
)


def networks_table(
    names: Iterable[str] | None = None,
    input_size: int | None = None,
    style: str = "markdown",
) -> str:
    """One network a row: counts by closed form beside the printed figures.

    Args:
        names: of records of any kind; by default the rows of
            `ARCHITECTURES`.
        input_size: height and width of the input, in pixels; by default the
            size at which the paper counts.
        style: `"text"` or `"markdown"`.

    Returns:
        The table. `COUNTING_RULE` says how its figures are counted; print it
        beside them.

    Raises:
        ValueError: if a name or the style is unknown.
    """
    header = [
        "Network",
        "Parameters, M",
        "Multiply-adds (conv + dense), G",
        "Operations (paper's convention), G",
        "Printed, M / G",
        "Source",
    ]
    names = list(ARCHITECTURES) if names is None else names
    if isinstance(names, (str, dict)) or not isinstance(names, Iterable):
        refuse("names", names, "an iterable of names")
    if input_size is not None:
        integer("input_size", input_size)
    rows = [_row(name, input_size) for name in names]
    return grid(header, rows, style, words=("Network", "Source"))


def _row(name, size):
    count = complexity(name, size)
    size = count.input_shape[-2]
    printed = COSTS.get((name, size))
    return [
        name,
        f"{count.parameters / 1e6:.2f}",
        f"{count.multiply_adds / 1e9:.2f}",
        f"{count.paper_ops / 1e9:.2f}",
        f"{printed[0]:.2f} / {printed[1]:.2f}" if printed else "",
        (printed and SOURCES.get(size)) or count.architecture.source,
    ]
