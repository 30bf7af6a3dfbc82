"""The arithmetic of reports: scikit-learn's and SciPy's, where they have it.

Matrices of confusion are `(true, given)`; scores are in [0, 1].
"""

import numpy as np

LEVELS = np.linspace(0, 1, 101)  # of recall, as COCO's
BINS = 15  # of confidence, as in Guo et al., arXiv:1706.04599
GROUPS = 4  # of sizes


def shares(counts):
    """Counts as shares of their row, the true class."""
    return counts / counts.sum(axis=1, keepdims=True).clip(1)


def precision_recall_f1(counts, classes):
    """Of each class, `(3, classes)`; NaN where there is nothing to divide by.

    Rows and columns beyond `classes` are for what is none.
    """
    from sklearn.metrics import precision_recall_fscore_support

    truth, given = np.indices(counts.shape).reshape(2, -1)
    options = {"labels": range(classes), "zero_division": np.nan}
    found = precision_recall_fscore_support(
        truth, given, sample_weight=counts.ravel(), **options
    )
    return np.stack(found[:3])


def found_labels(labels, found):
    """Of several labels the three of each class, and F1 of all together.

    Rows of bool, one an image; NaN where there is nothing to divide by.
    """
    from sklearn.metrics import f1_score, precision_recall_fscore_support

    if labels.shape[1] == 1:  # which scikit-learn takes for two classes
        labels, found = [np.pad(x, ((0, 0), (0, 1))) for x in (labels, found)]
    options = {"zero_division": np.nan}
    *each, _ = precision_recall_fscore_support(labels, found, **options)
    overall = f1_score(labels, found, average="micro", **options)
    return *each, float(overall)


def mean(values):
    """The mean of those that are known; NaN of none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def confused(counts, names, most=10):
    """The table of the classes that are most often taken for another."""
    wrong, rates = counts[: len(names), : len(names)].copy(), shares(counts)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = [divmod(place, len(names)) for place in order.tolist()]
    header = ["true", "given", "count", "share of true"]
    return header, [
        (names[i], names[j], int(wrong[i, j]), float(rates[i, j]))
        for i, j in places
        if wrong[i, j]
    ]


def precision_curve(truth, scores, weights=None):
    """Average precision, and the precision at each of `LEVELS` of recall.

    That is the best at this recall or a higher one, `(101,)`, as COCO counts.
    NaN if nothing is true.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    if not truth.any():
        return np.nan, np.full(len(LEVELS), np.nan)
    weights = {"sample_weight": weights}
    precision, recall, _ = precision_recall_curve(truth, scores, **weights)
    # Recall descends, and ends at 0 by definition, without any answer.
    best = np.maximum.accumulate(precision[:-1])
    places = np.searchsorted(-recall[:-1], -LEVELS, side="right") - 1
    return average_precision_score(truth, scores, **weights), best[places]


def precision_curves(truth, scores):
    """The same of every column: `(columns,)` and `(columns, 101)`."""
    found = map(precision_curve, truth.T, scores.T)
    return tuple(map(np.array, zip(*found)))


def confidence_sums(confidences, hits):
    """Number, confidences and hits in each bin, summed up: `(3, BINS)`.

    The bins are those of scikit-learn's `calibration_curve`, which gives no
    counts, and so cannot be summed up over images.
    """
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidences)
    columns = (np.ones(len(bins)), confidences, hits)
    return np.stack([np.bincount(bins, x, BINS) for x in columns])


def calibration(sums):
    """Mean confidence and accuracy of each bin, as columns."""
    edges = np.linspace(0, 1, BINS + 1)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = sums[1:] / sums[0]
    columns = {"from": edges[:-1], "to": edges[1:]}
    columns |= {"answers": sums[0].astype(int)}
    return {**columns, "confidence": confidence, "accuracy": accuracy}


def calibration_error(sums):
    """Expected calibration error: the mean gap, each bin by its answers."""
    count, confidences, hits = sums
    return float(np.abs(confidences - hits).sum() / count.sum().clip(1))


def size_edges(sizes):
    """Edges of groups of about equally many; fewer where sizes repeat."""
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, GROUPS + 1)))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def by_size(sizes, values):
    """Rows of smallest and largest size, number, mean value, and its bounds.

    Bounds are Wilson's, at 95 %, where values are hits, and else NaN.
    """
    from scipy.stats import binomtest

    groups, rows = np.searchsorted(size_edges(sizes)[1:-1], sizes), []
    for group in np.unique(groups):
        known, inside = values[groups == group], sizes[groups == group]
        bounds = np.nan, np.nan
        if values.dtype == bool:
            test = binomtest(int(known.sum()), len(known))
            bounds = map(float, test.proportion_ci(method="wilson"))
        extent = float(inside.min()), float(inside.max())
        rows.append((*extent, len(known), float(known.mean()), *bounds))
    return rows
