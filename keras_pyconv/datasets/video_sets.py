"""Labelled videos by name: folders of classes, a CSV, or a set of TFDS.

Nothing here decodes a frame. A video is a file, or a folder of pictures, one
a frame; a set of TFDS stores its frames as JPEG or PNG.

The fact a reader would get wrong: classes are numbered by their sorted names,
of the training split where there are folders, and of the whole CSV.
"""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Callable

from keras_pyconv.datasets.splits import (
    TRAINING,
    VALIDATION,
    split_named,
    tfds_builder,
    tfds_examples,
    tfds_split,
)
from keras_pyconv.tasks.video.files import PICTURES

EXTENSIONS = tuple(
    ".3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .ogv .webm .wmv".split()
)
# Columns of the lists that Kinetics comes with, beside "label" and "split".
_KINETICS = ("youtube_id", "time_start", "time_end")


@dataclasses.dataclass(frozen=True)
class VideoSet:
    """One split of a data set of labelled videos.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        count: how many videos there are.
        paths: of the files or folders of frames; None for a set of TFDS.
        labels: of each path; None for a set of TFDS.
        examples: function of an order to a `tf.data.Dataset` of dicts with
            `video` (encoded frames), `label` and `name`; None where there
            are paths. The order is an int64 scalar tensor, such as an epoch,
            or None for that of the files.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    paths: tuple[str, ...] | None = None
    labels: tuple[int, ...] | None = None
    examples: Callable | None = None


def video_set(name, split="train", data_dir=None, root=None) -> VideoSet:
    """Opens one split of a data set of videos.

    Args:
        name: an existing folder that has a folder for each split, in which
            each class has a folder of video files or of folders of frames;
            a CSV file with a header of `path` and `label` (and `split`, if
            it has several), or one of the lists that Kinetics comes with
            (`label,youtube_id,time_start,time_end,split`); else the name of
            a TFDS set with a video feature, such as "ucf101", or a prepared
            builder of TFDS.
        split: "train", "validation", or as the data set calls its splits;
            "validation" finds "val" and "test" too. A CSV without a column
            `split` is one split, whatever it is called.
        data_dir: where TFDS keeps its data sets.
        root: what the paths of a CSV begin at; None for the CSV's folder.

    Returns:
        The `VideoSet`.

    Raises:
        ValueError: no such data set or split, no classes, or no videos.
    """
    if hasattr(name, "as_dataset"):
        return _tfds_set(name, split)
    if os.path.isdir(name):
        return _folder_set(pathlib.Path(name), split)
    if str(name).lower().endswith(".csv"):
        return _csv_set(pathlib.Path(name), split, root)
    if os.path.isabs(name):
        raise ValueError(f"There is no folder {str(name)!r}.")
    directory = data_dir and os.fspath(data_dir)
    return _tfds_set(tfds_builder(str(name), directory), split)


# Folders ---------------------------------------------------------------------


def _folders(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _folder_set(root, split):
    known = _folders(root)
    training = root / split_named(TRAINING[0], known, root)
    folder = root / split_named(split, known, root)
    classes = _folders(training)
    unknown = set(_folders(folder)) - set(classes)
    if unknown:
        raise ValueError(
            f"{folder} has {len(unknown)} classes that {training} has not, "
            f"such as {min(unknown)!r}; labels count the training classes."
        )
    rows = [
        (path, name) for name in classes for path in videos_of(folder / name)
    ]
    return _of_rows(f"{root}, {folder.name}", rows, classes)


def videos_of(folder):
    """Paths of the videos of a folder, sorted, however deep they lie.

    Args:
        folder: a path. A folder in it that holds pictures is one video.
    """
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        videos = [f for f in files if f.lower().endswith(EXTENSIONS)]
        found += [os.path.join(place, file) for file in videos]
        if not videos and any(f.lower().endswith(PICTURES) for f in files):
            found.append(place)
    return sorted(found)


def _of_rows(name, rows, classes):
    """A set of (path, class) rows."""
    if not rows:
        raise ValueError(
            f"{name} has no videos. Known endings: {', '.join(EXTENSIONS)}; "
            "or a folder of pictures for each video"
        )
    numbers = {label: number for number, label in enumerate(classes)}
    return VideoSet(
        name,
        tuple(classes),
        len(rows),
        tuple(str(path) for path, _ in rows),
        tuple(numbers[label] for _, label in rows),
    )


# CSV -------------------------------------------------------------------------


def _csv_set(path, split, root):
    root = path.parent if root is None else pathlib.Path(root)
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    columns = set(rows[0]) if rows else set()
    if not ({"path", "label"} <= columns or {"label", *_KINETICS} <= columns):
        raise ValueError(
            f"{path} must begin with a line that names its columns: path and "
            "label, or those of Kinetics (label, youtube_id, time_start, "
            f"time_end). Received: {sorted(map(str, columns))}"
        )
    classes = sorted({row["label"] for row in rows})
    # Labels that are numbers already stay what they are.
    if all(label.isdigit() for label in classes):
        classes = [str(n) for n in range(max(map(int, classes)) + 1)]
        rows = [{**row, "label": str(int(row["label"]))} for row in rows]
    if "split" in columns:
        # Kinetics' own word for it.
        rows = [
            {**row, "split": row["split"].replace("validate", VALIDATION[1])}
            for row in rows
        ]
        known = sorted({row["split"] for row in rows})
        split = split_named(split, known, path)
        rows = [row for row in rows if row["split"] == split]
    pairs = [(root / _path_of(row), row["label"]) for row in rows]
    return _of_rows(f"{path.name}, {split}", pairs, classes)


def _path_of(row):
    """The path of a row, or where crawlers of Kinetics put its video."""
    if "path" in row:
        return row["path"]
    start, end = (int(float(row[f"time_{x}"])) for x in ("start", "end"))
    name = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
    return os.path.join(row["label"], name)


# TFDS ------------------------------------------------------------------------


def _tfds_set(builder, split):
    import tensorflow_datasets as tfds

    name, features = builder.info.full_name, builder.info.features
    video, label = builder.info.supervised_keys or _keys(name, features)
    if not isinstance(features[video], tfds.features.Video):
        raise ValueError(
            f"{name!r} is no set of videos: its {video!r} is a "
            f"{type(features[video]).__name__}."
        )
    split = tfds_split(builder, split)

    def read(dataset):
        return dataset.map(
            lambda example: {
                "video": example[video],
                "label": example[label],
                "name": example["tfds_id"],
            }
        )

    # Frames stay encoded: only those of a clip are decoded.
    examples = tfds_examples(builder, split, [video], read)
    classes = tuple(features[label].names)
    count = len(examples())
    return VideoSet(f"{name}, {split}", classes, count, examples=examples)


def _keys(name, features):
    """The names of the video and of its label, where a set does not say."""
    import tensorflow_datasets as tfds

    kinds = (tfds.features.Video, tfds.features.ClassLabel)
    found = [
        [key for key, feature in features.items() if isinstance(feature, kind)]
        for kind in kinds
    ]
    if not all(found):
        raise ValueError(f"{name!r} has no feature of videos with a label.")
    return found[0][0], found[1][0]
