"""COCO's twelve numbers, computed by pycocotools itself.

Images without a detection count; crowds are neither found nor missed; -1 means
that nothing of that size is there. pycocotools takes an annotation's id 0 for
"not found" and a box of NaN for a match with all, so what it gets is checked.
"""

import collections
import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.reading import short
from keras_pyconv.tasks.detection.annotations import (
    Annotations,
    known_id,
    read_annotations,
)
from keras_pyconv.tasks.detection.decoding import DecodeDetections
from keras_pyconv.tasks.detection.predict import to_pixels
from keras_pyconv.typing import ArrayLike, PathLike

NUMBERS = (
    *("AP", "AP50", "AP75", "AP S", "AP M", "AP L"),
    *("AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
)


def _silently(function, *args):
    """pycocotools prints what it does."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


# What is given ---------------------------------------------------------------


def _numbers_of(what, given, shape):
    """Finite numbers of a shape, in which None is any length."""
    try:
        values = np.asarray(given)
    except (ValueError, TypeError):  # Of rows of unequal length, or symbolic.
        values = np.asarray(None)
    values = values.reshape(0, *shape[1:]) if values.size == 0 else values
    fits = values.ndim == len(shape) and values.dtype.kind in "biuf"
    sizes = zip(shape, values.shape)
    if not fits or any(known not in (None, size) for known, size in sizes):
        wanted = str(shape).replace("None", "any")
        raise ValueError(
            f"{what} must be numbers of the shape {wanted}. Received: "
            f"{values.dtype} of the shape {values.shape}: "
            f"{arguments.shown(given)}"
        )
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row = int(wrong[0][0])
        raise ValueError(
            f"{what} must be finite. Received in row {row}: "
            f"{values[row].tolist()}, of {arguments.shown(given)}"
        )
    return values


# What is said of each box, beside scores, and which of it can be.
_RULES = {
    "labels": ("whole from 0", lambda v: (v >= 0) & (v.dtype.kind in "iu")),
    "crowds": ("0 or 1", lambda v: (v == 0) | (v == 1)),
    "areas": ("from 0 to 2**53", lambda v: (v >= 0) & (v <= 2**53)),
}


def _checked(image_id, boxes, least_side, **columns):
    """Boxes as x, y, width, height, and what else is said of each."""
    what = f"of the image {short(image_id)}"
    name = f"The boxes (ymin, xmin, ymax, xmax) {what}"
    given = _numbers_of(name, boxes, (None, 4))
    ymin, xmin, ymax, xmax = given.astype("float64").T
    boxes = np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1)
    columns = {k: v for k, v in columns.items() if v is not None}
    for name, column in columns.items():
        columns[name] = _numbers_of(f"The {name} {what}", column, (len(boxes),))
        rule, good = _RULES.get(name, ("", None))
        if good and not good(columns[name]).all():
            raise ValueError(
                f"The {name} {what} must be {rule}. Received: "
                f"{arguments.shown(column)}"
            )
    wrong = np.flatnonzero((boxes[:, 2:] < least_side).any(1))
    if wrong.size:
        raise ValueError(
            f"The boxes {what} must have ymin < ymax and xmin < xmax. Received "
            f"in row {wrong[0]}: {given[wrong[0]].tolist()}"
        )
    return boxes, columns


def _id(name, value):
    with arguments.told(name, value, "a whole number of 64 bits, or text"):
        return known_id(value)


def _repeated(ids):
    counts = collections.Counter(ids)
    return [one for one, count in counts.items() if count > 1]


def _order(one):
    """Numbers before text, each sorted."""
    return isinstance(one, str), one


def _own_ids(ids):
    """What pycocotools gets for ids: themselves, or their places if text."""
    if not any(isinstance(one, str) for one in ids):
        return {one: one for one in ids}
    return {one: n for n, one in enumerate(sorted(ids, key=_order), 1)}


class GroundTruth:
    """The objects of a set of images, as pycocotools takes them.

    Add images one by one with `add`, or read a COCO file with `of_file`.

    Args:
        categories: ids of the categories by label, whole numbers or text, all
            different; by default a label is its own id.
    """

    def __init__(self, categories: Iterable[int | str] | None = None):
        if categories is not None:
            arguments.iterable("categories", categories)
            with arguments.told("categories", categories, "ids, all different"):
                if isinstance(categories, (set, frozenset)):
                    raise TypeError("a set has no order")
                categories = [known_id(one) for one in categories]
                if twice := _repeated(categories):
                    raise ValueError(
                        "Each label must have a category of its own. Received "
                        f"{twice[0]!r} more than once."
                    )
        self.categories = categories
        self._images = []
        self._objects = []
        self._coco = None

    @classmethod
    def of_file(
        cls, annotations: PathLike, categories: Iterable[int | str]
    ) -> Self:
        """The objects of a COCO annotation file, areas and crowds as there.

        Args:
            annotations: path of the JSON file.
            categories: ids of the categories by label.
        """
        arguments.file("annotations", annotations)
        given = arguments.iterable("categories", categories)
        categories = cls(given).categories
        rows = read_annotations(annotations, categories)
        return cls.of_annotations(rows, categories)

    @classmethod
    def of_annotations(
        cls,
        rows: Annotations,
        categories: Iterable[int | str] | None,
        box_areas: bool = False,
    ) -> Self:
        """The objects of `Annotations`, with ids of the categories by label.

        `box_areas` takes the boxes' areas for those of the objects.
        """
        truth = cls(categories)
        objects = rows.objects
        areas = objects.box_areas() if box_areas else objects.known_areas()
        columns = (objects.categories, objects.boxes.tolist())
        columns += (objects.crowds, areas)
        for image, begin, end in zip(rows.images, rows.ends, rows.ends[1:]):
            size = (image.height, image.width)
            truth._add(image.id, size, *(x[begin:end] for x in columns))
        return truth

    def add(
        self,
        image_id: int | str,
        shape: Sequence[int],
        boxes: ArrayLike,
        labels: ArrayLike,
        crowds: ArrayLike | None = None,
        areas: ArrayLike | None = None,
    ) -> None:
        """Adds one image.

        Args:
            image_id: a whole number or a text, another for every image.
            shape: height and width in pixels.
            boxes: `(objects, 4)` ymin, xmin, ymax, xmax in pixels, of some
                height and width.
            labels: `(objects,)` from 0.
            crowds: `(objects,)` bool; none are crowds by default.
            areas: `(objects,)` in pixels, by which objects are small, medium
                or large; by default those of the boxes.

        Raises:
            ValueError: no id, no boxes, not one value for each box, or an
                unknown label.
        """
        image_id = _id("image_id", image_id)
        arguments.integers("shape", shape, 2)
        columns = {"labels": labels, "crowds": crowds, "areas": areas}
        boxes, given = _checked(image_id, boxes, np.nextafter(0, 1), **columns)
        self._add(
            image_id,
            shape,
            [self.category(label) for label in given["labels"]],
            boxes.tolist(),
            given.get("crowds", np.zeros(len(boxes), bool)),
            given.get("areas", boxes[:, 2] * boxes[:, 3]),
        )

    def _add(self, image_id, shape, categories, boxes, crowds, areas):
        """Adds an image of checked rows, boxes as x, y, width, height."""
        self._coco = None
        height, width = map(int, shape)
        self._images.append({"id": image_id, "height": height, "width": width})
        names = ("category_id", "bbox", "iscrowd", "area")
        rows = zip(categories, boxes, map(int, crowds), map(float, areas))
        self._objects += [
            {"image_id": image_id, **dict(zip(names, row))} for row in rows
        ]

    def category(self, label: int) -> int | str:
        """The id of a label's category."""
        label = arguments.integer("label", label, 0)
        if self.categories is None:
            return label
        if label >= len(self.categories):
            raise ValueError(
                f"Labels must be from 0 to {len(self.categories) - 1}, as "
                f"there are categories. Received: label={label}"
            )
        return self.categories[label]

    def _ids(self):
        """What pycocotools gets for the ids of images and of categories."""
        known = self.categories
        if known is None:
            known = {row["category_id"] for row in self._objects}
        return _own_ids([row["id"] for row in self._images]), _own_ids(known)

    def coco(self) -> Any:
        """The `pycocotools.coco.COCO` of all that was added.

        Annotations are numbered from 1 on. Ids of images and of categories
        stay, but for those that are text, whose sorted order is numbered.
        """
        from pycocotools.coco import COCO

        if self._coco is not None:
            return self._coco
        if twice := _repeated(row["id"] for row in self._images):
            raise ValueError(f"Two images have the id {twice[0]!r}.")
        images, categories = self._ids()
        rows = sorted(self._images, key=lambda row: _order(row["id"]))
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{**row, "id": images[row["id"]]} for row in rows],
            "annotations": [
                {"id": number, **row}
                for number, row in enumerate(self.numbered(self._objects), 1)
            ],
            "categories": [
                {"id": number, "name": str(one)}
                for one, number in categories.items()
            ],
        }
        _silently(coco.createIndex)
        self._coco = coco
        return coco

    def numbered(self, rows: Iterable[Mapping[str, Any]]) -> list[dict]:
        """Rows of results with the ids of `coco()`."""
        images, categories = self._ids()

        def numbered(image_id, category_id, **others):
            category_id = categories.get(category_id, category_id)
            ids = {"image_id": images[image_id], "category_id": category_id}
            return {**others, **ids}

        return [numbered(**row) for row in rows]

    def numbers_of(self, image_ids: Iterable[int | str]) -> list[int]:
        """Images by the ids of `coco()`; refuses those that are unknown."""
        images, _ = self._ids()
        image_ids = {
            _id(f"image_ids[{place}]", one)
            for place, one in enumerate(image_ids)
        }
        unknown = sorted(image_ids - set(images), key=_order)
        if unknown:
            raise ValueError(
                f"{len(unknown)} of `image_ids` are not in the truth, such "
                f"as {unknown[0]!r}."
            )
        return sorted(images[one] for one in image_ids)


