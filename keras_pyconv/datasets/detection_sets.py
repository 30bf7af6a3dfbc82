"""Pictures with boxes: a data set of TFDS, or COCO's JSON beside a folder.

Nothing here decodes a picture. Boxes are (ymin, xmin, ymax, xmax) as
fractions of the picture, labels count from 0.

The fact a reader would get wrong: what is wrong with a file of annotations is
not all the same. What says that the file does not belong to the pictures (a
picture or class that it does not have, one id for two pictures, a missing
file) is refused. A box that cannot be one is skipped and counted.
"""

import collections
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_pyconv.datasets.picture_sets import split_named, tfds_builder
from keras_pyconv.tasks.detection import GroundTruth

SHOWN = 3  # examples that a message names
_FIELDS = {
    "boxes": tf.TensorSpec((None, 4), tf.float32),
    "labels": tf.TensorSpec((None,), tf.int64),
    "crowds": tf.TensorSpec((None,), tf.bool),
    "areas": tf.TensorSpec((None,), tf.float32),
}


@dataclasses.dataclass(frozen=True, eq=False)
class DetectionSet:
    """One split of a data set of pictures with boxes.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        categories: their ids in files of results, in the same order.
        count: how many pictures there are.
        examples: function of an order, an int64 scalar tensor or None, to a
            `tf.data.Dataset` of dicts: `picture`, `name`, `id`, and of each
            object `boxes`, `labels`, `crowds` and `areas`, in pixels or -1
            where they are not known.
        are_files: whether `picture` is a path; else it is encoded.
        problems: how many annotations were skipped or changed, by reason.
        annotations: the file that they are from, or None.
    """

    name: str
    classes: tuple[str, ...]
    categories: tuple[int, ...]
    count: int
    examples: Callable
    are_files: bool
    problems: Mapping = dataclasses.field(default_factory=dict)
    annotations: str | None = None

    def encoded(self, example):
        """The bytes of an example's file, a string scalar."""
        if self.are_files:
            return tf.io.read_file(example["picture"])
        return example["picture"]

    def truth(self) -> GroundTruth:
        """What a detector is judged by: the file as it is, if there is one.

        Else all examples are read, and their pictures' sizes with them.
        """
        if self.annotations is not None:
            return GroundTruth.of_file(self.annotations, self.categories)
        truth = GroundTruth(self.categories)
        sized = self.examples(None).map(
            lambda example: (example, _sides(self.encoded(example)))
        )
        for example, sides in sized.as_numpy_iterator():
            scale = np.tile(sides, 2).astype("float32")
            boxes = example["boxes"] * scale
            size = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
            areas = np.where(example["areas"] < 0, size, example["areas"])
            truth.add(
                example["id"],
                sides,
                boxes,
                example["labels"],
                example["crowds"],
                areas,
            )
        return truth


def _sides(encoded):
    """Height and width of an encoded picture, of a JPEG without decoding."""
    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.extract_jpeg_shape(encoded)[:2],
        lambda: tf.shape(tf.io.decode_png(encoded))[:2],
    )


# COCO files ------------------------------------------------------------------


def _refuse(file, wrong, what):
    if wrong:
        named = ", ".join(map(str, wrong[:SHOWN]))
        raise ValueError(f"{file}: {len(wrong)} {what}, such as {named}")


def _read(file):
    """The parts of a COCO file that boxes need."""
    content = json.loads(pathlib.Path(file).read_text())
    parts = ("images", "annotations", "categories")
    lacking = [part for part in parts if part not in content]
    if lacking:
        raise ValueError(
            f"{file} is no file of COCO's boxes: it lacks {lacking}."
        )
    return [content[part] for part in parts]


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
        ValueError: if the file does not belong to the pictures.
    """
    images, rows, known = _read(annotations)
    names = {row["id"]: row["name"] for row in known}
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
        for number, (field, spec) in enumerate(_FIELDS.items())
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


# TFDS ------------------------------------------------------------------------


def tfds_objects(name, split="train", data_dir=None) -> DetectionSet:
    """Opens a data set of TFDS whose features are those of `coco/2017`.

    Crowds and areas may be missing. The categories of COCO get their ids.

    Args:
        name: such as "coco/2017", "digits_in_photos/detection" or
            "voc/2007", or a prepared builder.
        split: "train", "validation", or as the data set calls its splits.
        data_dir: where TFDS keeps its data sets.

    Returns:
        The `DetectionSet`; pictures without objects are among its examples.

    Raises:
        ValueError: if the data set has no boxes.
    """
    import tensorflow_datasets as tfds

    builder = tfds_builder(name, data_dir) if isinstance(name, str) else name
    features = builder.info.features
    objects = features["objects"] if "objects" in features else None
    inner = getattr(objects, "feature", {})
    if "bbox" not in inner or "label" not in inner:
        raise ValueError(
            f"{builder.info.full_name} has no boxes with labels: `objects` "
            f"needs `bbox` and `label`. Its features: {', '.join(features)}"
        )
    base, bracket, part = split.partition("[")
    known = list(builder.info.splits)
    chosen = split_named(base, known, builder.info.full_name)
    names = tuple(inner["label"].names)

    def examples(order=None):
        dataset = builder.as_dataset(
            split=chosen + bracket + part,
            decoders={"image": tfds.decode.SkipDecoding()},
            shuffle_files=order is not None,
            read_config=tfds.ReadConfig(
                shuffle_seed=order,
                shuffle_reshuffle_each_iteration=False,
                add_tfds_id=True,
                try_autocache=False,
            ),
        )
        return dataset.enumerate().map(_standard)

    return DetectionSet(
        f"{builder.info.full_name}, {chosen + bracket + part}",
        names,
        _category_ids(builder, names),
        len(examples()),
        examples,
        are_files=False,
    )


def _category_ids(builder, names):
    from keras_pyconv.datasets.coco_labels import COCO_IDS

    is_coco = builder.name == "coco" and len(names) == len(COCO_IDS)
    return COCO_IDS if is_coco else tuple(range(len(names)))


def _standard(number, example):
    """One example of TFDS in our fields."""
    objects = example["objects"]
    count = tf.shape(objects["label"])[:1]
    boxes = tf.clip_by_value(tf.reshape(objects["bbox"], (-1, 4)), 0.0, 1.0)
    areas = objects.get("area", tf.fill(count, -1.0))
    return {
        "picture": example["image"],
        "name": example["tfds_id"],
        "id": tf.cast(example.get("image/id", number), tf.int64),
        "boxes": boxes,
        "labels": tf.cast(objects["label"], tf.int64),
        "crowds": objects.get("is_crowd", tf.fill(count, False)),
        "areas": tf.cast(areas, tf.float32),
    }
