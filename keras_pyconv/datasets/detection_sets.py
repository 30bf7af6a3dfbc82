"""Images with boxes: COCO's JSON and a folder, TFRecord, or TFDS."""

import dataclasses
import fnmatch
import os
import re
from collections.abc import Mapping, Sequence

import numpy as np

from keras_pyconv import arguments, storage
from keras_pyconv.datasets import tfrecord
from keras_pyconv.datasets.coco_labels import COCO_IDS
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    in_order,
    opened,
    orientations_for,
    refuse,
    tfds_builder,
    tfds_set,
)
from keras_pyconv.lazy import tf
from keras_pyconv.reading import short
from keras_pyconv.tasks.detection import GroundTruth
from keras_pyconv.tasks.detection.annotations import (
    Annotations,
    known_id,
    read_annotations,
    read_categories,
)
from keras_pyconv.tasks.image import decode_image, image_sides
from keras_pyconv.tasks.orientation import headers, turn
from keras_pyconv.typing import PathLike, Tensor, TfdsBuilder

ANNOTATIONS = "annotations"  # the folder of the files of boxes
# What is wrong with images of other sizes, and what to do.
_SIZES = (
    "pictures have another height x width than their rows say",
    "Boxes would lie beside the objects; correct the file, or bring the "
    "pictures that it was made for.",
)


@dataclasses.dataclass(frozen=True, eq=False)
class DetectionSet(ExampleSet):
    """One split of a data set of images with boxes.

    Examples are dicts of `picture`, `name`, `id`, an integer or a text, and
    of each object: `boxes` (ymin, xmin, ymax, xmax) as fractions of the image,
    `labels` from 0, `crowds`, and `areas` in pixels or -1 where they are not
    known. Of files there is `orientation`, from 1 to 8 as EXIF counts them,
    by which an image is turned for its boxes; of TFRecord also `sides`, its
    height and width in pixels then.

    Attributes:
        categories: ids of the classes in files of results.
        annotations: the `Annotations` that they are from, or None.
    """

    categories: tuple[int | str, ...] = ()
    annotations: Annotations | None = None

    def turned(self, picture: Tensor, example: Mapping[str, Tensor]) -> Tensor:
        """A decoded image as its boxes are meant."""
        return turn(picture, example.get("orientation"))

    def decoded(self, example: Mapping[str, Tensor]) -> Tensor:
        """An example's image as its boxes are meant, uint8."""
        return self.turned(decode_image(self.encoded(example)), example)

    def truth(self, box_areas: bool = False) -> GroundTruth:
        """What a detector is judged by: the rows of the file, if there is one.

        Else all examples are read; boxes of no area are left out. `box_areas`
        takes the boxes' areas for those of the objects.
        """
        if self.annotations is not None:
            return GroundTruth.of_annotations(
                self.annotations, self.categories, box_areas
            )
        truth = GroundTruth(self.categories)

        def with_sides(example):
            if "sides" in example:
                return example, example["sides"]
            return example, image_sides(self.encoded(example))

        sized = self.examples(None).map(with_sides)
        for example, sides in sized.as_numpy_iterator():
            boxes = example["boxes"] * np.tile(sides, 2).astype("float32")
            size = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
            known = (example["areas"] >= 0) & (not box_areas)
            areas = np.where(known, example["areas"], size)
            columns = (boxes, example["labels"], example["crowds"], areas)
            used = (boxes[:, 2:] > boxes[:, :2]).all(1)
            truth.add(example["id"], sides, *(x[used] for x in columns))
        return truth


def detection_set(
    name: PathLike | TfdsBuilder,
    split: str = "train",
    data_dir: PathLike | None = None,
    categories: Sequence[int | str] | Mapping[int | str, str] | None = None,
    with_objects_only: bool = False,
) -> DetectionSet:
    """Opens one split of a data set of images with boxes.

    Args:
        name: a folder as COCO unpacks, with `train2017`, `val2017` and
            `annotations/instances_train2017.json`, or with other years or
            names that begin alike; else the name of a TFDS data set, such as
            "coco/2017" or "digits_in_photos/detection", or its builder; else
            a pattern of TFRecord, such as "gs://bucket/train*.tfrecord", of
            which a split's files are those whose names say it instead.
        split: "train" or "validation"; of TFDS also as the set calls it.
        data_dir: where TFDS keeps its data sets.
        categories: of a folder or TFRecord, as in `coco_files`; by default
            all of the training split's file, or where there is none of the
            file itself, and of TFRecord those that the records name.
        with_objects_only: of a folder or TFRecord, as in `coco_files`. TFDS
            does not say which images have no objects.

    Raises:
        ValueError: no such data set or split, or annotations of other images.
    """
    arguments.flag("with_objects_only", with_objects_only)

    def of_folder(root, split):
        files = storage.file_names(os.path.join(root, ANNOTATIONS))
        files = sorted(fnmatch.filter(files, "instances_*.json"))
        known = categories
        file = _instances(root, files, split)
        others = [f for f in files if f.startswith("instances_train")]
        if known is None and len(others) == 1 and others != [file]:
            known = read_categories(os.path.join(root, ANNOTATIONS, others[0]))
        folder = file.removeprefix("instances_").removesuffix(".json")
        return coco_files(
            os.path.join(root, ANNOTATIONS, file),
            os.path.join(root, folder),
            known,
            with_objects_only,
        )

    def of_records(pattern, split):
        return _record_set(pattern, split, categories, with_objects_only)

    return opened(
        *(name, split, data_dir, of_folder, tfds_objects),
        of_records=of_records,
    )


