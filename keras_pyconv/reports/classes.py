"""The report of a classifier, of images or of videos."""

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
    scores, labels, sizes = _checked(scores, labels, sizes)
    count, classes = scores.shape
    names = names_of("names", names, count)
    class_names = names_of("class_names", class_names, classes)
    arguments.function("images", images, optional=True)
    arguments.text("title", title)
    best = scores.argmax(axis=1)
    sure, hits = scores[np.arange(count), best], best == labels
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, best), 1)
    curves = [
        measures.precision_curve(labels == number, scores[:, number])
        for number in range(classes)
    ]
    aps, levels = map(np.array, zip(*curves))
    wrong = np.flatnonzero(~hits)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")[:WORST]]
    seen = images(worst) if images and len(worst) else [None] * len(worst)
    mistakes = [
        Mistake(
            names[place],
            class_names[labels[place]],
            class_names[best[place]],
            share(sure[place]),
            pixels,
        )
        for place, pixels in zip(worst, seen)
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


def _checked(scores, labels, sizes):
    """The three as arrays of as many images."""
    found = arguments.array("scores", scores, 2, "f")
    count, classes = found.shape
    good = found.size and ((found >= 0) & (found <= 1)).all()
    arguments.check("scores", scores, good, "a row at least, from 0 to 1")
    real = arguments.array("labels", labels, 1, "iu")
    good = len(real) == count and ((real >= 0) & (real < classes)).all()
    rule = f"from 0 to {classes - 1}, for each of {count} rows of `scores`"
    arguments.check("labels", labels, good, rule)
    if sizes is None:
        return found, real, None
    known = arguments.array("sizes", sizes, 1)
    good = len(known) == count and np.isfinite(known).all()
    arguments.check("sizes", sizes, good, f"{count} finite numbers")
    return found, real, known
