"""The reports of classifiers: of one label an image or video, or several."""

from collections.abc import Callable, Sequence

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.reports import measures
from keras_pyconv.reports.report import (
    WORST,
    Mistake,
    Report,
    assemble,
    names_of,
    shown,
)
from keras_pyconv.tasks.results import THRESHOLD
from keras_pyconv.typing import Array, ArrayLike

_NO_SIZES = "By size: left out, since no sizes are known."


def classification_report(
    labels: ArrayLike,
    scores: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    sizes: ArrayLike | None = None,
    images: Callable[[Array], Sequence[Array]] | None = None,
    title: str = "Classification",
) -> Report:
    """What a classifier got right and wrong, of images or of videos.

    Args:
        labels: int `(n,)`, the true classes from 0.
        scores: float `(n, classes)`, probabilities.
        class_names: of all classes; by default their numbers.
        names: of the images, `(n,)`; by default their places.
        sizes: `(n,)`, such as heights of what is seen, in pixels; None where
            they are not known, and then there is no accuracy by size.
        images: function of places, some of the n, to uint8 images `(height,
            width, 3)`; it is asked once, for the worst mistakes.
        title: of the page.

    Returns:
        A `Report`, with `write(folder)`.

    Raises:
        ValueError: no labels and scores of as many images.
        ImportError: scikit-learn or matplotlib is not installed.

    Example:

    >>> scores = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    >>> report = classification_report([0, 1, 1], scores, ["cat", "dog"])
    >>> report.write("report")
    """
    scores, class_names, names = _classified(
        scores, class_names, names, images, title
    )
    count, classes = scores.shape
    labels, sizes = _checked(count, classes, labels, sizes)
    best = scores.argmax(axis=1)
    sure, hits = scores[np.arange(count), best], best == labels
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, best), 1)
    truth = labels[:, np.newaxis] == np.arange(classes)
    aps, levels = measures.precision_curves(truth, scores)
    wrong = np.flatnonzero(~hits)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")[:WORST]]
    mistakes = [
        Mistake(
            names[place],
            class_names[labels[place]],
            class_names[best[place]],
            share(sure[place]),
            pixels,
        )
        for place, pixels in zip(worst, shown(images, worst))
    ]
    if sizes is not None:
        sizes = measures.by_size(sizes, hits), "size, pixels", "accuracy"
    return assemble(
        title,
        class_names,
        counts,
        columns={"examples": counts.sum(axis=1), "AP": aps},
        curves=(aps, levels),
        sums=measures.confidence_sums(sure, hits),
        sizes=sizes,
        summary={
            "examples": count,
            "accuracy": float(hits.mean()),
            "mean AP": measures.mean(aps),
        },
        mistakes=tuple(mistakes),
        notes=(_NO_SIZES,) * (sizes is None),
    )


def _checked(count, classes, labels, sizes):
    """The labels and sizes of so many images as arrays."""
    real = arguments.array("labels", labels, 1, "iu")
    good = len(real) == count and ((real >= 0) & (real < classes)).all()
    rule = f"from 0 to {classes - 1}, for each of {count} rows of `scores`"
    arguments.check("labels", labels, good, rule)
    if sizes is None:
        return real, None
    known = arguments.array("sizes", sizes, 1)
    good = len(known) == count and np.isfinite(known).all()
    arguments.check("sizes", sizes, good, f"{count} finite numbers")
    return real, known


# Several labels ---------------------------------------------------------------


def multi_label_report(
    labels: ArrayLike,
    scores: ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    threshold: float = THRESHOLD,
    names: Sequence[str] | None = None,
    images: Callable[[Array], Sequence[Array]] | None = None,
    title: str = "Multi-label classification",
) -> Report:
    """What a classifier of several labels got right and wrong.

    Mean AP is the mean of scikit-learn's average precision over the classes
    that occur. A class counts as found from the threshold on.

    Args:
        labels: `(n, classes)` of 0 and 1, or bool.
        scores: float `(n, classes)`, a probability of each class by itself.
        class_names: of all classes; by default their numbers.
        threshold: from 0 to 1, for precision, recall, F1 and the mistakes.
        names: of the images, `(n,)`; by default their places.
        images: as in `classification_report`.
        title: of the page.

    Returns:
        A `Report`, with `write(folder)`.

    Raises:
        ValueError: no labels and scores of as many images and classes.
        ImportError: scikit-learn or matplotlib is not installed.

    Example:

    >>> scores = [[0.9, 0.8], [0.2, 0.7], [0.6, 0.4]]
    >>> labels = [[1, 1], [0, 1], [0, 0]]
    >>> report = multi_label_report(labels, scores, ["cat", "dog"])
    >>> report.write("report")
    """
    scores, class_names, names = _classified(
        scores, class_names, names, images, title
    )
    labels = _label_rows(labels, scores.shape)
    threshold = arguments.number("threshold", threshold, 0, 1)
    found = scores >= threshold
    aps, levels = measures.precision_curves(labels, scores)
    *columns, overall = measures.found_labels(labels, found)
    return assemble(
        title,
        class_names,
        None,
        columns={
            "examples": labels.sum(axis=0),
            "AP": aps,
            **dict(zip(("precision", "recall", "F1"), columns)),
        },
        curves=(aps, levels),
        sums=measures.confidence_sums(scores.ravel(), labels.ravel()),
        sizes=None,
        summary={
            "examples": len(scores),
            "mean AP": measures.mean(aps),
            f"F1 from {threshold:g} on": overall,
            "mean F1 of the classes": measures.mean(columns[2]),
            "all labels right": float((found == labels).all(axis=1).mean()),
        },
        mistakes=_label_mistakes(
            labels, scores, found, class_names, names, images
        ),
    )


def _label_mistakes(labels, scores, found, class_names, names, images):
    """The images whose worst class is farthest from the truth."""
    gaps = np.where(found != labels, np.abs(scores - labels), -1)
    of_class, gaps = gaps.argmax(axis=1), gaps.max(axis=1)
    worst = np.argsort(-gaps, kind="stable")[:WORST]
    worst = worst[gaps[worst] >= 0]
    mistakes = []
    for place, pixels in zip(worst, shown(images, worst)):
        number = of_class[place]
        own = [class_names[n] for n in np.flatnonzero(labels[place])]
        given = "no " * bool(labels[place, number]) + class_names[number]
        text = share(scores[place, number])
        truth = ", ".join(own) or "no class"
        mistakes.append(Mistake(names[place], truth, given, text, pixels))
    return tuple(mistakes)


def _label_rows(labels, shape):
    """The labels as an array of bool."""
    real = arguments.array("labels", labels, 2, "iubf")
    good = real.shape == shape and np.isin(real, (0, 1)).all()
    rule = f"0 or 1, of shape {shape} as `scores`"
    arguments.check("labels", labels, good, rule)
    return real.astype(bool)


# Both -------------------------------------------------------------------------


def _classified(scores, class_names, names, images, title):
    """What classifiers are told, checked: scores, names of columns and rows."""
    found = arguments.array("scores", scores, 2, "f")
    good = found.size and ((found >= 0) & (found <= 1)).all()
    arguments.check("scores", scores, good, "a row at least, from 0 to 1")
    arguments.function("images", images, optional=True)
    arguments.text("title", title)
    count, classes = found.shape
    class_names = names_of("class_names", class_names, classes)
    return found, class_names, names_of("names", names, count)
