"""Finds the problems of a data set of each task, as `Finding`s.

Every file is looked at once. What training refuses is found by opening the
set as training does.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib

import numpy as np
from google.protobuf.message import DecodeError

from keras_pyconv import datasets
from keras_pyconv.commands.answering import listed
from keras_pyconv.commands.opening import class_names
from keras_pyconv.datasets import tfrecord
from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.broken import pictures_allowed
from keras_pyconv.datasets.mask_sets import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    unchecked,
)
from keras_pyconv.datasets.masks import decode_mask, fault
from keras_pyconv.datasets.picture_sets import PictureList
from keras_pyconv.datasets.splits import TRAINING, VALIDATION
from keras_pyconv.datasets.video_sets import videos_of
from keras_pyconv.lazy import tf
from keras_pyconv.listing import IMAGES, VIDEOS, Listing
from keras_pyconv.progress import Bar
from keras_pyconv.provenance import cores
from keras_pyconv.reading import one_line, read_text
from keras_pyconv.tasks.image import read_image, reason_of
from keras_pyconv.tasks.orientation import AS_STORED, headers
from keras_pyconv.tasks.segmentation.classes import IGNORED
from keras_pyconv.tasks.video import Decoders, UnreadableVideo

IMBALANCE = 10  # times the examples of the rarest class


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: such as "unreadable"; findings are counted by it.
        path: of the file, or "" for the set.
        said: what is wrong, in a line.
        stops: whether training would stop, or lose the file.
        is_readable: whether the file is an image that can be shown.
    """

    kind: str
    path: str
    said: str
    stops: bool = False
    is_readable: bool = False


def task_of(data) -> str:
    """The task whose data a folder or a CSV looks like."""
    if data.suffix.lower() == ".csv":
        paths = listed(read_text(data), "")
        are_images = any(p.lower().endswith(IMAGES.endings) for p in paths)
        return "classification" if are_images else "video"
    if tfrecord.is_tfrecord(data):
        return _task_of_records(str(data))
    if list(data.glob("annotations/instances_*.json")):
        return "detection"
    pair = IMAGE_FOLDERS, MASK_FOLDERS
    if all(any((data / name).is_dir() for name in names) for names in pair):
        return "segmentation"
    found = Listing(data, VIDEOS).files()
    return "video" if found else "classification"


def examine(task, options):
    """`{split: Counter of classes}`, and the findings, the worst first."""
    if tfrecord.is_tfrecord(options.data):
        counts, findings = _records(task, options)
    else:
        counts, findings = _EXAMINED[task](options)
    for split, classes in counts.items():
        findings += _of_classes(split, classes)
    return counts, sorted(findings, key=lambda one: not one.stops)


def _of_classes(split, classes):
    """Classes without an example, and how unlike their numbers are."""
    empty = [name for name, count in classes.items() if not count]
    for name in empty:
        yield Finding("empty class", "", f"{split}: {name} has no example")
    ranks = (+classes).most_common()
    if ranks and ranks[0][1] > IMBALANCE * ranks[-1][1]:
        (most, first), (least, last) = ranks[0], ranks[-1]
        said = f"{split}: {most} has {first}, {least} has {last}"
        yield Finding("imbalance", "", said)


def _opened(open_set, *arguments, **options):
    """The set as training opens it, and the finding of a refusal."""
    try:
        return open_set(*arguments, **options), []
    except (ValueError, OSError, ImportError) as error:
        said = one_line(error, 1000)
        return None, [Finding("error", "", said, stops=True)]


def _left_out(opened):
    problems = getattr(opened, "problems", None) or {}
    for reason, count in problems.items():
        yield Finding("left out or changed", "", f"{count} {reason}")


def _duplicate(first, split, path, content, **about):
    """The finding of a file whose content was seen before, if it was."""
    other, one = first.setdefault(content, (split, path))
    if one != path:
        across = "" if other == split else " across splits"
        yield Finding(f"duplicate{across}", path, f"same as {one}", **about)


# Images ----------------------------------------------------------------------


def _examine_images(files):
    """Findings of the image files of each split, all decoded."""
    paths = [(split, path) for split in files for path in files[split]]
    bar, first = Bar(len(paths), unit_name="image"), {}
    broken = collections.defaultdict(list)

    def look(pair):
        try:
            pixels = read_image(pair[1])
        except (OSError, ValueError) as error:
            return *pair, None, reason_of(error)
        content = hashlib.sha256(np.ascontiguousarray(pixels))
        return *pair, (pixels.shape, content.digest()), ""

    for split, path, content, reason in ahead(look, paths, cores()):
        bar.add(1)
        if reason:
            broken[split].append((path, reason))
            continue
        yield from _duplicate(first, split, path, content, is_readable=True)
    yield from _broken(files, broken)
    found = headers([path for _, path in paths])
    for (_, path), header in zip(paths, found):
        if header and header.orientation != AS_STORED:
            said = f"orientation {header.orientation}"
            yield Finding("EXIF rotation", path, said, is_readable=True)