class DetectionResults:
    """Detections by image, to be judged against a `GroundTruth`."""

    def __init__(self):
        self._by_image = {}

    @property
    def image_ids(self) -> list:
        """The images that were added, in their order."""
        return list(self._by_image)

    def add(
        self,
        image_id: int | str,
        boxes: ArrayLike,
        labels: ArrayLike,
        scores: ArrayLike,
    ) -> None:
        """Adds the detections of one image, also where there are none.

        Args:
            image_id: the image's, a whole number or a text.
            boxes: `(n, 4)` ymin, xmin, ymax, xmax in pixels.
            labels: `(n,)` from 0.
            scores: `(n,)`.

        Raises:
            ValueError: the image was added, or a box or score is not finite.
        """
        image_id = _id("image_id", image_id)
        if image_id in self._by_image:
            raise ValueError(f"The image {image_id!r} was already added.")
        columns = {"labels": labels, "scores": scores}
        for name, column in columns.items():
            rule = "numbers, one for each box"
            arguments.check(name, column, column is not None, rule)
        boxes, columns = _checked(image_id, boxes, 0, **columns)
        rows = (x.tolist() for x in (boxes, *columns.values()))
        self._by_image[image_id] = list(zip(*rows))

    def rows(self, truth: GroundTruth) -> list[dict]:
        """As COCO's result files have them, in the order of image ids."""
        arguments.instance("truth", truth, GroundTruth)
        return [
            {
                "image_id": image_id,
                "category_id": truth.category(label),
                "bbox": box,
                "score": score,
            }
            for image_id in sorted(self._by_image, key=_order)
            for box, label, score in self._by_image[image_id]
        ]


