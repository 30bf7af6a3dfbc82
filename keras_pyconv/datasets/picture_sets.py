"""Labelled images by name: of TFDS or TFRecord, folders of classes, or a CSV.

Classes are numbered by their sorted names, as in TFDS and torchvision.
"""

import dataclasses
import functools
import os
import re

import numpy as np

from keras_pyconv import arguments, storage
from keras_pyconv.datasets import csv_lists, tfrecord
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    in_order,
    opened,
    refuse,
    tfds_labelled,
)
from keras_pyconv.datasets.splits import TRAINING, class_folders, held_back
from keras_pyconv.listing import IMAGES, Listing
from keras_pyconv.reading import is_text, short
from keras_pyconv.typing import PathLike, TfdsBuilder

_BETWEEN_LABELS = re.compile("[;|]")


@dataclasses.dataclass(frozen=True, eq=False)
class PictureSet(ExampleSet):
    """One split of labelled images: `picture`, `label` and `name` of each.

    Attributes:
        multi_label: whether an image may have several labels, or none. Then
            `label` is a row of 0 and 1, one for each class; or a number.
    """

    multi_label: bool = False


def picture_set(
    name: PathLike | TfdsBuilder,
    split: str = "train",
    data_dir: PathLike | None = None,
    multi_label: bool | None = None,
) -> PictureSet:
    """Opens one split of a data set, and prepares it if TFDS must.

    A CSV has a header of `path` and `label`, and `split` if it has several
    splits; without this column it is one split, whatever that is called.
    Paths begin at the CSV's folder. Several labels of an image stand in one
    cell with `;` or `|` between them; an empty cell is an image without any.

    Args:
        name: an existing folder that has a folder for each split, in which
            each class has a folder (ImageNet as torchvision wants it); a CSV
            file; a pattern of TFRecord, such as "gs://bucket/train*.tfrecord",
            of which a split's files are those whose names say it instead; else
            the name of a TFDS data set, such as "imagenet2012", or its
            prepared builder.
        split: "train", "validation", or as the data set calls its splits; of
            a TFDS set also a part, such as "train[:10%]". "validation" finds
            the folders "val" and "test" too, and TFDS's split "test".
        data_dir: where TFDS keeps its data sets.
        multi_label: whether an image may have several labels. None: if any
            row of a CSV has several, or none. False takes a cell for one name.

    Raises:
        ValueError: no such data set or split, no class folders, classes of
            which the training split knows nothing, or rows of a CSV that are
            wrong, by their numbers.
    """
    if multi_label is not None:
        arguments.flag("multi_label", multi_label)
    of_builder = functools.partial(
        tfds_labelled, PictureSet, "picture", "Image", "classification set"
    )

    def of_csv(path, split):
        return PictureList(path, multi_label).part(split)

    found = opened(
        *(name, split, data_dir, _folder_set, of_builder, of_csv),
        of_records=_record_set,
    )
    return (
        dataclasses.replace(found, multi_label=True) if multi_label else found
    )


def has_splits(source: PathLike) -> bool:
    """Whether a source says what to train on and what to judge by."""
    if tfrecord.is_tfrecord(source):
        return True
    if is_csv(source):
        return "split" in csv_lists.read(source, [["path"]])[0]
    folders = (storage.join(source, name) for name in TRAINING)
    return any(map(storage.is_folder, folders))


def _record_set(pattern, split):
    records = tfrecord.read(pattern, split, tfrecord.LABEL)
    classes = tfrecord.names_of_labels(records)
    labels = [int(label) for label in records.column(tfrecord.LABEL)]
    names = records.column("name")
    columns = {"picture": records.column("picture"), "label": labels}
    return PictureSet(
        records.title,
        classes,
        len(names),
        in_order({**columns, "name": names}),
        are_parts=True,
        digest=digest(classes, names, labels),
    )


# Folders ---------------------------------------------------------------------


