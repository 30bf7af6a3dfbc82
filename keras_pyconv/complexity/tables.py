"""Every network and its cost beside what the paper prints.

The printed figures are data here, so that a difference shows. They are in
millions of parameters and 10^9 operations by the paper's convention, not in
plain multiply-adds.
"""

from collections.abc import Iterable

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.complexity.grid import grid
from keras_pyconv.complexity.network import complexity

# Printed parameters (10^6) and GFLOPs, by network and input size.
PRINTED = {
    # Tables 1 and 3
    ("ResNet50", 224): (25.56, 4.14),
    ("ResNet101", 224): (44.55, 7.88),
    ("ResNet152", 224): (60.19, 11.62),
    # comments in the authors' code
    ("PyConvResNet18", 224): (5.91, 0.88),
    ("PyConvResNet34", 224): (11.09, 1.75),
    # Tables 1 and 3
    ("PyConvResNet50", 224): (24.85, 3.88),
    ("PyConvResNet101", 224): (42.31, 7.31),
    ("PyConvResNet152", 224): (56.64, 10.72),
    ("PyConvHGResNet50", 224): (25.23, 4.61),
    ("PyConvHGResNet101", 224): (44.63, 8.42),
    ("PyConvHGResNet152", 224): (60.66, 12.29),
    # comments in the authors' code
    ("PyConvResNet18BasicBlock1", 224): (11.21, 1.55),
    ("PyConvResNet34BasicBlock1", 224): (20.44, 3.09),
    # Table 2
    ("Ablation1111", 224): (25.56, 4.14),
    ("Ablation2221", 224): (24.91, 3.91),
    ("Ablation3321", 224): (24.85, 3.85),
    ("Ablation4321", 224): (24.85, 3.84),
    ("Ablation4321Max", 224): (24.85, 3.88),
    ("Ablation4321Final", 224): (24.85, 3.88),
    ("AblationTop4321", 224): (24.24, 3.63),
    ("Ablation5432", 224): (23.45, 3.71),
    # supplement, Table 4
    ("PyConvResNet50", 320): (24.85, 7.91),
    ("PyConvResNet101", 320): (42.31, 14.92),
}

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
    input_size: int = 224,
    style: str = "markdown",
) -> str:
    """One network a row: counts by closed form beside the printed figures.

    Args:
        names: rows of `ARCHITECTURES`; all by default.
        input_size: height and width of the input, in pixels.
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
    names = list(ARCHITECTURES) if names is None else list(names)
    rows = [_row(name, input_size) for name in names]
    return grid(header, rows, style, words=("Network", "Source"))


def _row(name, size):
    count = complexity(name, (size, size, 3))
    printed = PRINTED.get((name, size))
    return [
        name,
        f"{count.parameters / 1e6:.2f}",
        f"{count.multiply_adds / 1e9:.2f}",
        f"{count.paper_ops / 1e9:.2f}",
        f"{printed[0]:.2f} / {printed[1]:.2f}" if printed else "",
        (printed and SOURCES.get(size)) or count.architecture.source,
    ]