def collect_detections(
    model: keras.Model, batches: Iterable[Any], **options: float
) -> DetectionResults:
    """Detects in every image of some batches.

    Args:
        model: a `PyConvSSD` or `SSD` of a fixed image size.
        batches: iterable of (images, ids, sides), such as
            `keras_pyconv.datasets.evaluation_scenes` gives.
        **options: of `DecodeDetections`.

    Returns:
        The `DetectionResults`, in pixels of the images.
    """
    arguments.iterable("batches", batches)
    layer = DecodeDetections.for_model(model, **options)
    found_in = tf.function(
        lambda images: layer(model(images, training=False)),
        reduce_retracing=True,
    )
    results, names = DetectionResults(), ("boxes", "labels", "scores", "count")
    for images, ids, sides in batches:
        found = found_in(images)
        columns = [np.asarray(found[name]) for name in names]
        for image_id, side, *rows, count in zip(
            np.asarray(ids), np.asarray(sides), *columns
        ):
            boxes, labels, scores = (row[:count] for row in rows)
            results.add(image_id, to_pixels(boxes, *side), labels, scores)
    return results


# What pycocotools says -------------------------------------------------------


def own_ids(truth):
    """`{id of coco(): own}` of the images, and `{id of coco(): label}`."""
    images, categories = truth._ids()
    known = truth.categories
    labels = {one: one for one in categories}
    if known is not None:
        labels = {one: label for label, one in enumerate(known)}
    return (
        {number: one for one, number in images.items()},
        {categories[one]: label for one, label in labels.items()},
    )