def _of_files(title, classes, listing, names, digests_labels=False):
    """The set of files by their names below the listed folder."""
    paths = [os.path.join(listing.root, name) for name in names]
    numbers = {one: number for number, one in enumerate(classes)}
    labels = [numbers[name.partition(os.sep)[0]] for name in names]
    return PictureSet(
        title,
        tuple(classes),
        len(paths),
        in_order({"picture": paths, "label": labels, "name": paths}),
        are_files=True,
        digest=digest(classes, names, *([labels] if digests_labels else [])),
        problems=listing.problems,
    )


def _images_of(listing, name):
    """Names of the images of a class, below the listed folder."""
    folder = os.path.join(listing.root, name)
    files = listing.files(folder) if storage.is_folder(folder) else []
    return below(listing.root, files)


def _folder_set(root, split):
    listing, classes = class_folders(root, split, IMAGES)
    names = [name for one in classes for name in _images_of(listing, one)]
    listing.say()
    if not names:
        raise ValueError(
            f"The class folders of {listing.root} contain no image. Known "
            f"endings: {', '.join(IMAGES.endings)}"
        )
    title = f"{root}, {os.path.basename(listing.root)}"
    return _of_files(title, classes, listing, names, digests_labels=True)


# CSV -------------------------------------------------------------------------


def is_csv(path):
    return str(path).lower().endswith(".csv") and not storage.is_folder(path)


class PictureList:
    """The images of a CSV, which `part` gives as sets; `rows` has their lines.

    Raises:
        ValueError: as `picture_set`.
    """

    def __init__(self, path, multi_label=None):
        self._path, self._root = path, os.path.dirname(path)
        self._columns, rows = csv_lists.read(path, [["path"]])
        for _, row in rows:
            row["labels"] = _labels_in(row["label"], multi_label is False)
        if multi_label is None:
            multi_label = any(len(row["labels"]) != 1 for _, row in rows)
        self.multi_label = multi_label
        self._check(rows)
        self.classes = csv_lists.classes_of(path, rows)
        if len(self.classes) < 2:
            raise ValueError(
                f"{path} must name at least two classes. Found: "
                f"{short(self.classes)}"
            )
        advice = "Give an image one row, its labels as in cat;dog."
        self.rows = csv_lists.check_repeated(
            *(path, rows, lambda row: row["path"], "an image", advice)
        )
        self._repeated = len(rows) - len(self.rows)
        self._check_training()

    def _check(self, rows):
        names = ["path"] + ["split"] * ("split" in self._columns)

        def wrong_label(row):
            good = all(map(is_text, row["labels"]))
            return (
                [] if good and (row["label"] or self.multi_label) else ["label"]
            )

        advice = ", and a label" if not self.multi_label else ""
        advice += "; between labels is one ; or |" if self.multi_label else ""
        csv_lists.check(
            self._path, rows, names, "an image", advice, wrong_label
        )
        names = [row["path"] for _, row in rows]
        absent = storage.absent(self._root, names)
        missing = [
            f"line {line}: {short(row['path'])}"
            for line, row in rows
            if row["path"] in absent
        ]
        told = f"Paths begin at the CSV's folder, {self._root or '.'}."
        refuse(self._path, missing, "of its files do not exist", told)

    def _check_training(self):
        """Refuses classes that the training split does not have."""
        training, known = set(TRAINING), set()
        if not training & {row.get("split") for _, row in self.rows}:
            return
        for _, row in self.rows:
            known.update(row["labels"] if row["split"] in training else ())
        wrong = [
            f"line {line}: {short(one)}"
            for line, row in self.rows
            for one in row["labels"]
            if one not in known
        ]
        told = "Labels are those of the training images."
        what = "of its labels have no image to train on"
        refuse(self._path, wrong, what, told)

    def path_of(self, row):
        """The path of a row's image."""
        return storage.join(self._root, row["path"])

    def part(self, split):
        """The set of a split."""
        about = self._path, self._columns, self.rows, split
        split, rows = csv_lists.of_split(*about)
        return self.set_of(split, rows)

    def set_of(self, title, rows):
        """The set of some of the rows."""
        names = [row["path"] for _, row in rows]
        paths = [self.path_of(row) for _, row in rows]
        numbers = {one: number for number, one in enumerate(self.classes)}
        labels = [[numbers[n] for n in row["labels"]] for _, row in rows]
        if self.multi_label:
            hot = np.zeros((len(rows), len(numbers)), "uint8")
            for place, own in enumerate(labels):
                hot[place, own] = 1
            labels = hot
        else:
            labels = [own for (own,) in labels]
        repeated = {"repeated rows": self._repeated} if self._repeated else {}
        return PictureSet(
            f"{os.path.basename(self._path)}, {title}",
            tuple(self.classes),
            len(rows),
            in_order({"picture": paths, "label": labels, "name": paths}),
            are_files=True,
            digest=digest(self.classes, names, labels),
            problems=repeated,
            multi_label=self.multi_label,
        )


