"""Every convolution of a model, what replaces it, and what that costs."""

import collections
from dataclasses import dataclass

from keras_pyconv.complexity.cost import Cost
from keras_pyconv.complexity.grid import grid
from keras_pyconv.layers.levels import ResolvedLevel


@dataclass(frozen=True)
class Replacement:
    """One convolution of the model, replaced or left.

    Attributes:
        layer: its name, after the names of the models it is nested in:
            `"backbone/conv2"`.
        kernel: its kernel, such as `(3, 3)`.
        levels: `(kernel_size, filters, groups)` of every level of the PyConv
            in its place; empty where it is left.
        reason: why it is left; empty where it is replaced.
        before: parameters and multiply-adds of the convolution, for one input.
        after: those of what stands in its place. Of a layer that only holds
            convolutions, parameters alone are counted.
    """

    layer: str
    kernel: tuple[int, ...]
    levels: tuple[ResolvedLevel, ...]
    reason: str
    before: Cost
    after: Cost


@dataclass(frozen=True)
class ReplacementReport:
    """Every convolution of a model; `print` shows it as a table.

    Attributes:
        model: the model's name.
        input_shapes: at which multiply-adds are counted, one for each input.
        rows: one `Replacement` for each convolution, in the model's order.
    """

    model: str
    input_shapes: tuple[tuple, ...]
    rows: tuple[Replacement, ...]

    @property
    def replaced(self) -> tuple[Replacement, ...]:
        """The convolutions that become PyConvs."""
        return tuple(row for row in self.rows if row.levels)

    @property
    def left(self) -> tuple[Replacement, ...]:
        """The convolutions that stay, each with its `reason`."""
        return tuple(row for row in self.rows if not row.levels)

    @property
    def before(self) -> Cost:
        """All convolutions of the model, as they are."""
        return sum((row.before for row in self.rows), Cost())

    @property
    def after(self) -> Cost:
        """All convolutions after the replacement."""
        return sum((row.after for row in self.rows), Cost())

    def reasons(self) -> str:
        """Why convolutions are left, with their numbers."""
        counts = collections.Counter(row.reason for row in self.left)
        return "; ".join(f"{n} x {reason}" for reason, n in counts.items())

    def starts(self) -> str:
        """Which levels start from the old filters; empty where none is."""
        if not self.replaced:
            return ""
        counts = collections.Counter(
            (row.levels[0].filters, sum(level.filters for level in row.levels))
            for row in self.replaced
        )
        shares = ", ".join(
            f"{count} x {kept} of {filters}"
            for (kept, filters), count in counts.items()
        )
        return (
            "Weights: the first level of every PyConv starts from the first "
            f"of the old filters ({shares}), its other levels anew; with "
            "keep_weights=False all levels start anew."
        )

    def __str__(self):
        words = "layer", "kernel", "levels (kernel:groups:filters)"
        header = [*words, "parameters", "after", "multiply-adds", "after"]
        lines = [_line(row) for row in self.rows]
        total = _figures(self.before, self.after)
        lines.append(["all convolutions", "", "", *total])
        shapes = ", ".join(str(shape[1:]) for shape in self.input_shapes)
        return (
            f"{self.model}: {len(self.replaced)} of {len(self.rows)} "
            f"convolutions become PyConvs; multiply-adds at {shapes}\n"
            + grid(header, lines, words=words)
            + (f"\n\n{self.starts()}" if self.replaced else "")
        )


def _line(row):
    shown = " ".join(f"{k[0]}:{g}:{f}" for k, f, g in row.levels)
    shown = shown or f"left: {row.reason}"
    kernel = "x".join(map(str, row.kernel))
    return [row.layer, kernel, shown, *_figures(row.before, row.after)]


def _figures(before, after):
    numbers = (before.parameters, after.parameters)
    numbers += (before.multiply_adds, after.multiply_adds)
    return [f"{number:,}" for number in numbers]
