"""COCO's twelve numbers, computed by pycocotools itself.

The facts a reader would get wrong: pictures without a detection count, which
some wrappers forget; crowds are neither found nor missed; the numbers do not
depend on the order of pictures. -1 means that nothing of that size is there.
"""

import contextlib
import io

import numpy as np

NUMBERS = (
    *("AP", "AP50", "AP75", "AP S", "AP M", "AP L"),
    *("AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
)


def _silently(function, *args):
    """pycocotools prints what it does."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


def _coco_box(box):
    """ymin, xmin, ymax, xmax to x, y, width, height."""
    ymin, xmin, ymax, xmax = (float(side) for side in box)
    return [xmin, ymin, xmax - xmin, ymax - ymin]


class GroundTruth:
    """The objects of a set of pictures, as pycocotools takes them.

    Add pictures one by one with `add`, or read a COCO file with `of_file`.

    Args:
        categories: ids of the categories by label; by default a label is
            its own id.
    """

    def __init__(self, categories=None):
        self.categories = None if categories is None else list(categories)
        self._images = []
        self._annotations = []
        self._file = None

    @classmethod
    def of_file(cls, annotations, categories):
        """The objects of a COCO annotation file, areas and crowds as there.

        Args:
            annotations: path of the JSON file.
            categories: ids of the categories by label.
        """
        from pycocotools.coco import COCO

        truth = cls(categories)
        truth._file = _silently(COCO, str(annotations))
        return truth

    def add(self, image_id, shape, boxes, labels, crowds=None, areas=None):
        """Adds one picture.

        Args:
            image_id: an integer, another for every picture.
            shape: height and width in pixels.
            boxes: `(objects, 4)` ymin, xmin, ymax, xmax in pixels.
            labels: `(objects,)` from 0.
            crowds: `(objects,)` bool; none are crowds by default.
            areas: `(objects,)` in pixels, by which objects are small, medium
                or large; by default those of the boxes.
        """
        self._images.append(
            {
                "id": int(image_id),
                "height": int(shape[0]),
                "width": int(shape[1]),
            }
        )
        for number, (box, label) in enumerate(zip(boxes, labels)):
            box = _coco_box(box)
            area = box[2] * box[3] if areas is None else float(areas[number])
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": int(image_id),
                    "category_id": self.category(label),
                    "bbox": box,
                    "area": area,
                    "iscrowd": int(crowds is not None and crowds[number]),
                }
            )

    def category(self, label) -> int:
        """The id of a label's category."""
        label = int(label)
        return label if self.categories is None else self.categories[label]

    def coco(self):
        """The `pycocotools.coco.COCO` of all that was added."""
        from pycocotools.coco import COCO

        if self._file is not None:
            return self._file
        ids = [image["id"] for image in self._images]
        if len(set(ids)) < len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise ValueError(f"Two pictures have the id {twice}.")
        found = {row["category_id"] for row in self._annotations}
        known = found if self.categories is None else self.categories
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": sorted(self._images, key=lambda row: row["id"]),
            "annotations": self._annotations,
            "categories": [
                {"id": i, "name": str(i)} for i in sorted(set(known))
            ],
        }
        _silently(coco.createIndex)
        return coco


class DetectionResults:
    """Detections by picture, to be judged against a `GroundTruth`."""

    def __init__(self):
        self._by_image = {}

    def add(self, image_id, boxes, labels, scores):
        """Adds the detections of one picture, also where there are none.

        Args:
            image_id: the picture's, an integer.
            boxes: `(n, 4)` ymin, xmin, ymax, xmax in pixels.
            labels: `(n,)` from 0.
            scores: `(n,)`.

        Raises:
            ValueError: if the picture has been added before.
        """
        if int(image_id) in self._by_image:
            raise ValueError(f"The picture {image_id} is there already.")
        self._by_image[int(image_id)] = [
            (_coco_box(box), int(label), float(score))
            for box, label, score in zip(boxes, labels, scores)
        ]

    def rows(self, truth: GroundTruth) -> list[dict]:
        """As COCO's result files have them, in the order of image ids."""
        return [
            {
                "image_id": image_id,
                "category_id": truth.category(label),
                "bbox": box,
                "score": score,
            }
            for image_id in sorted(self._by_image)
            for box, label, score in self._by_image[image_id]
        ]


def _evaluated(truth, results, image_ids=None):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco = truth.coco()
    rows = results.rows(truth)
    # Without any detection `loadRes` fails, and all numbers are 0 or -1.
    found = _silently(coco.loadRes, rows) if rows else COCO()
    if not rows:
        found.dataset = {**coco.dataset, "annotations": []}
        _silently(found.createIndex)
    evaluation = COCOeval(coco, found, "bbox")
    if image_ids is not None:
        evaluation.params.imgIds = sorted(int(i) for i in image_ids)
    for step in ("evaluate", "accumulate", "summarize"):
        _silently(getattr(evaluation, step))
    return evaluation


def coco_numbers(truth, results, image_ids=None) -> dict[str, float]:
    """The twelve numbers, in [0, 1], by the names of the paper's table.

    Args:
        truth: a `GroundTruth`.
        results: `DetectionResults`. A picture of the truth that is missing
            here has no detections.
        image_ids: the pictures to judge; by default all of the truth.

    Returns:
        Dictionary from `NUMBERS` to floats; -1 where there is no object.

    Raises:
        ValueError: if results are of pictures that the truth lacks.
    """
    known = set(truth.coco().getImgIds())
    unknown = sorted(set(results._by_image) - known)
    if unknown:
        raise ValueError(
            f"{len(unknown)} pictures of the results are not in the ground "
            f"truth, such as {unknown[0]}."
        )
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
