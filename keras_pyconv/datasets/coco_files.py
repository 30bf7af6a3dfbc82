"""Pictures with boxes from COCO's JSON beside a folder.

The fact a reader would get wrong: what is wrong with a file of annotations is
not all the same. What says that the file does not belong to the pictures (a
picture or class that it does not have, one id for two pictures or classes, a
missing file) is refused. A box that cannot be one is skipped and counted.
"""

import collections
import json
import math
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_pyconv.datasets.detection_record import FIELDS, DetectionSet

SHOWN = 3  # examples that a message names


def _refuse(file, wrong, what):
    if wrong:
        named = ", ".join(map(str, wrong[:SHOWN]))
        raise ValueError(f"{file}: {len(wrong)} {what}, such as {named}")


def _read(file):
    """The parts of a COCO file that boxes need."""
    try:
        content = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    # Of the JSON, or of the letters that it is written in.
    except ValueError as error:
        raise ValueError(
            f"{file} is no whole JSON file; it may have been cut short: {error}"
        ) from error
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict):
        content = {}
    lacking = [part for part in parts if part not in content]
    if lacking:
        raise ValueError(
            f"{file} is no file of COCO's boxes: it lacks {lacking}."
        )
    return [content[part] for part in parts]


def _names(file, categories):
    """Names of the categories by their ids, of which each must be one."""
    names = {}
    for row in categories:
        if row["id"] in names:
            raise ValueError(
                f"{file}: two categories have the id {row['id']!r}, "
                f"{names[row['id']]!r} and {row['name']!r}."
            )
        names[row["id"]] = row["name"]
    return names


def _check(file, images, annotations, categories, folder):
    """Refuses annotations that do not belong to these pictures."""
    counts = collections.Counter(image["id"] for image in images)
    twice = [i for i, count in counts.items() if count > 1]
    _refuse(file, twice, "ids are those of several pictures")
    lost = [a["id"] for a in annotations if a["image_id"] not in counts]
    _refuse(file, lost, "annotations are of unknown pictures")
    other = [a["id"] for a in annotations if a["category_id"] not in categories]
    _refuse(file, other, "annotations are of unknown categories")
    there = set(os.listdir(folder))
    missing = [
        image["file_name"]
        for image in images
        if image["file_name"] not in there
        and not (folder / image["file_name"]).is_file()
    ]
    _refuse(file, missing, f"pictures are missing in {folder}")


def _fractions(box, height, width, problems):
    """A box as fractions of its picture; None if it cannot be one."""
    if len(box) != 4 or not all(map(math.isfinite, box)):
        problems["no four numbers, skipped"] += 1
        return None
    xmin, ymin, xmax, ymax = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if box[2] <= 0 or box[3] <= 0:
        problems["negative or empty, skipped"] += 1
        return None
    inside = [
        min(max(side, 0.0), limit)
        for side, limit in zip((ymin, xmin, ymax, xmax), (height, width) * 2)
    ]
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        problems["outside of the picture, skipped"] += 1
        return None
    # Rounding leaves many boxes a little outside, which is no fault.
    if max(ymax - height, xmax - width, -ymin, -xmin) > 1:
        problems["partly outside of the picture, clipped"] += 1
    return [side / limit for side, limit in zip(inside, (height, width) * 2)]


def _objects(images, annotations, categories, problems):
    """Columns of each picture's objects, by the picture's id."""
    sides = {row["id"]: (row["height"], row["width"]) for row in images}
    objects = collections.defaultdict(list)
    for row in annotations:
        box = _fractions(row["bbox"], *sides[row["image_id"]], problems)
        if box is not None:
            objects[row["image_id"]].append(
                (
                    box,
                    categories[row["category_id"]],
                    bool(row.get("iscrowd", 0)),
                    float(row.get("area", -1)),
                )
            )
    return objects


def coco_files(
    annotations, folder, categories=None, with_objects_only=False
) -> DetectionSet:
    """Opens a JSON file of COCO's format and its folder of pictures.

    Args:
        annotations: path of the JSON file, such as instances_val2017.json.
        folder: where its pictures are.
        categories: ids of the categories by label, such as those of the
            training set; by default all of the file, sorted.
        with_objects_only: leave out pictures without an object that is no
            crowd, as the reference does in training.

    Returns:
        The `DetectionSet`.

    Raises:
        ValueError: if the file is not whole, or does not belong to the
            pictures.
    """
    images, rows, known = _read(annotations)
    names = _names(annotations, known)
    ids = tuple(sorted(names) if categories is None else categories)
    labels = {category: label for label, category in enumerate(ids)}
    folder = pathlib.Path(folder)
    _check(annotations, images, rows, labels, folder)
    problems = collections.Counter()
    objects = _objects(images, rows, labels, problems)
    if with_objects_only:
        images = [
            row
            for row in images
            if any(not crowd for _, _, crowd, _ in objects[row["id"]])
        ]
    if not images:
        raise ValueError(f"{annotations} has no picture to use.")
    images = sorted(images, key=lambda row: row["id"])
    paths = [str(folder / row["file_name"]) for row in images]
    table = _table(objects, [row["id"] for row in images])
    return DetectionSet(
        f"{annotations}",
        tuple(str(names.get(i, i)) for i in ids),
        ids,
        len(images),
        _ordered(paths, [row["id"] for row in images], table),
        are_files=True,
        problems=dict(problems),
        annotations=os.fspath(annotations),
    )


def _table(objects, ids):
    """Objects of all pictures in one column a field, and where each ends."""
    rows = [row for i in ids for row in objects.get(i, ())]
    ends = np.cumsum([len(objects.get(i, ())) for i in ids])
    columns = {
        field: np.array(
            [row[number] for row in rows], spec.dtype.as_numpy_dtype
        ).reshape(-1, *spec.shape[1:])
        for number, (field, spec) in enumerate(FIELDS.items())
    }
    return columns, np.concatenate([[0], ends])


def _ordered(paths, ids, table):
    """The examples of files, in a random order for each epoch."""
    columns, ends = table

    def examples(order=None):
        tensors = {name: tf.constant(x) for name, x in columns.items()}
        bounds = tf.constant(ends)

        def example(number, path, image_id):
            part = slice(bounds[number], bounds[number + 1])
            return {
                "picture": path,
                "name": path,
                "id": image_id,
                **{name: x[part] for name, x in tensors.items()},
            }

        numbers = np.arange(len(paths), dtype="int64")
        dataset = tf.data.Dataset.from_tensor_slices(
            (numbers, paths, np.array(ids, "int64"))
        )
        if order is not None:
            dataset = dataset.shuffle(len(paths), order, False)
        return dataset.map(example)

    return examples
