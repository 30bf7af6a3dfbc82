"""The report of a detector: pycocotools matches boxes and has the numbers."""

from collections.abc import Callable, Sequence
from typing import Any

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
from keras_pyconv.tasks.detection import DetectionResults, GroundTruth
from keras_pyconv.tasks.detection.evaluation import evaluated, own_ids
from keras_pyconv.typing import Array

_NOTHING = "(nothing)"
_OVERLAP = 0.5
_SIDE = 240  # pixels that an image has at least when boxes are drawn on it
_EVERY = [0, 1e10]
# COCO's ranges of areas, in pixels.
_RANGES = [_EVERY, [0, 32**2], [32**2, 96**2], [96**2, 1e10]]
# The columns, by overlaps and ranges.
_COLUMNS = {"AP": (slice(None), 0), "AP50": ([0], 0), "AP75": ([5], 0)}
_COLUMNS |= {f"AP {size}": (slice(None), n) for n, size in enumerate("SML", 1)}


def detection_report(
    truth: GroundTruth,
    results: DetectionResults,
    class_names: Sequence[str] | None = None,
    *,
    score: float = 0.3,
    images: Callable[[Sequence[Any]], Sequence[Array]] | None = None,
    title: str = "Boxes",
) -> Report:
    """What a detector found, missed, and took for something else.

    AP is COCO's. Curves, calibration and confusion are at an overlap of 0.5;
    in the confusion an object belongs to the box of the highest score that
    overlaps it, of whichever class.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`.
        class_names: of the labels; by default their numbers.
        score: of the boxes that count in the confusion and as mistakes, at
            least.
        images: function of ids to uint8 images `(height, width, 3)`; it is
            asked once, for the worst mistakes.
        title: of the page.

    Returns:
        A `Report`, with `write(folder)`.

    Raises:
        ValueError: there is no object, results are of images that the truth
            lacks, or there is not a name for each label.
        ImportError: pycocotools, scikit-learn or matplotlib is not installed.
    """
    arguments.instance("truth", truth, GroundTruth)
    arguments.instance("results", results, DetectionResults)
    arguments.number("score", score, 0, 1)
    arguments.function("images", images, optional=True)
    arguments.text("title", title)
    objects = [one for one in truth.coco().anns.values() if not one["iscrowd"]]
    rule = "of one object at least that is no crowd"
    arguments.check("truth", truth, objects, rule)
    labels = _labels(truth, results)
    count = 1 + max(labels.values())
    if truth.categories is None and class_names is not None:
        # The last classes may occur nowhere.
        given = arguments.texts("class_names", class_names)
        count = max(count, len(given))
    names = names_of("class_names", class_names, count)
    areas = np.array([one["area"] for one in objects], float)
    edges = measures.size_edges(areas)
    precision, sums = _judged(truth, results, labels, len(names), edges)
    counts, wrong = _confusion(truth, results, labels, len(names), score)
    columns = {
        name: precision[overlaps, ..., part].mean(axis=(0, 1)).filled(np.nan)
        for name, (overlaps, part) in _COLUMNS.items()
    }
    known = np.ma.filled(precision.mean(axis=(0, 1, 2)), np.nan)
    groups = np.searchsorted(edges[1:-1], areas)
    sides = np.sqrt(edges).tolist()
    rows = zip(
        *(sides[:-1], sides[1:]),
        np.bincount(groups, minlength=len(edges) - 1).tolist(),
        known[len(_RANGES) :].tolist(),
    )
    rows = [(*row, np.nan, np.nan) for row in rows]
    summary: dict[str, float] = {"images": len(truth.coco().imgs)}
    summary["objects"] = len(objects)
    for name in ("AP", "AP50", "AP75"):
        summary[name] = float(np.nanmean(columns[name]))
    note = f"Confusion and mistakes: boxes of a score of {score} at least. "
    note += f"Curves, calibration and confusion: an overlap of {_OVERLAP}."
    return assemble(
        title,
        names,
        counts,
        columns={"objects": counts[:-1].sum(axis=1), **columns},
        curves=(columns["AP50"], precision[0, ..., 0].T.filled(np.nan)),
        sums=sums,
        sizes=(rows, "square root of the area, pixels", "AP"),
        none=(_NOTHING,),
        summary=summary,
        mistakes=_mistakes(truth, labels, wrong, [*names, _NOTHING], images),
        notes=(note,),
    )