def _labels_in(cell, is_one_name):
    """The labels of a cell, each once, in the order of the cell."""
    if is_one_name:
        return (cell,)
    found = [name.strip() for name in _BETWEEN_LABELS.split(cell)]
    return tuple(dict.fromkeys(found)) if cell else ()


# Parts -----------------------------------------------------------------------


def split_class_folder(
    root: PathLike, share: float = 0.2, multi_label: bool | None = None
) -> tuple[PictureSet, PictureSet]:
    """Divides the images of each class, by their names alone.

    Every run and every machine divides a folder alike, and a few new images
    move few others. Of several labels the rarest has its share first.

    Args:
        root: folder with a folder of images for each class, or a CSV.
        share: of each class's images that goes to validation, rounded, but
            at least one where there are two.
        multi_label: as in `picture_set`.

    Returns:
        Two `PictureSet`s, training and validation, of the same classes in
        the order of their names, or of the CSV.

    Raises:
        ValueError: no two classes, or a wrong share; as in `picture_set`.
    """
    if not arguments.is_number(share, 0, 1) or share in (0, 1):
        arguments.refuse("share", share, "a number between 0 and 1")
    if multi_label is not None:
        arguments.flag("multi_label", multi_label)
    if is_csv(arguments.path("root", root, anywhere=True)):
        parts = _parts_of_csv(PictureList(os.fspath(root), multi_label), share)
    else:
        listing = Listing(arguments.folder("root", root, anywhere=True), IMAGES)
        parts = _parts_of_folder(listing, share)
    if multi_label:
        parts = [dataclasses.replace(one, multi_label=True) for one in parts]
    training, validation = parts
    return training, validation


def _divided(rows, names, labels, share):
    """The rows of images to train on and of those that are held back."""
    held, parts = held_back(names, labels, share), ([], [])
    for place, row in enumerate(rows):
        parts[place in held].append(row)
    return parts


def _parts_of_csv(listed, share):
    names = [row["path"] for _, row in listed.rows]
    labels = [row["labels"] for _, row in listed.rows]
    parts = _divided(listed.rows, names, labels, share)
    return map(listed.set_of, ("training", "validation"), parts)


def _parts_of_folder(listing, share):
    by_class = {name: _images_of(listing, name) for name in listing.folders()}
    by_class = {name: images for name, images in by_class.items() if images}
    if len(by_class) < 2:
        raise ValueError(
            f"{listing.root!r} must have at least two class folders with "
            f"images. Found: {sorted(by_class)}"
        )
    listing.say()
    names = [
        name
        for images in by_class.values()
        for name in sorted(images, key=lambda name: name.split(os.sep))
    ]
    labels = [(name.partition(os.sep)[0],) for name in names]
    parts = _divided(names, names, labels, share)
    titles = [f"{listing.root}, {one}" for one in ("training", "validation")]
    return [
        _of_files(title, [*by_class], listing, part)
        for title, part in zip(titles, parts)
    ]