def _broken(files, broken):
    """Findings of unreadable images; too many of them stop training."""
    for split, rows in broken.items():
        stops = len(rows) > pictures_allowed(len(files[split]))
        for path, reason in rows:
            yield Finding("unreadable", path, reason, stops)


def _classification(options):
    data = options.data
    if data.suffix.lower() == ".csv":
        return _list_of_images(data)
    splits = [name for name in Listing(data).folders() if _is_split(name)]
    counts, files, findings = {}, {}, []
    if not {*splits} & {*TRAINING}:
        splits = [""]
        _, findings = _opened(datasets.split_class_folder, data)
    listings = {split: Listing(data / split, IMAGES) for split in splits}
    folders = {split: one.folders() for split, one in listings.items()}
    classes = sorted(set().union(*folders.values()))
    for split, listing in listings.items():
        title = split or "all"
        found = {n: listing.files(data / split / n) for n in folders[split]}
        each = {name: len(found.get(name, ())) for name in classes}
        counts[title] = collections.Counter(each)
        files[title] = [path for paths in found.values() for path in paths]
        if split:
            _, refused = _opened(datasets.picture_set, data, split)
            findings += refused
        findings += _left_out(listing)
    return counts, findings + list(_examine_images(files))


def _list_of_images(data):
    opened, findings = _opened(PictureList, data)
    counts, files = {}, collections.defaultdict(list)
    for _, row in opened.rows if opened else ():
        split = row.get("split", "all")
        nothing = collections.Counter(dict.fromkeys(opened.classes, 0))
        counts.setdefault(split, nothing).update(row["labels"])
        files[split].append(opened.path_of(row))
    return counts, findings + list(_examine_images(files))


def _is_split(name):
    return name in (*TRAINING, *VALIDATION)


def _detection(options):
    counts, files, findings = {}, {}, []
    for file in sorted(options.data.glob("annotations/instances_*.json")):
        split = file.stem.removeprefix("instances_")
        folder = options.data / split
        if not folder.is_dir():
            said = f"{file} needs the image folder {folder}"
            findings.append(Finding("error", str(file), said, stops=True))
            continue
        opened, refused = _opened(datasets.coco_files, file, folder)
        findings += [*refused, *_left_out(opened)]
        files[split] = Listing(folder, IMAGES).files()
        if opened:
            rows = opened.annotations
            used = collections.Counter(rows.objects.categories)
            names = rows.categories.items()
            counts[split] = collections.Counter({n: used[i] for i, n in names})
    if not files and not findings:
        said = f"{options.data} has no annotations/instances_*.json"
        findings.append(Finding("error", "", said, stops=True))
    return counts, findings + list(_examine_images(files))


def _segmentation(options):
    given = {
        "rule": options.label_rule,
        "classes": class_names(options.classes),
    }
    known = [options.data / name for name in IMAGE_FOLDERS]
    images = next(filter(pathlib.Path.is_dir, known), options.data)
    counts, files, findings = {}, {}, []
    for split in Listing(images).folders():
        files[split] = Listing(images / split, IMAGES).files()
        opened, refused = _opened(unchecked, options.data, split, **given)
        findings += [*refused, *_left_out(opened)]
        if opened:
            counts[split], wrong = _examine_masks(opened)
            findings += wrong
    if not files:
        _, findings = _opened(datasets.mask_set, options.data, "train", **given)
    return counts, findings + list(_examine_images(files))


def _examine_masks(opened):
    """Pixels by class, and the findings of masks that training refuses."""
    pixels, findings = np.zeros(256, "int64"), []
    bar = Bar(opened.count, unit_name="mask")
    for example in opened.examples(None).as_numpy_iterator():
        bar.add(1)
        path, name = (os.fsdecode(example[n]) for n in ("mask", "name"))
        try:
            encoded = pathlib.Path(path).read_bytes()
            labels = decode_mask(
                encoded, len(opened.classes), opened.rule, name
            ).numpy()
        except (OSError, tf.errors.OpError, UnicodeDecodeError) as error:
            said = fault(error, name)
            findings.append(Finding("invalid mask", path, said, stops=True))
            continue
        pixels += np.bincount(labels.ravel(), minlength=256)
        if (labels == IGNORED).all():
            said = "no pixel has a class"
            findings.append(Finding("empty mask", path, said))
    counts = dict(zip(opened.classes, pixels.tolist()))
    return collections.Counter(counts), findings


