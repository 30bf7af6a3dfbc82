"""COCO's twelve numbers, computed by pycocotools itself.

The facts a reader would get wrong: pictures without a detection count, which
some wrappers forget; crowds are neither found nor missed; the numbers do not
depend on the order of pictures. -1 means that nothing of that size is there.
pycocotools takes an annotation's id 0 for "not found" and a box of NaN for a
match with all, so what it gets is checked here and has ids of our own.
"""

import collections
import contextlib
import io

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.reading import short
from keras_pyconv.tasks.detection.annotations import known_id, read_annotations

NUMBERS = (
    *("AP", "AP50", "AP75", "AP S", "AP M", "AP L"),
    *("AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
)


def _silently(function, *args):
    """pycocotools prints what it does."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


def _numbers_of(what, values, shape):
    """An array of finite numbers; refuses other values and shapes.

    Args:
        what: they are, for the message.
        values: anything.
        shape: that they must have, with None for any length.
    """
    given = values
    try:
        values = np.asarray(values)
    except ValueError:
        values = np.asarray(values, object)
    values = values.reshape(0, *shape[1:]) if values.size == 0 else values
    fits = len(values.shape) == len(shape) and all(
        known in (None, size) for known, size in zip(shape, values.shape)
    )
    if not fits or values.dtype.kind not in "biuf":
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


def _checked(image_id, boxes, **columns):
    """Boxes as x, y, width, height, and what else is said of each."""
    what = f"of the image {short(image_id)}"
    boxes = _numbers_of(
        f"The boxes (ymin, xmin, ymax, xmax) {what}", boxes, (None, 4)
    )
    ymin, xmin, ymax, xmax = boxes.astype("float64").T
    boxes = np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1)
    return boxes, *(
        _numbers_of(f"The {name} {what}", column, (len(boxes),))
        for name, column in columns.items()
    )


def _check_sides(image_id, boxes, fits):
    """Refuses boxes whose width and height do not fit."""
    wrong = np.flatnonzero(~fits(boxes[:, 2:]).all(1))
    if wrong.size:
        raise ValueError(
            f"The boxes of the image {short(image_id)} must have ymin < ymax "
            f"and xmin < xmax. Received in row {wrong[0]}, as x, y, width, "
            f"height: {boxes[wrong[0]].tolist()}"
        )


def _unique(ids):
    """Ids of categories, of which each must be one and of one kind."""
    if isinstance(ids, (set, frozenset)):
        raise TypeError("a set has no order")
    ids = [known_id(one) for one in ids]
    twice = [i for i, count in collections.Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(
            f"Each label must have a category of its own. Received {twice[0]!r}"
            " more than once."
        )
    return ids


def _order(one):
    """Numbers before text, each sorted."""
    return isinstance(one, str), one


def _own_ids(ids):
    """What pycocotools gets for ids: themselves, or their places if text."""
    if any(isinstance(one, str) for one in ids):
        ordered = sorted(ids, key=_order)
        return {one: number for number, one in enumerate(ordered, 1)}
    return {one: one for one in ids}


class GroundTruth:
    """The objects of a set of pictures, as pycocotools takes them.

    Add pictures one by one with `add`, or read a COCO file with `of_file`.

    Args:
        categories: ids of the categories by label, whole numbers or text; by
            default a label is its own id.

    Raises:
        ValueError: if two labels have one category.
    """

    def __init__(self, categories=None):
        if categories is not None:
            arguments.iterable("categories", categories)
            with arguments.told("categories", categories, "ids, all different"):
                categories = _unique(categories)
        self.categories = categories
        self._images = []
        self._objects = []
        self._coco = None

    @classmethod
    def of_file(cls, annotations, categories):
        """The objects of a COCO annotation file, areas and crowds as there.

        Args:
            annotations: path of the JSON file.
            categories: ids of the categories by label.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: a file that `read_annotations` refuses.
        """
        arguments.file("annotations", annotations)
        given = arguments.iterable("categories", categories)
        categories = cls(given).categories
        rows = read_annotations(annotations, categories)
        return cls.of_annotations(rows, categories)

    @classmethod
    def of_annotations(cls, rows, categories, box_areas=False):
        """The objects of a file that has been read.

        Args:
            rows: the `Annotations`.
            categories: ids of the categories by label.
            box_areas: take the boxes' areas for those of the objects.
        """
        truth = cls(categories)
        objects = rows.objects
        areas = objects.box_areas() if box_areas else objects.known_areas()
        ids = objects.categories
        columns = (objects.boxes.tolist(), objects.crowds, areas)
        for image, begin, end in zip(rows.images, rows.ends, rows.ends[1:]):
            part = slice(begin, end)
            size = (image.height, image.width)
            columns_here = [column[part] for column in columns]
            truth._add(image.id, size, ids[part], *columns_here)
        return truth

    def add(self, image_id, shape, boxes, labels, crowds=None, areas=None):
        """Adds one picture.

        Args:
            image_id: a whole number or a text, another for every picture.
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
        given = {"labels": labels, "crowds": crowds, "areas": areas}
        given = {name: x for name, x in given.items() if x is not None}
        boxes, *columns = _checked(image_id, boxes, **given)
        _check_sides(image_id, boxes, lambda sides: sides > 0)
        given = dict(zip(given, columns))
        self._add(
            image_id,
            shape,
            [self.category(label) for label in given["labels"]],
            boxes.tolist(),
            given.get("crowds", np.zeros(len(boxes), bool)),
            given.get("areas", boxes[:, 2] * boxes[:, 3]),
        )

    def _add(self, image_id, shape, categories, boxes, crowds, areas):
        """Adds a picture of checked rows, boxes as x, y, width, height."""
        self._coco = None
        height, width = map(int, shape)
        self._images.append((image_id, height, width))
        rows = zip(categories, boxes, map(int, crowds), map(float, areas))
        self._objects += [(image_id, *row) for row in rows]

    def category(self, label):
        """The id of a label's category.

        Raises:
            ValueError: if no category has this label.
        """
        label = arguments.integer("label", label, 0)
        if self.categories is None:
            return label
        if not 0 <= label < len(self.categories):
            raise ValueError(
                f"Labels must be from 0 to {len(self.categories) - 1}, as "
                f"there are categories. Received: label={label}"
            )
        return self.categories[label]

    def _ids(self):
        """What pycocotools gets for the ids of images and of categories."""
        known = self.categories
        if known is None:
            known = {row[1] for row in self._objects}
        return _own_ids([row[0] for row in self._images]), _own_ids(known)

    def coco(self):
        """The `pycocotools.coco.COCO` of all that was added.

        Annotations are numbered from 1 on. Ids of images and of categories
        stay, but for those that are text, whose sorted order is numbered.

        Raises:
            ValueError: if two pictures have one id.
        """
        from pycocotools.coco import COCO

        if self._coco is not None:
            return self._coco
        counts = collections.Counter(row[0] for row in self._images)
        for image_id, count in counts.items():
            if count > 1:
                raise ValueError(f"Two pictures have the id {image_id!r}.")
        images, categories = self._ids()
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [
                {"id": images[image_id], "height": height, "width": width}
                for image_id, height, width in sorted(
                    self._images, key=lambda row: _order(row[0])
                )
            ],
            "annotations": [
                {
                    "id": number,
                    "image_id": images[image_id],
                    "category_id": categories[category],
                    "bbox": box,
                    "area": area,
                    "iscrowd": crowd,
                }
                for number, (image_id, category, box, crowd, area) in enumerate(
                    self._objects, 1
                )
            ],
            "categories": [
                {"id": number, "name": str(one)}
                for one, number in categories.items()
            ],
        }
        _silently(coco.createIndex)
        self._coco = coco
        return coco

    def numbered(self, rows):
        """Rows of results with the ids of `coco()`."""
        images, categories = self._ids()
        return [
            {
                **row,
                "image_id": images[row["image_id"]],
                "category_id": categories.get(
                    row["category_id"], row["category_id"]
                ),
            }
            for row in rows
        ]

    def numbers_of(self, image_ids):
        """Pictures by the ids of `coco()`.

        Raises:
            ValueError: if some are not among those that were added.
        """
        images, _ = self._ids()
        image_ids = {_id("image_ids", one) for one in image_ids}
        unknown = sorted(image_ids - set(images), key=_order)
        if unknown:
            raise ValueError(
                f"{len(unknown)} of `image_ids` are not in the truth, such "
                f"as {unknown[0]!r}."
            )
        return sorted(images[one] for one in image_ids)


