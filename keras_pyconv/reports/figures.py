"""Figures of reports: each function answers a `matplotlib.figure.Figure`."""

import numpy as np

from keras_pyconv.figures import share
from keras_pyconv.reading import plain
from keras_pyconv.reports.measures import BINS, LEVELS, shares

_FEW = 12  # classes with numbers in the cells, and lines of their own
_NAMED = 40  # classes with names on the axes
_BLUE, _RED, _GRAY = "#1f5fa8", "#c0392b", "#8a8a8a"
_COLUMNS = 6  # of a sheet
_WIDTH = 4.8  # inches


def _axes(width, height, rows=1, columns=1, **options):
    # Not pyplot's, which has a state and may want a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize="small")
    return figure, axes.ravel()


def _percent(axis, name, label):
    """Shares on an axis, in per cent."""
    from matplotlib.ticker import PercentFormatter

    getattr(axis, f"{name}axis").set_major_formatter(
        PercentFormatter(1, symbol=" %")
    )
    axis.set(**{f"{name}label": label, f"{name}lim": (0, 1.005)})


def _short(number):
    """A count in few characters."""
    from matplotlib.ticker import EngFormatter

    return EngFormatter(places=0, sep="")(number) if number > 9999 else number


def confusion(counts, names, as_rates=False):
    """Who is taken for whom: the darker a cell, the more of its row.

    The cells of few classes hold their counts, or their shares in per cent.
    """
    from matplotlib.colors import PowerNorm

    rates, few = shares(counts), len(names) <= _FEW
    side = np.clip(0.5 * len(names), _WIDTH, 9)
    figure, (axis,) = _axes(side, 0.85 * side)
    # The root shows rare mistakes beside frequent right answers.
    drawn = axis.imshow(rates, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    for i, j in np.argwhere(counts) if few else ():
        text = f"{100 * rates[i, j]:.0f}" if as_rates else _short(counts[i, j])
        color = "white" if rates[i, j] > 0.3 else "black"
        place = {"ha": "center", "va": "center", "fontsize": "small"}
        axis.text(j, i, text, color=color, **place)
    if len(names) <= _NAMED:
        short = [plain(name, 20) for name in names]
        upright = max(map(len, short)) > 3
        axis.set_xticks(range(len(names)), short, rotation=90 * upright)
        axis.set_yticks(range(len(names)), short)
    axis.spines[:].set_visible(False)
    axis.set(xlabel="given", ylabel="true")
    bar = figure.colorbar(drawn, ax=axis, shrink=0.7, ticks=[0, 0.1, 0.5, 1])
    bar.ax.set_yticklabels(["0 %", "10 %", "50 %", "100 %"], fontsize="small")
    bar.outline.set_visible(False)
    return figure


def curves(levels, scores, names):
    """Precision by recall: a line a class, or of many the mean and the worst.

    `levels` is `(classes, 101)`, NaN where a class never occurs, and `scores`
    the average precision.
    """
    figure, (axis,) = _axes(_WIDTH, 3.4)
    known = np.flatnonzero(np.isfinite(scores))
    shown = known
    if len(known) > _FEW:
        shown = known[np.argsort(scores[known])[:3]]
        band = np.nanpercentile(levels[known], (10, 90), axis=0)
        label = "80 % of the classes"
        axis.fill_between(LEVELS, *band, color="#dddddd", lw=0, label=label)
    for place, number in enumerate(shown):
        label = f"{plain(names[number], 18)}  {share(scores[number])}"
        style = {"color": f"C{place % 10}", "label": label}
        style["ls"] = "-" if place < 10 else "--"
        axis.plot(LEVELS, levels[number], lw=1, **style)
    if len(known):
        mean, label = levels[known].mean(axis=0), scores[known].mean()
        style = {"color": "black", "lw": 2.2, "label": f"mean  {share(label)}"}
        axis.plot(LEVELS, mean, **style)
    _percent(axis, "x", "recall")
    _percent(axis, "y", "precision")
    style = {"fontsize": "small", "frameon": False, "title": "AP"}
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), **style)
    return figure


def reliability(sums, error):
    """Accuracy beside confidence, and below how many answers there are.

    `sums` are those of `confidence_sums`, `error` the calibration error.
    """
    grid = {"height_ratios": [4, 1]}
    figure, (axis, below) = _axes(
        _WIDTH, 4, rows=2, sharex=True, gridspec_kw=grid
    )
    count, known = sums[0], sums[0] > 0
    confidence, accuracy = sums[1:, known] / count[known]
    axis.plot([0, 1], [0, 1], "--", color=_GRAY, lw=1)
    gap = {"color": _RED, "lw": 2, "label": f"gap, {share(error)} on average"}
    axis.vlines(confidence, accuracy, confidence, **gap)
    dots = {"color": _BLUE, "clip_on": False, "label": "a bin of answers"}
    axis.plot(confidence, accuracy, "o-", **dots)
    axis.legend(loc="upper left", frameon=False, fontsize="small")
    left = np.arange(BINS)[known] / BINS
    heights = count[known] / count.sum().clip(1)
    bars = {"align": "edge", "color": _GRAY, "edgecolor": "white"}
    below.bar(left, heights, 1 / BINS, **bars)
    _percent(axis, "y", "accuracy")
    _percent(below, "y", "answers")
    _percent(below, "x", "confidence")
    below.set_ylim(0, 1.1 * heights.max(initial=0.01))
    return figure


def by_size(rows, unit, label):
    """Bars of a share by size, with 95 % intervals where they are known.

    `rows` are those of `measures.by_size`; `label` is what the share is.
    """
    least, most, number, shown, low, high = np.array(rows, float).T
    figure, (axis,) = _axes(_WIDTH, 3.4)
    places, reach = np.arange(len(rows)), None
    if np.isfinite(low).all():
        reach = np.clip((shown - low, high - shown), 0, 1)
    bars = axis.bar(places, shown, 0.7, yerr=reach, color=_BLUE)
    text = list(map(share, shown))
    axis.bar_label(bars, text, padding=2, fontsize="small")
    named = [
        f"{a:.0f} to {b:.0f}\nn = {n:.0f}"
        for a, b, n in zip(least, most, number)
    ]
    axis.set_xticks(places, named)
    _percent(axis, "y", label)
    axis.set(xlabel=unit, ylim=(0, 1.1))
    return figure


def sheet(mistakes):
    """Images with what they are and what was said, the worst first."""
    columns = min(_COLUMNS, len(mistakes))
    rows = -(-len(mistakes) // columns)
    shapes = [one.pixels.shape for one in mistakes if one.pixels is not None]
    tallest = max((height / width for height, width, _ in shapes), default=0)
    size = 1.7 * columns, (1.7 * tallest + 0.5) * rows + 0.3
    figure, axes = _axes(*size, rows, columns)
    for axis in axes:
        axis.axis("off")
    for axis, one in zip(axes, mistakes):
        if one.pixels is not None:
            axis.imshow(one.pixels)
        said = f"{plain(one.truth, 26)}\n{plain(one, 26)}"
        axis.set_title(said, fontsize=8)
    return figure