def evaluated(truth, results, **settings):
    """The `COCOeval` of some settings, up to its sums."""
    arguments.instance("truth", truth, GroundTruth)
    arguments.instance("results", results, DetectionResults)
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth.numbers_of(results.image_ids)
    coco = truth.coco()
    rows = truth.numbered(results.rows(truth))
    # Without any detection `loadRes` fails, and all numbers are 0 or -1.
    found = _silently(coco.loadRes, rows) if rows else COCO()
    if not rows:
        found.dataset = {**coco.dataset, "annotations": []}
        _silently(found.createIndex)
    evaluation = COCOeval(coco, found, "bbox")
    vars(evaluation.params).update(settings)
    _silently(evaluation.evaluate)
    _silently(evaluation.accumulate)
    return evaluation


def coco_numbers(
    truth: GroundTruth,
    results: DetectionResults,
    image_ids: Iterable[int | str] | None = None,
) -> dict[str, float]:
    """The twelve numbers, in [0, 1], by the names of the paper's table.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`. An image of the truth that is missing
            here has no detections.
        image_ids: the images to judge, one at least; None for all.

    Returns:
        Dictionary from `NUMBERS` to floats; -1 where there is no object.

    Raises:
        ValueError: results of images that the truth lacks, or none to judge.
    """
    arguments.instance("truth", truth, GroundTruth)
    settings = {}
    if image_ids is not None:
        chosen = list(arguments.iterable("image_ids", image_ids))
        if not chosen:
            arguments.refuse("image_ids", image_ids, "ids, one at least")
        settings["imgIds"] = truth.numbers_of(chosen)
    evaluation = evaluated(truth, results, **settings)
    _silently(evaluation.summarize)
    return dict(zip(NUMBERS, evaluation.stats.tolist()))


def ap_by_area(
    truth: GroundTruth, results: DetectionResults, edges: Sequence[float]
) -> list[float]:
    """AP for ranges of the objects' area, where COCO's own do not fit.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`.
        edges: ascending areas in pixels between the ranges; one range more
            than edges is returned.
    """
    given, edges = edges, arguments.array("edges", edges, 1)
    if not (np.diff(edges, prepend=0.0) > 0).all():
        arguments.refuse("edges", given, "ascending areas above 0")
    bounds = [0.0, *map(float, edges), 1e10]
    ranges = list(map(list, zip(bounds, bounds[1:])))
    names = [str(number) for number in range(len(ranges))]
    evaluation = evaluated(truth, results, areaRng=ranges, areaRngLbl=names)
    # Overlaps, recalls, categories, areas, numbers of detections.
    precision = np.moveaxis(evaluation.eval["precision"][..., -1], -1, 0)
    known = [values[values > -1] for values in precision]
    return [float(x.mean()) if x.size else -1.0 for x in known]
