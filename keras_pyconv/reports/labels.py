"""The report of a classifier of several labels an image."""

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
)
from keras_pyconv.tasks.results import THRESHOLD
from keras_pyconv.typing import Array, ArrayLike


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
    scores, labels = _checked(scores, labels)
    count, classes = scores.shape
    names = names_of("names", names, count)
    class_names = names_of("class_names", class_names, classes)
    threshold = arguments.number("threshold", threshold, 0, 1)
    arguments.function("images", images, optional=True)
    arguments.text("title", title)
    found = scores >= threshold
    curves = [
        measures.precision_curve(labels[:, number], scores[:, number])
        for number in range(classes)
    ]
    aps, levels = map(np.array, zip(*curves))
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
            "examples": count,
            "mean AP": measures.mean(aps),
            f"F1 from {threshold:g} on": overall,
            "mean F1 of the classes": measures.mean(columns[2]),
            "all labels right": float((found == labels).all(axis=1).mean()),
        },
        mistakes=_mistakes(labels, scores, found, class_names, names, images),
    )


def _mistakes(labels, scores, found, class_names, names, images):
    """The images whose worst class is farthest from the truth."""
    gaps = np.where(found != labels, np.abs(scores - labels), -1)
    of_class, gaps = gaps.argmax(axis=1), gaps.max(axis=1)
    worst = np.argsort(-gaps, kind="stable")[:WORST]
    worst = worst[gaps[worst] >= 0]
    seen = images(worst) if images and len(worst) else [None] * len(worst)
    mistakes = []
    for place, pixels in zip(worst, seen):
        number = of_class[place]
        own = [class_names[n] for n in np.flatnonzero(labels[place])]
        given = "no " * bool(labels[place, number]) + class_names[number]
        text = share(scores[place, number])
        truth = ", ".join(own) or "no class"
        mistakes.append(Mistake(names[place], truth, given, text, pixels))
    return tuple(mistakes)


def _checked(scores, labels):
    """The two as arrays of one shape."""
    found = arguments.array("scores", scores, 2, "f")
    good = found.size and ((found >= 0) & (found <= 1)).all()
    arguments.check("scores", scores, good, "a row at least, from 0 to 1")
    real = arguments.array("labels", labels, 2, "iubf")
    good = real.shape == found.shape and np.isin(real, (0, 1)).all()
    rule = f"0 or 1, of shape {found.shape} as `scores`"
    arguments.check("labels", labels, good, rule)
    return found, real.astype(bool)
