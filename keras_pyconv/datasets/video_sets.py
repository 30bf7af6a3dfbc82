"""Labelled videos by name: folders of classes, a CSV, or a set of TFDS.

A video is a file, or a folder of images, one a frame. Classes are numbered by
their sorted names.
"""

import csv
import dataclasses
import functools
import io
import os

from keras_pyconv import arguments
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    opened,
    refuse,
    tfds_labelled,
)
from keras_pyconv.datasets.splits import class_folders, split_named
from keras_pyconv.listing import IMAGES, VIDEOS, Listing
from keras_pyconv.reading import is_text, read_text, short
from keras_pyconv.typing import PathLike, TfdsBuilder

KINDS = (VIDEOS, IMAGES)
# Columns of the lists that Kinetics comes with, beside "label" and "split".
_KINETICS = ("youtube_id", "time_start", "time_end")
_SPLITS = {"validate": "validation"}  # Kinetics' own word for it
_DIGITS = 7  # too many for the number of a class


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


def _csv_rows(path):
    """Columns and rows (line, values by column) of a CSV with a header."""
    # A video's name may hold what `str.splitlines` takes for an end of line.
    text = io.StringIO(read_text(path), newline="")
    reader = csv.reader(text, skipinitialspace=True, strict=True)
    columns, rows, wrong = [], [], []
    try:
        columns = [name.strip() for name in next(reader, [])]
        for line in filter(None, reader):
            # A space at the end would make another class.
            values = [value.strip() for value in line]
            rows.append((reader.line_num, dict(zip(columns, values))))
            if len(values) != len(columns):
                wrong.append(f"line {reader.line_num} has {len(values)}")
    except csv.Error as error:
        wrong.append(f"line {reader.line_num}: {error}")
    refuse(
        path,
        wrong,
        f"of its lines cannot be read as the {len(columns)} columns of "
        "the first",
        "Put values that hold a comma or a quote in quotes.",
    )
    known = set(columns)
    has_paths = {"path", "label"} <= known or {"label", *_KINETICS} <= known
    if not has_paths or len(known) < len(columns):
        raise ValueError(
            f"{path} must start with a header line that names each column "
            "once: path and label, or those of Kinetics (label, youtube_id, "
            f"time_start, time_end). Received: {short(sorted(columns))}"
        )
    return columns, rows


def _check_rows(path, rows, columns):
    """Refuses rows in which a value is missing, or a time is none."""
    names = ["path"] if "path" in columns else list(_KINETICS)
    names += ["label"] + ["split"] * ("split" in columns)
    wrong = []
    for line, row in rows:
        bad = [name for name in names if not is_text(row[name])]
        if "path" not in columns:
            times = ("time_start", "time_end")
            bad += [name for name in times if not _is_time(row[name])]
        wrong += [f"line {line}: {n} is {short(row[n])}" for n in bad[:1]]
    refuse(
        path,
        wrong,
        "of its lines do not name a video",
        f"Each needs {', '.join(names)}; times are in seconds, from 0 on.",
    )


def _is_time(value):
    try:
        # Crawlers write them in six digits.
        return 0 <= float(value) < 10**6
    except ValueError:
        return False


def _check_numbers(path, rows):
    """Refuses numbers as labels that are too long for those of classes."""
    wrong = [
        f"line {line}: {short(row['label'])}"
        for line, row in rows
        if len(row["label"].lstrip("0")) >= _DIGITS
    ]
    refuse(
        path,
        wrong,
        "of its lines have a label that is no number of a class",
        f"Numbers of classes are below {10 ** (_DIGITS - 1):,}; or give names.",
    )


def _check_repeated(path, rows):
    """Refuses a video of two classes."""
    seen, wrong = {}, []
    for line, row in rows:
        name = _path_of(row)
        first, label = seen.setdefault(name, (line, row["label"]))
        if label != row["label"]:
            wrong.append(
                f"{short(name)} is {short(label)} in line {first} and "
                f"{short(row['label'])} in line {line}"
            )
    refuse(
        path,
        wrong,
        "of its lines give a video another label than before",
        "A video has one class.",
    )


def _csv_set(path, split, root):
    columns, rows = _csv_rows(path)
    _check_rows(path, rows, columns)
    classes = sorted({row["label"] for _, row in rows})
    # Numbers are classes already, and stay what they are.
    if classes and all(x.isascii() and x.isdigit() for x in classes):
        _check_numbers(path, rows)
        for _, row in rows:
            row["label"] = str(int(row["label"]))
        most = max(int(row["label"]) for _, row in rows)
        classes = [str(number) for number in range(most + 1)]
    if "split" in columns:
        for _, row in rows:
            row["split"] = _SPLITS.get(row["split"], row["split"])
        known = sorted({row["split"] for _, row in rows})
        split = split_named(split, known, path)
        rows = [(line, row) for line, row in rows if row["split"] == split]
    _check_repeated(path, rows)
    pairs = [(root / _path_of(row), row["label"]) for _, row in rows]
    return _of_rows(f"{path.name}, {split}", pairs, classes, root)


def _path_of(row):
    """The path of a row, or where crawlers of Kinetics put its video."""
    if "path" in row:
        return row["path"]
    start, end = (int(float(row[f"time_{x}"])) for x in ("start", "end"))
    name = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
    return os.path.join(row["label"], name)
