"""Labelled videos by name: folders of classes, a CSV, or a set of TFDS.

A video is a file, or a folder of images, one a frame. Classes are numbered by
their sorted names.
"""

import dataclasses
import functools
import os

from keras_pyconv import arguments
from keras_pyconv.datasets import csv_lists
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    opened,
    tfds_labelled,
)
from keras_pyconv.datasets.splits import class_folders
from keras_pyconv.listing import IMAGES, VIDEOS, Listing
from keras_pyconv.typing import PathLike, TfdsBuilder

KINDS = (VIDEOS, IMAGES)
# Columns of the lists that Kinetics comes with, beside "label" and "split".
_KINETICS = ("youtube_id", "time_start", "time_end")


@dataclasses.dataclass(frozen=True, eq=False)
class VideoSet(ExampleSet):
    """One split of a data set of labelled videos.

    Sets of TFDS have `examples` of `video` (encoded frames), `label` and
    `name`; others have `paths`, of files or folders of frames, and `labels`.
    """

    paths: tuple[str, ...] | None = None
    labels: tuple[int, ...] | None = None


def video_set(
    name: PathLike | TfdsBuilder,
    split: str = "train",
    data_dir: PathLike | None = None,
    root: PathLike | None = None,
) -> VideoSet:
    """Opens one split of a data set of videos.

    Args:
        name: an existing folder that has a folder for each split, in which
            each class has a folder of video files or of folders of frames;
            a CSV file with a header of `path` and `label` (and `split`, if
            it has several), or one of the lists that Kinetics comes with
            (`label,youtube_id,time_start,time_end,split`); else the name of
            a TFDS set of videos, such as "ucf101", or its prepared builder.
        split: as in `picture_set`. A CSV without a column `split` is one
            split, whatever it is called.
        data_dir: where TFDS keeps its data sets.
        root: what the paths of a CSV begin at; None for the CSV's folder.

    Raises:
        ValueError: no such data set or split, no classes, or no videos.
    """
    if not hasattr(name, "as_dataset"):
        name = arguments.path("name", name)  # decoders read local files
    if root is not None:
        root = arguments.folder("root", root)

    def of_csv(path, split):
        return _csv_set(path, split, root or path.parent)

    of_builder = functools.partial(
        tfds_labelled, VideoSet, "video", "Video", "set of videos"
    )
    return opened(name, split, data_dir, _folder_set, of_builder, of_csv)


# Folders ---------------------------------------------------------------------


def _folder_set(root, split):
    listing, classes = class_folders(root, split, *KINDS)
    rows = [
        (path, name)
        for name in classes
        if os.path.isdir(folder := os.path.join(listing.root, name))
        for path in videos_of(folder, listing)
    ]
    listing.say()
    title = f"{root}, {os.path.basename(listing.root)}"
    return _of_rows(title, rows, classes, listing.root, listing.problems)


def videos_of(folder, listing=None):
    """Paths of the videos of a folder, sorted, however deep they lie.

    A folder that holds images is one video. What is left out is counted by the
    `Listing`, or said where none is given.
    """
    found, counted = [], listing or Listing(folder, *KINDS)
    for place, files in counted.walk(folder):
        names = {k: [os.path.join(place, n) for n in files[k]] for k in KINDS}
        found += names[VIDEOS]
        if names[VIDEOS] and names[IMAGES]:
            counted.leave_out("images beside videos", *names[IMAGES])
        elif names[IMAGES]:
            found.append(place)
    if listing is None:
        counted.say()
    return sorted(found)


def _of_rows(name, rows, classes, root, problems=None):
    """A set of (path, class) rows; the paths begin at `root`."""
    if not rows:
        raise ValueError(
            f"{name} has no videos. Known endings: "
            f"{', '.join(VIDEOS.endings)}; or a folder of images for each "
            "video"
        )
    numbers = {label: number for number, label in enumerate(classes)}
    paths = tuple(str(path) for path, _ in rows)
    labels = tuple(numbers[label] for _, label in rows)
    return VideoSet(
        name,
        tuple(classes),
        len(rows),
        digest=digest(classes, below(root, paths), labels),
        problems=problems or {},
        paths=paths,
        labels=labels,
    )


# CSV -------------------------------------------------------------------------


def _wrong_times(row):
    times = ("time_start", "time_end")
    return [name for name in times if not _is_time(row[name])]


def _is_time(value):
    try:
        # Crawlers write them in six digits.
        return 0 <= float(value) < 10**6
    except ValueError:
        return False


def _csv_set(path, split, root):
    rule = (
        "path and label, or those of Kinetics (label, youtube_id, "
        "time_start, time_end)"
    )
    columns, rows = csv_lists.read(path, (("path",), _KINETICS), rule)
    has_paths = "path" in columns
    names = ["path"] if has_paths else list(_KINETICS)
    names += ["label"] + ["split"] * ("split" in columns)
    advice = "; times are in seconds, from 0 on"
    wrong = None if has_paths else _wrong_times
    csv_lists.check(path, rows, names, "a video", advice, wrong)
    for _, row in rows:
        row["labels"] = (row["label"],)
    classes = csv_lists.classes_of(path, rows)
    split, rows = csv_lists.of_split(path, columns, rows, split)
    advice = "A video has one class."
    csv_lists.check_repeated(path, rows, _path_of, "a video", advice)
    pairs = [(root / _path_of(row), row["labels"][0]) for _, row in rows]
    return _of_rows(f"{path.name}, {split}", pairs, classes, root)


def _path_of(row):
    """The path of a row, or where crawlers of Kinetics put its video."""
    if "path" in row:
        return row["path"]
    start, end = (int(float(row[f"time_{x}"])) for x in ("start", "end"))
    name = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
    return os.path.join(row["label"], name)
