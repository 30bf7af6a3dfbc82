"""Pictures with boxes from COCO's JSON beside a folder.

The fact a reader would get wrong: what is wrong with a file of annotations is
not all the same. What says that the file does not belong to the pictures (a
picture or class that it does not have, one id for two pictures or classes, a
missing file, another size) is refused. A box that cannot be one is skipped and
counted.
"""

import logging
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.detection_record import FIELDS, DetectionSet
from keras_pyconv.datasets.fingerprints import below, digest
from keras_pyconv.datasets.splits import in_order
from keras_pyconv.reading import short
from keras_pyconv.tasks.detection.annotations import (
    SHOWN,
    known_id,
    read_annotations,
)
from keras_pyconv.tasks.orientation import headers, orientations

log = logging.getLogger(__name__)


def _refuse(file, wrong, what, advice):
    if wrong:
        named = ", ".join(wrong[:SHOWN])
        raise ValueError(f"{file}: {len(wrong)} {what}: {named}. {advice}")


# Categories ------------------------------------------------------------------


def _labels(annotations, categories):
    """Ids and names of the classes in the order of their labels."""
    names = annotations.categories
    if categories is None:
        return tuple(names), tuple(names.values())
    ids = tuple(known_id(one) for one in categories)
    if not isinstance(categories, Mapping):
        return ids, tuple(names.get(one, str(one)) for one in ids)
    given = dict(zip(ids, categories.values()))
    _refuse(
        annotations.file,
        [
            f"{short(one)} is {short(names[one])} and not {short(name)}"
            for one, name in given.items()
            if names.get(one, name) != name
        ],
        "categories have other names than in the training set",
        "Give both files the same categories.",
    )
    return ids, tuple(given.values())


# Pictures --------------------------------------------------------------------


def _paths(annotations, folder):
    """Paths of the pictures, each of which must be a file."""
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {folder} for the pictures of "
            f"{annotations.file}."
        )
    nameless = [short(x.id) for x in annotations.images if x.file_name is None]
    advice = "Add it to each row of 'images'."
    _refuse(annotations.file, nameless, "pictures have no 'file_name'", advice)
    with os.scandir(folder) as entries:
        there = {entry.name for entry in entries if entry.is_file()}
    names = [image.file_name for image in annotations.images]
    missing = [
        short(name)
        for name in names
        if name not in there and not (folder / name).is_file()
    ]
    _refuse(
        annotations.file,
        missing,
        f"pictures are missing in {folder}",
        "Bring them, or remove their rows and what refers to them.",
    )
    return [str(folder / name) for name in names]


def _orientations(annotations, paths):
    """How each file lies that must be turned for its boxes, else 1.

    Returns:
        int32 array, and how many were doubtful by what was done.
    """
    found = headers(paths)
    images = annotations.images
    wrong = [
        f"{short(image.file_name)} is {header}, and not "
        f"{image.height} x {image.width}"
        for image, header in zip(images, found)
        # What cannot be read is counted where it is decoded.
        if header is not None
        and (image.height, image.width) not in (header.stored, header.turned)
    ]
    _refuse(
        annotations.file,
        wrong,
        "pictures have another height x width than their rows say",
        "Boxes would lie beside the objects; correct the file, or bring the "
        "pictures that it was made for.",
    )
    sizes = [(image.height, image.width) for image in images]
    chosen, problems = orientations(found, sizes)
    for reason, count in problems.items():
        log.warning("%s: %d %s", annotations.file, count, reason)
    return chosen, problems


# Objects ---------------------------------------------------------------------


def _fractions(annotations):
    """Boxes of all objects as fractions of their pictures, clipped to them."""
    counts = np.diff(annotations.ends)
    sides = [(image.height, image.width) for image in annotations.images]
    sides = np.reshape(sides, (-1, 2)).repeat(counts, axis=0)
    x, y, width, height = annotations.objects.boxes.T
    corners = np.stack([y, x, y + height, x + width], axis=1)
    return np.clip(corners / np.tile(sides, 2), 0, 1)


