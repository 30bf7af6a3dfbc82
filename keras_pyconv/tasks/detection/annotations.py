"""COCO's files of annotations, every row of them checked.

What says that the file does not belong to its images, or leaves open what is
meant (an unknown image or category, one id for two images, a size that is no
number), is refused, with the first such rows. A box that cannot be one is
skipped and counted. Ids of annotations mean nothing here: pycocotools takes
the id 0 for "not found", so `GroundTruth` numbers them itself.
"""

import collections
import dataclasses
import logging
import operator
import os
from collections.abc import Mapping

import numpy as np

from keras_pyconv.reading import is_text, read_json, short

log = logging.getLogger(__name__)

SHOWN = 3  # rows that a message names
LONGEST = 2**31 - 1  # of an image's sides, in pixels
FARTHEST = 1e9  # that a box may reach, in pixels, to be one at all
UNKNOWN = -1.0  # the area of an object whose row does not say it
_PARTS = ("images", "annotations", "categories")


@dataclasses.dataclass(frozen=True)
class ImageRow:
    """An image as a file of annotations describes it.

    Attributes:
        id: a whole number of 64 bits, or text.
        height: in pixels.
        width: likewise.
        file_name: below the folder of the images; None where it is not said.
    """

    id: int | str
    height: int
    width: int
    file_name: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Objects:
    """Columns of objects.

    Attributes:
        boxes: float64 `(objects, 4)` x, y, width, height in pixels, as the
            file has them; clipped where they left their image by more than
            rounding does.
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
    """An id as Python has it: a whole number of 64 bits, or text.

    Args:
        value: of any type, also of NumPy's; text may be in bytes.

    Raises:
        ValueError: it is no id.
    """
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if is_text(value):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, (int, np.integer))
    is_number &= not isinstance(value, bool)
    if is_number and -(2**63) <= value < 2**63:
        return int(value)
    raise ValueError(
        "An id must be a whole number of 64 bits or a text. Received: "
        f"{short(value)}"
    )


# Faults and problems ---------------------------------------------------------


class _Part:
    """The rows of one part of a file, and what is wrong with them."""

    def __init__(self, file, name, content):
        self.file, self.name = file, name
        self.rows = content[name]
        self.faults = {}
        self.problems, self.first = collections.Counter(), {}
        if not isinstance(self.rows, list):
            raise ValueError(
                f"{file} is no file of COCO's boxes: {name!r} must be a list. "
                f"Received: {short(self.rows)}"
            )

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

    def field(self, number, key, wanted, check):
        """A field of a row by `check`, which gives None for a wrong one."""
        row = self.rows[number]
        if not isinstance(row, dict):
            self.fault(number, f"must be an object, not {short(row)}")
            return None
        value = check(row[key]) if key in row else None
        if value is None:
            found = short(row[key]) if key in row else "nothing"
            self.fault(number, f"needs {key!r}, {wanted}; it has {found}")
        return value

    def end(self):
        """Refuses the file for its faults; logs the first of its problems."""
        if self.faults:
            first = [
                f"{self._place(number)} {self.faults[number]}"
                for number in sorted(self.faults)[:SHOWN]
            ]
            raise ValueError(
                f"{self.file}: {len(self.faults)} of the rows of "
                f"{self.name!r} cannot be used: {'; '.join(first)}. Correct "
                "them in the file, or remove them and what refers to them."
            )
        for reason, count in self.problems.items():
            log.warning(
                "%s: %d annotations: %s. The first one is %s",
                *(self.file, count, reason, self.first[reason]),
            )


def _id(value):
    try:
        return known_id(value)
    except ValueError:
        return None


def _text(value):
    return value if is_text(value) else None


def _side(value):
    """A number of pixels; None if it is none."""
    is_number = type(value) is int or type(value) is float
    if not is_number or not 1 <= value <= LONGEST or value != int(value):
        return None
    return int(value)


_IDENTITY = ("id", "a whole number of 64 bits or a text", _id)


def _repeated(part, numbers, values, said):
    """Faults of rows with a value that another one has."""
    seen = {}
    for number, value in zip(numbers, values):
        if value in seen:
            first = f"{part.name}[{seen[value]}]"
            part.fault(number, f"{said} {short(value)}, as {first} has")
        elif value is not None:
            seen[value] = number


def _of_one_kind(part, ids):
    """Ids of numbers and of text have no common order."""
    for kind in (int, str):
        if all(isinstance(one, kind) for one in ids):
            return
    number = next(n for n, i in enumerate(ids) if type(i) is not type(ids[0]))
    part.fault(
        number,
        "must have an id of the kind of the first row's, all of them numbers "
        f"or all of them text; that one is {short(ids[0])}",
    )


# Parts -----------------------------------------------------------------------


def _content(file):
    """The parts of a COCO file that boxes need."""
    content = read_json(file)
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} is no file of COCO's boxes: it must be an object with "
            f"{', '.join(_PARTS)}. Received: {short(content)}"
        )
    lacking = [part for part in _PARTS if part not in content]
    if lacking:
        raise ValueError(
            f"{file} is no file of COCO's boxes: it lacks {lacking}. Received: "
            f"{short(sorted(content))}"
        )
    return content


def _categories(file, content):
    """Names of the categories by their ids, of which each must be one."""
    part = _Part(file, "categories", content)
    numbers = range(len(part.rows))
    ids = [part.field(number, *_IDENTITY) for number in numbers]
    named = ("name", "a text without controls", _text)
    names = [part.field(number, *named) for number in numbers]
    _repeated(part, numbers, ids, "has the id")
    _repeated(part, numbers, names, "has the name")
    part.end()
    _of_one_kind(part, ids)
    part.end()
    return dict(sorted(zip(ids, names)))


def _image(part, number):
    size = [
        part.field(number, side, "a number of pixels, at least 1", _side)
        for side in ("height", "width")
    ]
    row = part.rows[number]
    name = None
    if isinstance(row, dict) and "file_name" in row:
        named = ("file_name", "a text without controls", _text)
        name = part.field(number, *named)
    return ImageRow(part.field(number, *_IDENTITY), *size, name)


def _images(file, content):
    part = _Part(file, "images", content)
    numbers = range(len(part.rows))
    images = [_image(part, number) for number in numbers]
    _repeated(part, numbers, [one.id for one in images], "has the id")
    names = [one.file_name for one in images]
    names = [name and os.path.normpath(name) for name in names]
    _repeated(part, numbers, names, "has the file name")
    part.end()
    _of_one_kind(part, [one.id for one in images])
    part.end()
    return tuple(sorted(images, key=operator.attrgetter("id")))


# Objects ---------------------------------------------------------------------


def _is_crowd(value):
    known = {None: False, 0: False, 1: True}
    is_simple = value is None or isinstance(value, (int, float))
    return known.get(value) if is_simple else None


def _is_number(value):
    # Comparisons hold for integers of any length, and not for NaN.
    is_number = type(value) is float or type(value) is int
    return is_number and -FARTHEST <= value <= FARTHEST


def _area(part, number):
    value = part.rows[number].get("area")
    if type(value) in (int, float) and 0 <= value <= FARTHEST**2:
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
        part.problem(number, "bbox", "no four numbers, skipped")
        return None
    x, y, width, height = map(float, box)
    if width <= 0 or height <= 0:
        part.problem(number, "bbox", "negative or empty, skipped")
        return None
    left, top = max(x, 0.0), max(y, 0.0)
    right, low = min(x + width, image.width), min(y + height, image.height)
    if left >= right or top >= low:
        part.problem(number, "bbox", "outside of the picture, skipped")
        return None
    over = (-x, -y, x + width - image.width, y + height - image.height)
    # Rounding leaves many boxes a little outside, which is no fault.
    if max(over) > 1:
        part.problem(number, "bbox", "partly outside of the picture, clipped")
        return left, top, right - left, low - top
    return x, y, width, height


def _object(part, number, images, categories):
    """A row as (place of its image, box, category, crowd, area), or None."""
    row = part.rows[number]
    belongs = [
        part.field(number, f"{what}_id", f"that of one of the {where}", _id)
        for what, where in (("image", "images"), ("category", "categories"))
    ]
    if None in belongs:
        return None
    for one, known, what in zip(
        belongs, (images, categories), ("image", "category")
    ):
        if one not in known:
            said = f"is of an unknown {what}, {what}_id {short(one)}"
            return part.fault(number, said)
    crowd = _is_crowd(row.get("iscrowd"))
    if crowd is None:
        found = short(row["iscrowd"])
        return part.fault(number, f"needs 'iscrowd', 0 or 1; it has {found}")
    place, image = images[belongs[0]]
    box = _box(part, number, image)
    if box is None:
        return None
    return place, box, belongs[1], crowd, _area(part, number)


def _columns(rows):
    _, boxes, categories, crowds, areas = list(zip(*rows)) or [()] * 5
    return Objects(
        np.array(boxes, "float64").reshape(-1, 4),
        categories,
        np.array(crowds, bool),
        np.array(areas, "float64"),
    )


def _objects(file, content, images, categories):
    """Objects in the order of the images, ends, and problems of the rows."""
    part = _Part(file, "annotations", content)
    places = {image.id: (n, image) for n, image in enumerate(images)}
    numbers = range(len(part.rows))
    rows = [_object(part, n, places, categories) for n in numbers]
    rows = [row for row in rows if row is not None]
    _same_ids(part)
    part.end()
    if part.rows and not rows:
        raise ValueError(
            f"{file}: none of its {len(part.rows)} annotations has a box that "
            f"can be used: {dict(part.problems)}. 'bbox' must be x, y, width "
            "and height in pixels."
        )
    rows.sort(key=operator.itemgetter(0))
    places = np.array([row[0] for row in rows], "int64")
    ends = np.searchsorted(places, np.arange(len(images) + 1))
    return _columns(rows), ends, dict(part.problems)


def _same_ids(part):
    """Counts annotations that have the id of another one."""
    seen = set()
    for number, row in enumerate(part.rows):
        one = _id(row.get("id")) if isinstance(row, dict) else None
        if one in seen:
            part.problem(number, "id", "id of another annotation, both kept")
        elif one is not None:
            seen.add(one)


def read_categories(file) -> Mapping[int | str, str]:
    """Names of a file's categories by their ids, sorted by these.

    Args:
        file: path of the JSON file.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: as of `read_annotations`; of rows, those of categories.
    """
    return _categories(file, _content(file))


def read_annotations(file, categories=None) -> Annotations:
    """Reads a JSON file of COCO's boxes, and checks every row.

    Rows may lack `iscrowd`, then they are no crowds, `area`, then it is that
    of the box, and their own `id`.

    Args:
        file: path of the JSON file, such as instances_val2017.json.
        categories: ids of the categories that there may be; by default all
            of the file.

    Returns:
        The `Annotations`.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: the file is no whole JSON file of boxes, or holds rows
            that cannot be used; the message names them.
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
