"""COCO's files of annotations, every row of them checked.

A file that leaves open what is meant is refused with the first such rows; a box
that cannot be one is skipped and counted.
"""

import collections
import dataclasses
import logging
import operator
import os
from collections.abc import Mapping

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.reading import is_text, read_json, short

log = logging.getLogger(__name__)

SHOWN = 3  # rows that a message names
LONGEST = 2**31 - 1  # of an image's sides, in pixels
FARTHEST = 1e9  # that a box may reach, in pixels, to be one at all
UNKNOWN = -1.0  # the area of an object whose row does not say it
_PARTS = ("images", "annotations", "categories")


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """An image as a file describes it; `file_name` is None where not said."""

    id: int | str
    height: int
    width: int
    file_name: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Objects:
    """Columns of objects.

    Attributes:
        boxes: float64 `(objects, 4)` x, y, width, height in pixels, clipped
            where they left their image by more than rounding does.
        categories: their categories' ids.
        crowds: bool `(objects,)`.
        areas: float64 `(objects,)` in pixels, `UNKNOWN` where it is not said.
    """

    boxes: np.ndarray
    categories: tuple[int | str, ...]
    crowds: np.ndarray
    areas: np.ndarray

    def box_areas(self) -> np.ndarray:
        """The areas of the boxes in pixels."""
        return self.boxes[:, 2] * self.boxes[:, 3]

    def known_areas(self) -> np.ndarray:
        """The areas, and those of the boxes where they are not said."""
        return np.where(self.areas < 0, self.box_areas(), self.areas)


@dataclasses.dataclass(frozen=True, eq=False)
class Annotations:
    """A file of annotations whose rows hold what they should.

    Attributes:
        file: its path.
        categories: their names by their ids, sorted by these.
        images: in the order of their ids.
        objects: the `Objects` of all images, in the same order.
        ends: int64 `(images + 1,)`, where those of each image begin and end.
        problems: how many rows were skipped or changed, by reason.
    """

    file: str
    categories: Mapping[int | str, str]
    images: tuple[ImageRow, ...]
    objects: Objects
    ends: np.ndarray
    problems: Mapping[str, int]


def known_id(value):
    """An id of any type, NumPy's included, as Python's integer or text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if is_text(value):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if arguments.is_integer(value, -(2**63), 2**63 - 1):
        return int(value)
    raise ValueError(
        f"An id must be a 64-bit integer or text. Received: {short(value)}"
    )


# Fields, each checked by a function that gives None for a wrong one -----------


def _id(value):
    try:
        return known_id(value)
    except ValueError:
        return None


def _text(value):
    return value if is_text(value) else None


def _is_number(value, low=-FARTHEST, high=FARTHEST):
    # Comparisons hold for integers of any length, and not for NaN.
    return type(value) in (int, float) and low <= value <= high


def _side(value):
    good = _is_number(value, 1, LONGEST) and value == int(value)
    return int(value) if good else None


def _is_crowd(value):
    good = isinstance(value, (int, float, type(None)))
    return {None: False, 0: False, 1: True}.get(value) if good else None


_FIELDS = {
    "id": ("a whole number of 64 bits or a text", _id),
    "name": ("a text without controls", _text),
    "file_name": ("a text without controls", _text),
    "height": ("a number of pixels, at least 1", _side),
    "width": ("a number of pixels, at least 1", _side),
    "image_id": ("that of one of the images", _id),
    "category_id": ("that of one of the categories", _id),
    "iscrowd": ("0 or 1", _is_crowd),
}
_MAY_LACK = {"file_name": None, "iscrowd": False}


class _Part:
    """The rows of one part of a file, and what is wrong with them."""

    def __init__(self, file, name, content):
        self.file, self.name, self.rows = file, name, content[name]
        self.faults, self.problems, self.first = {}, collections.Counter(), {}
        if not isinstance(self.rows, list):
            raise ValueError(
                f"{file} is not a COCO annotation file: {name!r} must be a "
                f"list. Received: {short(self.rows)}"
            )
        for number, row in enumerate(self.rows):
            if not isinstance(row, dict):
                self.fault(number, f"must be an object, not {short(row)}")
        self.end()

    def _place(self, number):
        row = self.rows[number]
        has_id = isinstance(row, dict) and "id" in row
        named = f" (id {short(row['id'])})" if has_id else ""
        return f"{self.name}[{number}]{named}"

    def fault(self, number, said):
        """Notes a row for which the file is refused, once for each row."""
        self.faults.setdefault(number, said)

    def problem(self, number, key, reason):
        """Counts a row that is skipped or changed."""
        self.problems[reason] += 1
        if reason not in self.first:
            value = short(self.rows[number].get(key))
            self.first[reason] = f"{self._place(number)}, {key!r}: {value}"

    def field(self, number, key):
        """A field of a row, None where it is wrong."""
        row, (wanted, check) = self.rows[number], _FIELDS[key]
        if key not in row and key in _MAY_LACK:
            return _MAY_LACK[key]
        value = check(row[key]) if key in row else None
        if value is None:
            found = short(row[key]) if key in row else "nothing"
            self.fault(number, f"needs {key!r}, {wanted}; it has {found}")
        return value

    def column(self, key):
        """A field of all rows."""
        return [self.field(number, key) for number in range(len(self.rows))]

    def known(self, number, what, ids):
        """The id of a row's image or category, which must be there."""
        one = self.field(number, f"{what}_id")
        if one is not None and one not in ids:
            said = f"is of an unknown {what}, {what}_id {short(one)}"
            self.fault(number, said)
        return one

    def unique(self, what, values):
        """Faults of rows with a value that another one has."""
        seen = {}
        for number, value in enumerate(values):
            if value is not None and value in seen:
                said = f"has the {what} {short(value)}, as "
                self.fault(number, f"{said}{self.name}[{seen[value]}] has")
            seen.setdefault(value, number)

    def ids(self):
        """Ids of rows, each of its own; numbers and text have no order."""
        ids = self.column("id")
        self.unique("id", ids)
        first = next((one for one in ids if one is not None), None)
        for number, one in enumerate(ids):
            if type(one) is not type(first):
                said = "must have an id of the kind of the first row's, all "
                said += f"numbers or all text; that one is {short(first)}"
                self.fault(number, said)
        return ids

    def end(self):
        """Refuses the file for its faults; logs the first of its problems."""
        if self.faults:
            first = [
                f"{self._place(number)} {self.faults[number]}"
                for number in sorted(self.faults)[:SHOWN]
            ]
            raise ValueError(
                f"{self.file}: {len(self.faults)} of the rows of {self.name!r} "
                f"are invalid: {'; '.join(first)}. Correct them in the file, "
                "or remove them and the rows that refer to them."
            )
        for reason, count in self.problems.items():
            log.warning(
                "%s: %d annotations: %s. The first one is %s",
                *(self.file, count, reason, self.first[reason]),
            )