def _table(annotations, ids):
    """The columns of `FIELDS`, a row for each object."""
    labels = {category: label for label, category in enumerate(ids)}
    objects = annotations.objects
    columns = {
        "boxes": _fractions(annotations),
        "labels": [labels[one] for one in objects.categories],
        "crowds": objects.crowds,
        "areas": objects.areas,
    }
    return {
        name: np.asarray(columns[name], spec.dtype.as_numpy_dtype)
        for name, spec in FIELDS.items()
    }


def _with_objects(annotations):
    """Places of the pictures that have an object which is no crowd."""
    numbers = np.arange(len(annotations.images))
    owners = numbers.repeat(np.diff(annotations.ends))
    return np.unique(owners[~annotations.objects.crowds])


def coco_files(
    annotations, folder, categories=None, with_objects_only=False
) -> DetectionSet:
    """Opens a JSON file of COCO's format and its folder of pictures.

    Every row is checked, and the size that it says is compared with that in
    the header of the picture's file. A picture that a camera stored turned
    (EXIF) is turned as a viewer does where the rows say the turned size; where
    the size cannot tell, it is turned, unless rows of other such pictures all
    say the stored size. `problems` counts the latter.

    Args:
        annotations: path of the JSON file, such as instances_val2017.json.
        folder: where its pictures are.
        categories: ids of the categories by label, such as those of the
            training set, or a dictionary of their names by their ids, which
            are compared then; by default all of the file, sorted.
        with_objects_only: leave out pictures without an object that is no
            crowd, as the reference does in training.

    Returns:
        The `DetectionSet`. Its ids are text where the file's are.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: if the file is not whole, has rows that cannot be used, or
            does not belong to the pictures; the message names the rows.
        ImportError: if Pillow is not installed.
    """
    folder = arguments.folder("folder", folder)
    arguments.file("annotations", annotations)
    arguments.flag("with_objects_only", with_objects_only)
    rows = read_annotations(annotations, categories)
    ids, names = _labels(rows, categories)
    paths = _paths(rows, folder)
    places = np.arange(len(paths))
    if with_objects_only:
        places = _with_objects(rows)
    if not len(places):
        raise ValueError(f"{annotations} has no picture to use.")
    orientations, doubtful = _orientations(rows, paths)
    columns = {
        "picture": np.array(paths)[places],
        "id": np.array([image.id for image in rows.images])[places],
        "orientation": orientations[places],
        "begin": rows.ends[:-1][places],
        "end": rows.ends[1:][places],
    }
    objects = _table(rows, ids)
    return DetectionSet(
        f"{annotations}",
        names,
        ids,
        len(places),
        _ordered(columns, objects),
        are_files=True,
        problems={**rows.problems, **doubtful},
        annotations=rows,
        digest=_digest(ids, folder, columns, objects),
    )


def _digest(categories, folder, pictures, objects):
    """SHA-256 of what `_ordered` has, but for where the folder lies."""
    names = below(folder, pictures["picture"].tolist())
    rest = [pictures[name] for name in pictures if name != "picture"]
    return digest(categories, names, *rest, *objects.values())


def _ordered(pictures, objects):
    """The examples of files, in a random order for each epoch.

    Args:
        pictures: columns, a row for each picture.
        objects: columns, of which a picture has the rows `begin` to `end`.
    """

    def examples(order=None):
        tensors = {name: tf.constant(x) for name, x in objects.items()}

        def example(picture):
            part = slice(picture["begin"], picture["end"])
            return {
                "picture": picture["picture"],
                "name": picture["picture"],
                "id": picture["id"],
                "orientation": picture["orientation"],
                **{name: x[part] for name, x in tensors.items()},
            }

        return in_order(pictures)(order).map(example)

    return examples
