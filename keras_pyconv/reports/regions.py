"""The report of a segmentation network, image by image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.reports import measures
from keras_pyconv.reports.report import Mistake, Report, Worst, assemble
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.segmentation.classes import color_labels, palette
from keras_pyconv.tasks.segmentation.losses_and_metrics import class_iou
from keras_pyconv.typing import Array

_STEPS = 1000  # of scores, in which the curves are counted
_PIXELS = 2**16  # of an image whose scores are counted, evenly over it
_WORST = 12  # images that are shown
_SIDE = 240  # pixels of those


class Regions:
    """Counts what a segmentation network gets right and wrong.

    It keeps counts of the scores, and small copies of the worst images.

    Args:
        class_names: of all classes.

    Example:

    >>> regions = keras_pyconv.reports.Regions(["background", "cat"])
    >>> watch = {"on_picture": regions.add, "on_scores": regions.add_scores}
    >>> keras_pyconv.tasks.evaluate_segmentation(model, examples, **watch)
    >>> regions.report().write("report")
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = arguments.texts("class_names", class_names)
        classes = len(self.class_names)
        self._counts = np.zeros((classes, classes), int)
        self._scores = np.zeros((classes, 2, _STEPS))
        self._sums = np.zeros((3, measures.BINS))
        self._areas, self._ious, self._images = [], [], 0
        self._worst = Worst(_WORST)

    def add(self, example: Mapping[str, Any], labels: Array) -> None:
        """Counts the answer for an image.

        Args:
            example: dictionary of `image`, `labels` (255 is no class) and
                `name`; one without labels does not count.
            labels: int `(height, width)`, the answer.
        """
        if example.get("labels") is None:
            return
        classes, truth = len(self.class_names), _truth(example)
        valid = truth < classes
        pairs = truth[valid] * classes + labels[valid]
        counts = np.bincount(pairs, minlength=classes**2)
        counts = counts.reshape(classes, classes)
        self._counts += counts
        self._images += 1
        areas, ious = counts.sum(axis=1), class_iou(counts)
        self._areas += areas[areas > 0].tolist()
        self._ious += ious[areas > 0].tolist()
        wrong = counts * (1 - np.eye(classes, dtype=int))
        if not wrong.any():
            return
        pair = np.unravel_index(wrong.argmax(), wrong.shape)
        iou, name = np.nanmean(ious), example.get("name", self._images)
        names = [self.class_names[number] for number in pair]

        def mistake():
            pixels = _beside(read_image(example["image"]), truth, labels)
            return Mistake(str(name), *names, f"IoU {share(iou)}", pixels)

        self._worst.add(-iou, mistake)

    def add_scores(
        self, example: Mapping[str, Any], first: int, scores: Array
    ) -> None:
        """Counts the scores of some rows of an image.

        Args:
            example: as of `add`.
            first: number of the first row.
            scores: float `(rows, width, classes)`, probabilities.
        """
        if example.get("labels") is None:
            return
        truth, classes = _truth(example), len(self.class_names)
        step = max(1, round((truth.size / _PIXELS) ** 0.5))
        rows = slice(-first % step, None, step), slice(None, None, step)
        truth = truth[first : first + len(scores)][rows]
        valid = truth < classes
        truth, scores = truth[valid], np.asarray(scores[rows])[valid]
        best = scores.argmax(axis=1)
        sure = scores[np.arange(len(best)), best]
        self._sums += measures.confidence_sums(sure, best == truth)
        places = np.minimum((scores * _STEPS).astype(int), _STEPS - 1)
        is_true = truth[:, None] == np.arange(classes)
        places += _STEPS * (is_true + 2 * np.arange(classes))
        size = self._scores.size
        counts = np.bincount(places.ravel(), minlength=size)
        self._scores += counts.reshape(self._scores.shape)

    def report(self, title: str = "Segmentation") -> Report:
        """The `Report` of all images so far.

        Args:
            title: of the page.

        Raises:
            ValueError: no image with labels was added.
            ImportError: scikit-learn or matplotlib is not installed.
        """
        arguments.text("title", title)
        if not self._counts.any():
            raise ValueError("No image with labels was added to `Regions`.")
        ious = class_iou(self._counts)
        aps, levels = map(np.array, zip(*map(_curve, self._scores)))
        sizes = np.sqrt(self._areas), np.array(self._ious)
        unit = "square root of a region's area, pixels"
        pixels = self._counts.sum()
        return assemble(
            title,
            self.class_names,
            self._counts,
            columns={
                "pixels": self._counts.sum(axis=1),
                "IoU": ious,
                "AP": aps,
            },
            curves=(aps, levels),
            sums=self._sums,
            sizes=(measures.by_size(*sizes), unit, "mean IoU"),
            summary={
                "images": self._images,
                "mean IoU": float(np.nanmean(ious)),
                "pixel accuracy": float(np.trace(self._counts) / pixels),
            },
            mistakes=tuple(self._worst),
            notes=(
                "Images with the lowest mean IoU, each over its truth and "
                "the answer, with their most frequent mistake.",
                "A region is all of a class in an image. Curves and "
                f"calibration are of at most {_PIXELS:,} pixels of an image.",
            ),
        )


def _truth(example):
    labels = np.asarray(example["labels"], int)
    return labels.reshape(labels.shape[:2])


def _curve(counts):
    """AP and curve of a class, of its counts by truth and score."""
    false, true = counts
    used = (false + true) > 0
    scores, weights = np.arange(_STEPS)[used], np.concatenate(counts[:, used])
    is_true = np.arange(2).repeat(len(scores))
    return measures.precision_curve(
        is_true * (true.sum() > 0), np.tile(scores, 2), weights
    )


def _beside(image, *maps):
    """An image over its truth over its answer, small."""
    from PIL import Image, ImageOps

    colors = palette(256)
    parts = [image, *(color_labels(one, colors) for one in maps)]
    # No colour in between of two classes.
    ways = [Image.Resampling.BICUBIC] + 2 * [Image.Resampling.NEAREST]
    small = [
        ImageOps.contain(Image.fromarray(part), (_SIDE, _SIDE), way)
        for part, way in zip(parts, ways)
    ]
    return np.concatenate([np.asarray(one) for one in small])