# TFRecord --------------------------------------------------------------------


def _task_of_records(pattern):
    """The task of the features of the first records."""
    files = tfrecord.files_of(pattern, TRAINING[0])
    with contextlib.suppress(tf.errors.DataLossError, DecodeError):
        for record in tf.data.TFRecordDataset(files).take(100):
            example = tf.train.Example.FromString(record.numpy())
            for task, key in _FEATURES.items():
                if key in example.features.feature:
                    return task
    return "classification"


_FEATURES = {
    "segmentation": tfrecord.MASK,
    "detection": tfrecord.LABELS,
    "classification": tfrecord.LABEL,
}


def _records(task, options):
    rule, classes = options.label_rule, class_names(options.classes)
    open_set = {
        "classification": datasets.picture_set,
        "detection": datasets.detection_set,
        "segmentation": functools.partial(
            unchecked, rule=rule, classes=classes
        ),
    }.get(task)
    if open_set is None:
        raise ValueError("TFRecord holds images, not videos")
    counts, findings = {}, []
    for split in (TRAINING[0], VALIDATION[0]):
        opened, refused = _opened(open_set, str(options.data), split)
        findings += [*refused, *_left_out(opened)]
        if opened:
            counts[split], broken = _examine_records(opened)
            files = {split: range(opened.count)}
            findings += _broken(files, {split: broken})
    return counts, findings


def _examine_records(opened):
    """How often each class is there, and what does not decode."""
    found, broken = np.zeros(256 + len(opened.classes), "int64"), []
    bar = Bar(opened.count, unit_name="image")
    for example in opened.examples(None).as_numpy_iterator():
        bar.add(1)
        try:
            if "mask" in example:
                labels = np.ravel(opened.named(example)[1])
            else:
                read_image(opened.source(example["picture"]))
                key = "labels" if "labels" in example else "label"
                labels = np.ravel(example[key])
        except (OSError, ValueError) as error:
            broken.append((example["name"].decode(), reason_of(error)))
            continue
        found += np.bincount(labels, minlength=len(found))
    counts = dict(zip(opened.classes, found.tolist()))
    return collections.Counter(counts), broken


# Videos ----------------------------------------------------------------------


def _video(options):
    splits, findings = _videos(options)
    counts, paths = {}, []
    for split, (names, found) in splits.items():
        counts[split] = collections.Counter(dict.fromkeys(names, 0))
        counts[split].update(name for name, _ in found)
        paths += [(split, path) for _, path in found]
    limits = options.processes, options.timeout
    bar = Bar(len(paths), unit_name="video")
    with contextlib.closing(Decoders(*limits)) as decoders:
        findings += _examine_videos(paths, decoders, bar.add)
    return counts, findings


def _videos(options):
    """`{split: (classes, [(class, path)])}`, and the findings of lists."""
    data, splits = options.data, {}
    if data.suffix.lower() == ".csv":
        split = options.split or "train"
        one = datasets.video_set(data, split, root=options.root)
        rows = [(one.classes[n], p) for n, p in zip(one.labels, one.paths)]
        return {split: (one.classes, rows)}, []
    for name in filter(_is_split, Listing(data).folders()):
        classes = Listing(data / name).folders()
        splits[name] = classes, [
            (one, path)
            for one in classes
            for path in videos_of(data / name / one)
        ]
    if not splits:
        splits = {"all": ((), [("videos", path) for path in videos_of(data)])}
    if not any(found for _, found in splits.values()):
        raise ValueError(f"{data} contains no videos")
    return splits, []


def _examine_videos(paths, decoders, progress):
    first = {}

    def look(pair):
        _, path = pair
        try:
            _, remarks = decoders("inspect", path)
        except UnreadableVideo as error:
            return *pair, None, str(error)
        return *pair, remarks, ""

    for split, path, remarks, reason in ahead(look, paths, decoders.processes):
        progress(1)
        if reason:
            yield Finding("unusable", path, reason, stops=True)
            continue
        if remarks:
            yield Finding("unusual", path, "; ".join(remarks))
        if os.path.isfile(path):
            with open(path, "rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
            yield from _duplicate(first, split, path, content)


_EXAMINED = {
    "classification": _classification,
    "detection": _detection,
    "segmentation": _segmentation,
    "video": _video,
}
