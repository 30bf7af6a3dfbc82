"""How does the time of a prediction grow, beside its multiply-adds?

    python -m benchmarks.growth                 about eight minutes
    python -m benchmarks.growth --parts batch   one of the curves
    python -m benchmarks.growth --smoke         small, a minute

PyConvResNet-50 with larger batches, larger images, more layers and two threads,
and the networks of the paper's Table 2, whose pyramids have at most 1 to 5
levels. The closed form is that of `keras_pyconv.complexity`: the multiply-adds
of all images, by thread. Time is that of the processors, all threads together,
which a busy machine disturbs little, and that of the clock where threads grow.
A picture of the curves stands beside the record.
"""

import statistics
from typing import NamedTuple

import numpy as np

from benchmarks import run
from benchmarks.plan import CURVES, Patience, Suite
from benchmarks.records import newest, record_path, rows_of
from benchmarks.report import devices, middle, processor
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid

LEVELS = ("Ablation1111", "Ablation2221", "Ablation3321", "Ablation4321")
PLACES = {f"PyConvResNet{depth}": depth for depth in (50, 101, 152)}
PLACES |= {n: i for i, n in enumerate((*LEVELS, "Ablation5432"), 1)}
BASES = {"batch": 16, "side": 224, "depth": 50, "threads": 1, "levels": 1}
FULL = {
    "batch": {"batch": (1, 2, 4, 8, 16, 32, 64)},
    "side": {"side": (128, 224, 320, 448, 640), "batch": 4},
    "depth": {"subject": tuple(PLACES)[:3]},
    "threads": {"threads": (1, 2)},
    "levels": {"subject": tuple(PLACES)[3:]},
}
_SMALL = {"subject": ("PyConvResNetMini",), "side": 32}
SMOKE = {"batch": {**_SMALL, "batch": (1, 2)}}


def _mappings(curves):
    shared = {"subject": ("PyConvResNet50",), "contender": ("ours",)}
    return tuple({**shared, "part": p, **own} for p, own in curves.items())


SUITE = Suite(
    name="growth",
    doc=__doc__,
    full=_mappings(FULL),
    smoke=_mappings(SMOKE),
    patience=Patience(turn=1.0),
    minutes=12,
)


class Curve(NamedTuple):
    """What grows, and what it costs; the last two are relative to the base."""

    places: list[int]
    multiply_adds: np.ndarray
    seconds: np.ndarray
    closed_form: np.ndarray
    time: np.ndarray


def _place(row):
    named = row["part"] in ("depth", "levels")
    return PLACES[row["subject"]] if named else row[row["part"]]


def _cost(row):
    shape = (row["side"], row["side"], 3)
    return row["batch"] * complexity(row["subject"], shape).multiply_adds


def _seconds(row):
    """The processors', which others disturb little; of threads the clock's."""
    if row["part"] == "threads":
        return middle(row, "inference")
    return statistics.median(row["processor_seconds"]["inference"])


def _curve(part, rows):
    rows = sorted(rows, key=_place)
    places = [_place(row) for row in rows]
    base = places.index(BASES[part]) if BASES[part] in places else 0
    costs = np.array([_cost(row) for row in rows])
    by_thread = costs / [row["threads"] for row in rows]
    seconds = np.array([_seconds(row) for row in rows])
    relative = (values / values[base] for values in (by_thread, seconds))
    return Curve(places, costs, seconds, *relative)


def curves(*records):
    """The curves, by their names and by what computed them."""
    found = {}
    for row in rows_of(*records):
        if row["turns"]["inference"]:
            who = f"{processor(row)}, {row['precision']}"
            found.setdefault((row["part"], who), []).append(row)
    keys = sorted(found, key=lambda key: (CURVES.index(key[0]), key[1]))
    return {key: _curve(key[0], found[key]) for key in keys}


def show(*records):
    """The devices, and a table of all curves."""
    header = ["", "processor", "multiply-adds, G", "ms", "G a second"]
    header += ["closed form", "measured", "measured / closed form"]
    lines = []
    for (part, who), curve in curves(*records).items():
        for place, cost, seconds, form, time in zip(*curve):
            giga, cells = cost / 1e9, [f"{part} {place}", who]
            cells += [f"{giga:.3g}", f"{1000 * seconds:.0f}"]
            cells += [f"{giga / seconds:.1f}", f"{form:.3g} ×"]
            lines.append([*cells, f"{time:.3g} ×", f"{time / form:.2f}"])
    table = grid(header, lines, "markdown", words=header[:2])
    return "\n\n".join([*devices(*records), table]) + "\n"


def _draw_panel(axis, part, found):
    """What was measured of a curve, over the closed form."""
    closed = {}
    for (named, who), curve in found.items():
        if named == part:
            axis.plot(curve.places, curve.time, "o-", label=who)
            closed |= dict(zip(curve.places, curve.closed_form))
    places = sorted(closed)
    form = [closed[place] for place in places]
    axis.plot(places, form, "k--", label="closed form")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    axis.set_xticks(places, list(map(str, places)))
    axis.minorticks_off()
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 0.45), max(high, 2.2))  # a curve may be flat
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_title(part, loc="left")
    axis.grid(alpha=0.3)


def draw(records, path):
    """The curves, two panels beside each other, to a PNG; returns its path."""
    from matplotlib.figure import Figure

    found = curves(*records)
    parts = list(dict.fromkeys(part for part, _ in found))
    rows = len(parts) // 2 + 1
    figure = Figure(figsize=(6, 2.4 * rows), layout="constrained")
    axes = list(figure.subplots(rows, 2, squeeze=False).flat)
    for axis, part in zip(axes, parts):
        _draw_panel(axis, part, found)
    for axis in axes[len(parts) :]:
        axis.set_axis_off()
    lines = axes[0].get_legend_handles_labels()
    axis.legend(*lines, loc="center", frameon=False)
    figure.supylabel("time, relative")
    figure.savefig(path, dpi=150)
    return path


def main(arguments=None):
    """Entry point; returns the record."""
    options = run.parser_of(SUITE).parse_args(arguments)
    record = run.conduct_suite(SUITE, options, show)
    path = record_path(options, SUITE.name).with_suffix(".png")
    print(draw([record] if record else newest(SUITE.name), path))
    return record


if __name__ == "__main__":
    main()
