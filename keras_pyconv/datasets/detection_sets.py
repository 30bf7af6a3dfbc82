"""Opens pictures with boxes: a set of TFDS, or a folder as COCO unpacks.

The fact a reader would get wrong: labels of TFDS and of COCO's files are the
same only if both count the same categories; a validation file without some
of the training file's would count others, so it gets theirs.
"""

import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.coco_files import coco_files
from keras_pyconv.datasets.coco_labels import COCO_IDS
from keras_pyconv.datasets.detection_record import DetectionSet
from keras_pyconv.datasets.fingerprints import tfds_digest
from keras_pyconv.datasets.splits import (
    check_set,
    opened,
    tfds_builder,
    tfds_examples,
    tfds_split,
)
from keras_pyconv.tasks.detection.annotations import read_categories


def detection_set(
    name, split="train", data_dir=None, categories=None, with_objects_only=False
) -> DetectionSet:
    """Opens one split of a data set of pictures with boxes.

    Args:
        name: a folder as COCO unpacks, with `train2017`, `val2017` and
            `annotations/instances_train2017.json`, or with other years or
            names that begin alike; else the name of a TFDS data set, such as
            "coco/2017" or "digits_in_photos/detection", or its builder.
        split: "train" or "validation"; of TFDS also as the set calls it.
        data_dir: where TFDS keeps its data sets.
        categories: of a folder, ids of the categories by label, such as
            those of the training split, or a dictionary of their names by
            their ids; by default all of the training split's file, sorted,
            or where there is none of the file itself.
        with_objects_only: of a folder, leave out pictures without an object
            that is no crowd. TFDS does not say which these are.

    Returns:
        The `DetectionSet`.

    Raises:
        ValueError: no such data set or split, or annotations that do not
            belong to the pictures.
    """
    check_set(name, split, data_dir)
    arguments.flag("with_objects_only", with_objects_only)

    def of_folder(root):
        file = _instances(root, split)
        known = categories
        if known is None:
            known = _training_categories(root, file)
        folder = root / file.stem.removeprefix("instances_")
        return coco_files(file, folder, known, with_objects_only)

    return opened(
        name, data_dir, of_folder, lambda builder: tfds_objects(builder, split)
    )


def _instances(root, split):
    """The one file of a split's boxes in COCO's layout."""
    files = sorted((root / "annotations").glob("instances_*.json"))
    names = {"train": "train", "validation": "val"}
    start = f"instances_{names.get(split, split)}"
    found = [file for file in files if file.name.startswith(start)]
    if len(found) != 1:
        raise ValueError(
            f"{root} must have one file annotations/{start}*.json for the "
            f"split {split!r}. There are: "
            f"{', '.join(file.name for file in files) or 'none'}"
        )
    return found[0]


def _training_categories(root, file):
    """Names by ids in the training split's file, if that is another one."""
    others = sorted((root / "annotations").glob("instances_train*.json"))
    if len(others) != 1 or others == [file]:
        return None
    return read_categories(others[0])


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
    builder = tfds_builder(name, data_dir) if isinstance(name, str) else name
    features = builder.info.features
    objects = features["objects"] if "objects" in features else None
    inner = getattr(objects, "feature", {})
    if "bbox" not in inner or "label" not in inner:
        raise ValueError(
            f"{builder.info.full_name} has no boxes with labels: `objects` "
            f"needs `bbox` and `label`. Its features: {', '.join(features)}"
        )
    split = tfds_split(builder, split)
    names = tuple(inner["label"].names)

    def read(dataset):
        return dataset.enumerate().map(_standard)

    examples = tfds_examples(builder, split, ["image"], read)
    return DetectionSet(
        f"{builder.info.full_name}, {split}",
        names,
        _category_ids(builder, names),
        len(examples()),
        examples,
        are_files=False,
        digest=tfds_digest(builder, split),
    )


def _category_ids(builder, names):
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