# Parts -----------------------------------------------------------------------


def _content(file):
    """The parts of a COCO file that boxes need."""
    content = read_json(file)
    said = f"it must be an object with {', '.join(_PARTS)}"
    if isinstance(content, dict):
        lacking = [part for part in _PARTS if part not in content]
        if not lacking:
            return content
        said, content = f"it lacks {lacking}", sorted(content)
    raise ValueError(
        f"{file} is not a COCO annotation file: {said}. Received: "
        f"{short(content)}"
    )


def _categories(file, content):
    part = _Part(file, "categories", content)
    ids, names = part.ids(), part.column("name")
    part.unique("name", names)
    part.end()
    return dict(sorted(zip(ids, names)))


def _images(file, content):
    part = _Part(file, "images", content)
    names = part.column("file_name")
    sides = part.column("height"), part.column("width")
    images = list(map(ImageRow, part.ids(), *sides, names))
    paths = [name and os.path.normpath(name) for name in names]
    part.unique("file name", paths)
    part.end()
    return tuple(sorted(images, key=operator.attrgetter("id")))


def _area(part, number):
    value = part.rows[number].get("area")
    if _is_number(value, 0, FARTHEST**2):
        return float(value)
    if value is not None:
        reason = "area that is no number from 0 on, that of the box taken"
        part.problem(number, "area", reason)
    return UNKNOWN


def _box(part, number, image):
    """x, y, width, height in pixels; None if it cannot be a box."""
    box = part.rows[number].get("bbox")
    is_list = isinstance(box, list) and len(box) == 4
    if not is_list or not all(map(_is_number, box)):
        return part.problem(number, "bbox", "no four numbers, skipped")
    x, y, width, height = map(float, box)
    if width <= 0 or height <= 0:
        return part.problem(number, "bbox", "negative or empty, skipped")
    left, top = max(x, 0.0), max(y, 0.0)
    right, low = min(x + width, image.width), min(y + height, image.height)
    if left >= right or top >= low:
        return part.problem(number, "bbox", "outside of the picture, skipped")
    over = (-x, -y, x + width - image.width, y + height - image.height)
    # Rounding leaves many boxes a little outside, which is no fault.
    if max(over) > 1:
        part.problem(number, "bbox", "partly outside of the picture, clipped")
        return left, top, right - left, low - top
    return x, y, width, height


def _object(part, number, images, categories):
    """A row as (place of its image, box, category, crowd, area), or None."""
    image = part.known(number, "image", images)
    category = part.known(number, "category", categories)
    crowd = part.field(number, "iscrowd")
    if number in part.faults:
        return None
    place, row = images[image]
    box = _box(part, number, row)
    return box and (place, box, category, crowd, _area(part, number))


def _objects(file, content, images, categories):
    """Objects in the order of the images, ends, and problems of the rows."""
    part = _Part(file, "annotations", content)
    places = {image.id: (n, image) for n, image in enumerate(images)}
    numbers = range(len(part.rows))
    rows = [_object(part, n, places, categories) for n in numbers]
    rows = sorted(filter(None, rows), key=operator.itemgetter(0))
    seen = set()
    for number in numbers:
        one = _id(part.rows[number].get("id"))
        if one is not None and one in seen:
            part.problem(number, "id", "id of another annotation, both kept")
        seen.add(one)
    part.end()
    if part.rows and not rows:
        raise ValueError(
            f"{file}: none of its {len(part.rows)} annotations has a usable "
            f"box: {dict(part.problems)}. 'bbox' must be x, y, width and "
            "height in pixels."
        )
    owners, boxes, categories, crowds, areas = list(zip(*rows)) or [()] * 5
    objects = Objects(
        np.array(boxes, "float64").reshape(-1, 4),
        categories,
        np.array(crowds, bool),
        np.array(areas, "float64"),
    )
    ends = np.searchsorted(owners, np.arange(len(images) + 1))
    return objects, ends, dict(part.problems)


def read_categories(file) -> Mapping[int | str, str]:
    """As `read_annotations`: a file's names of categories by their ids."""
    return _categories(file, _content(file))


def read_annotations(file, categories=None) -> Annotations:
    """Reads a JSON file of COCO's boxes, and checks every row.

    Rows may lack `iscrowd`, `area` and their own `id`. `categories` are the
    ids that there may be; by default all of the file.
    """
    content = _content(file)
    names = _categories(file, content)
    images = _images(file, content)
    known = names
    if categories is not None:
        known = {known_id(one) for one in categories} & set(names)
    return Annotations(
        str(file), names, images, *_objects(file, content, images, known)
    )