def _instances(root, files, split):
    """The name of the one file of a split's boxes among all."""
    names = {"train": "train", "validation": "val"}
    start = f"instances_{names.get(split, split)}"
    found = [file for file in files if file.startswith(start)]
    if len(found) != 1:
        raise ValueError(
            f"{root} must have one file annotations/{start}*.json for the "
            f"split {split!r}. There are: {', '.join(files) or 'none'}"
        )
    return found[0]


# COCO's files ----------------------------------------------------------------


def coco_files(
    annotations: PathLike,
    folder: PathLike,
    categories: Sequence[int | str] | Mapping[int | str, str] | None = None,
    with_objects_only: bool = False,
) -> DetectionSet:
    """Opens a JSON file of COCO's format and its folder of images.

    Every row is checked, also against the size in the header of the image's
    file. An image that a camera stored turned (EXIF) is turned where the rows
    say the turned size; where the size cannot tell, unless rows of other such
    images all say the stored size. `problems` counts the latter.

    Args:
        annotations: path of the JSON file, such as instances_val2017.json.
        folder: where its images are.
        categories: ids of the categories by label, such as those of the
            training set, or a dictionary of their names by their ids, which
            are compared then; by default all of the file, sorted.
        with_objects_only: leave out images without an object that is no
            crowd, as the reference does in training.

    Returns:
        The `DetectionSet`. Its ids are text where the file's are.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not whole, has rows that cannot be used, or
            does not belong to the images; the message names the rows.
        ImportError: Pillow is not installed.
    """
    folder = arguments.folder("folder", folder, anywhere=True)
    arguments.file("annotations", annotations, anywhere=True)
    arguments.flag("with_objects_only", with_objects_only)
    rows = read_annotations(annotations, categories)
    ids, names = _labels(rows.file, rows.categories, categories)
    paths = _paths(rows, folder)
    crowds = rows.objects.crowds if with_objects_only else None
    places = _used(rows.ends, crowds)
    if not len(places):
        raise ValueError(f"{annotations} has no usable image.")
    turns, doubtful = orientations_for(
        rows.file,
        [short(image.file_name) for image in rows.images],
        headers(paths),
        [(image.height, image.width) for image in rows.images],
        *_SIZES,
    )
    columns = {
        "picture": np.array(paths),
        "name": np.array(paths),
        "id": np.array([image.id for image in rows.images]),
        "orientation": turns,
    }
    return _with_objects(
        f"{annotations}",
        *(ids, names, columns, rows.ends, places, _table(rows, ids)),
        folder=folder,
        are_files=True,
        problems={**rows.problems, **doubtful},
        annotations=rows,
    )


def _used(ends, crowds=None):
    """Places of all images, or by `crowds` of those with others than these."""
    counts = np.diff(ends)
    if crowds is None:
        return np.arange(len(counts))
    return np.unique(np.arange(len(counts)).repeat(counts)[~crowds])


def _labels(file, names, categories):
    """Ids and names of the classes in the order of their labels."""
    if categories is None:
        return tuple(names), tuple(names.values())
    ids = tuple(known_id(one) for one in categories)
    if not isinstance(categories, Mapping):
        return ids, tuple(names.get(one, str(one)) for one in ids)
    given = dict(zip(ids, categories.values()))
    wrong = [
        f"{short(one)} is {short(names[one])} and not {short(name)}"
        for one, name in given.items()
        if names.get(one, name) != name
    ]
    refuse(
        file,
        wrong,
        "categories have other names than in the training set",
        "Give both files the same categories.",
    )
    return ids, tuple(given.values())


def _paths(annotations, folder):
    """Paths of the images, each of which must be a file."""
    images = annotations.images
    nameless = [short(one.id) for one in images if one.file_name is None]
    advice = "Add it to each row of 'images'."
    refuse(annotations.file, nameless, "pictures have no 'file_name'", advice)
    names = [image.file_name for image in images]
    missing = storage.absent(folder, names)
    missing = [short(name) for name in names if name in missing]
    refuse(
        annotations.file,
        missing,
        f"pictures are missing in {folder}",
        "Bring them, or remove their rows and what refers to them.",
    )
    return [os.path.join(folder, name) for name in names]