def _labels(truth, results):
    """`{id of pycocotools: label}`, of what is found too."""
    labels = own_ids(truth)[1]
    if truth.categories is None:
        found = {row["category_id"] for row in results.rows(truth)}
        labels |= {number: number for number in found}
    return labels


def _judged(truth, results, labels, classes, edges):
    """Precision and `confidence_sums` of all boxes.

    Precision is `(overlaps, recalls, classes, ranges)`, masked where there is
    no object; behind COCO's ranges are those between the edges of sizes.
    """
    # Of pycocotools both ends are in a range.
    lower = [edges[0], *np.nextafter(edges[1:-1], np.inf)]
    ranges = [*_RANGES, *map(list, zip(lower, edges[1:]))]
    names = list(map(str, range(len(ranges))))
    options = {"areaRng": ranges, "areaRngLbl": names}
    judged = evaluated(truth, results, catIds=sorted(labels), **options)
    found = judged.eval["precision"][..., -1]
    precision = np.full((*found.shape[:2], classes, len(ranges)), -1.0)
    precision[:, :, [labels[number] for number in judged.params.catIds]] = found
    scores, hits = [[]], [[]]
    for one in judged.evalImgs:
        if one is not None and one["aRng"] is ranges[0]:
            counted = ~one["dtIgnore"][0].astype(bool)
            scores.append(np.array(one["dtScores"])[counted])
            hits.append(one["dtMatches"][0][counted] > 0)
    sums = measures.confidence_sums(*map(np.concatenate, (scores, hits)))
    return np.ma.masked_less(precision, 0), sums


def _confusion(truth, results, labels, classes, score):
    """Counts with a row and a column for nothing, and the boxes that err.

    These are (score, box, true object or None), of pycocotools.
    """
    options = {"areaRng": [_EVERY], "areaRngLbl": ["all"], "useCats": 0}
    options |= {"catIds": sorted(labels)}
    judged = evaluated(truth, results, iouThrs=[_OVERLAP], **options)
    counts, wrong = np.zeros((classes + 1, classes + 1), int), []

    def label(one):
        return classes if one is None else labels[one["category_id"]]

    for one in filter(None, judged.evalImgs):
        ignored = np.array(one["gtIgnore"], bool)
        missed = set(np.array(one["gtIds"], int)[~ignored].tolist())
        matches = one["dtMatches"][0].astype(int), one["dtIgnore"][0]
        for box, sure, match, ignored in zip(
            one["dtIds"], one["dtScores"], *matches
        ):
            if sure < score or ignored:
                continue
            missed.discard(match)
            pair = judged.cocoGt.anns.get(match), judged.cocoDt.anns[box]
            counts[*map(label, pair)] += 1
            if label(pair[0]) != label(pair[1]):
                wrong.append((sure, *pair))
        for number in missed:
            counts[label(judged.cocoGt.anns[number]), classes] += 1
    return counts, wrong


def _mistakes(truth, labels, wrong, names, images):
    """The most confident of them, drawn: the box in red, the truth in green."""
    worst, own = sorted(wrong, key=lambda one: -one[0])[:WORST], own_ids(truth)
    ids = [own[0][box["image_id"]] for *_, box in worst]
    return tuple(
        Mistake(
            str(one),
            names[labels[real["category_id"]] if real else -1],
            names[labels[box["category_id"]]],
            share(sure),
            None if pixels is None else _drawn(pixels, real, box),
        )
        for one, (sure, real, box), pixels in zip(
            ids, worst, shown(images, ids)
        )
    )


def _drawn(pixels, *boxes):
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels)
    factor = max(1, _SIDE / max(image.size))
    image = image.resize([round(factor * side) for side in image.size])
    pen = ImageDraw.Draw(image)
    for one, color in zip(boxes, ("lime", "red")):
        if one is not None:
            x, y, width, height = (factor * v for v in one["bbox"])
            corners = (x, y, x + width, y + height)
            pen.rectangle(corners, outline=color, width=3)
    return np.asarray(image)