class DetectionResults:
    """Detections by picture, to be judged against a `GroundTruth`."""

    def __init__(self):
        self._by_image = {}

    @property
    def image_ids(self) -> list:
        """The pictures that were added, in their order."""
        return list(self._by_image)

    def add(self, image_id, boxes, labels, scores):
        """Adds the detections of one picture, also where there are none.

        Args:
            image_id: the picture's, a whole number or a text.
            boxes: `(n, 4)` ymin, xmin, ymax, xmax in pixels.
            labels: `(n,)` from 0.
            scores: `(n,)`.

        Raises:
            ValueError: if the picture has been added before, or a box or
                score is no finite number, which pycocotools takes for a
                match.
        """
        image_id = _id("image_id", image_id)
        if image_id in self._by_image:
            raise ValueError(f"The picture {image_id!r} is there already.")
        columns = _checked(image_id, boxes, labels=labels, scores=scores)
        _check_sides(image_id, columns[0], lambda sides: sides >= 0)
        self._by_image[image_id] = list(zip(*(x.tolist() for x in columns)))

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


def _id(name, value):
    with arguments.told(name, value, "a whole number of 64 bits, or text"):
        return known_id(value)


def _evaluated(truth, results, image_ids=None):
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
    if image_ids is not None:
        evaluation.params.imgIds = truth.numbers_of(image_ids)
    for step in ("evaluate", "accumulate", "summarize"):
        _silently(getattr(evaluation, step))
    return evaluation