def _table(annotations, ids):
    """Columns of all objects, with boxes clipped to their images."""
    labels = {category: label for label, category in enumerate(ids)}
    objects = annotations.objects
    sides = [(image.height, image.width) for image in annotations.images]
    counts = np.diff(annotations.ends)
    sides = np.reshape(sides, (-1, 2)).repeat(counts, axis=0)
    x, y, width, height = objects.boxes.T
    corners = np.stack([y, x, y + height, x + width], axis=1)
    boxes = np.clip(corners / np.tile(sides, 2), 0, 1)
    return {
        "boxes": boxes.astype("float32"),
        "labels": np.array([labels[c] for c in objects.categories], "int64"),
        "crowds": objects.crowds,
        "areas": objects.areas.astype("float32"),
    }


def _with_objects(
    title, ids, classes, images, ends, places, objects, folder="", **fields
):
    """The set of images at some places, and their objects, both in columns.

    `ends` say where the objects of each image begin and end.
    """
    images = {**images, "begin": ends[:-1], "end": ends[1:]}
    images = {name: column[places] for name, column in images.items()}

    def examples(order=None):
        tensors = {name: tf.constant(x) for name, x in objects.items()}

        def example(image):
            part = slice(image.pop("begin"), image.pop("end"))
            return {**image, **{name: x[part] for name, x in tensors.items()}}

        return in_order(images)(order).map(example)

    # But for where the folder lies.
    names = below(folder, images["name"].tolist())
    told = [images[name] for name in ("id", "orientation", "begin", "end")]
    return DetectionSet(
        title,
        classes,
        len(names),
        examples,
        digest=digest(ids, names, *told, *objects.values()),
        categories=ids,
        **fields,
    )


# TFRecord --------------------------------------------------------------------


def _record_set(pattern, split, categories, with_objects_only):
    """As `coco_files`, in the same order of the images' ids."""
    records = tfrecord.read(pattern, split, tfrecord.LABELS)
    records = records.sorted_by(_ids(records))
    known = tfrecord.names_by_id(records)
    ids, classes = _labels(records.title, known, categories)
    counts, objects = tfrecord.objects_of(records)
    objects["labels"] = _labels_of_ids(records.title, objects["labels"], ids)
    sides, names = records.column("sides"), records.column("name")
    turns, problems = orientations_for(
        records.title, names, records.column("header"), sides, *_SIZES
    )
    ends = np.concatenate([[0], counts.cumsum()])
    places = _used(ends, objects["crowds"] if with_objects_only else None)
    columns = {
        "picture": np.array(records.column("picture"), object),
        "name": np.array(names, object),
        "id": _ids(records),
        "orientation": turns,
        "sides": np.array(sides, "int32"),
    }
    return _with_objects(
        records.title,
        *(ids, classes, columns, ends, places, objects),
        are_parts=True,
        problems=problems,
    )


def _labels_of_ids(title, found, ids):
    """Labels from 0 of objects' ids of classes, which must be known."""
    labels = {one: label for label, one in enumerate(ids)}
    wrong = [short(one) for one in sorted({*found.tolist()} - {*labels})]
    said = "ids of classes are not among those that are named"
    refuse(title, wrong, said, "Name all of them.")
    return np.array([labels[one] for one in found.tolist()], "int64")


def _ids(records):
    """Ids of the images, as integers where they are; numbers without any."""
    ids = [one.decode() for one in records.column("image/source_id")]
    if len({*ids}) < len(ids) or "" in ids:
        return np.arange(len(ids))
    if all(re.fullmatch("0|[1-9][0-9]{,17}", one) for one in ids):
        return np.array([int(one) for one in ids])
    return np.array(ids)


# TFDS ------------------------------------------------------------------------


def tfds_objects(name, split="train", data_dir=None) -> DetectionSet:
    """Opens a set of TFDS, or its builder, with features as in `coco/2017`."""
    builder = tfds_builder(name, data_dir) if isinstance(name, str) else name
    features = builder.info.features
    objects = features["objects"] if "objects" in features else None
    inner = getattr(objects, "feature", {})
    if "bbox" not in inner or "label" not in inner:
        raise ValueError(
            f"{builder.info.full_name} has no boxes with labels: `objects` "
            f"needs `bbox` and `label`. Its features: {', '.join(features)}"
        )
    names = inner["label"].names
    is_coco = builder.name == "coco" and len(names) == len(COCO_IDS)
    ids = COCO_IDS if is_coco else tuple(range(len(names)))
    options = {"stored": ["image"], "classes": names, "categories": ids}
    return tfds_set(DetectionSet, builder, split, columns=_standard, **options)


def _standard(number, example):
    """One example of TFDS in our fields."""
    objects = example["objects"]
    count = tf.shape(objects["label"])[:1]
    boxes = tf.clip_by_value(tf.reshape(objects["bbox"], (-1, 4)), 0.0, 1.0)
    areas = objects.get("area", tf.fill(count, -1.0))
    return {
        "picture": example["image"],
        "id": tf.cast(example.get("image/id", number), tf.int64),
        "boxes": boxes,
        "labels": tf.cast(objects["label"], tf.int64),
        "crowds": objects.get("is_crowd", tf.fill(count, False)),
        "areas": tf.cast(areas, tf.float32),
    }