def coco_numbers(truth, results, image_ids=None) -> dict[str, float]:
    """The twelve numbers, in [0, 1], by the names of the paper's table.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`. A picture of the truth that is missing
            here has no detections.
        image_ids: the pictures to judge, one at least; by default all of the
            truth.

    Returns:
        Dictionary from `NUMBERS` to floats; -1 where there is no object.

    Raises:
        ValueError: if results are of pictures that the truth lacks, or none
            are to be judged.
    """
    if image_ids is not None:
        given = arguments.iterable("image_ids", image_ids)
        image_ids = list(given)
        if not image_ids:
            arguments.refuse("image_ids", given, "ids, one at least")
    stats = _evaluated(truth, results, image_ids).stats
    return dict(zip(NUMBERS, np.asarray(stats).tolist()))


def ap_by_area(truth, results, edges) -> list[float]:
    """AP for ranges of the objects' area, where COCO's own do not fit.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`.
        edges: ascending areas in pixels between the ranges; one range more
            than edges is returned.
    """
    from pycocotools.cocoeval import COCOeval

    given, edges = edges, arguments.array("edges", edges, 1)
    if not (np.diff(edges, prepend=0.0) > 0).all():
        arguments.refuse("edges", given, "ascending areas above 0")
    full = _evaluated(truth, results)
    bounds = [0.0, *map(float, edges), 1e10]
    evaluation = COCOeval(full.cocoGt, full.cocoDt, "bbox")
    evaluation.params.areaRng = [
        [0.0, 1e10],
        *map(list, zip(bounds, bounds[1:])),
    ]
    evaluation.params.areaRngLbl = [
        str(number) for number in range(len(bounds))
    ]
    _silently(evaluation.evaluate)
    _silently(evaluation.accumulate)
    # Overlaps, recalls, categories, areas, numbers of detections.
    precision = evaluation.eval["precision"][:, :, :, 1:, -1]
    means = []
    for number in range(precision.shape[-1]):
        values = precision[..., number]
        values = values[values > -1]
        means.append(float(values.mean()) if values.size else -1.0)
    return means
