"""Labelled images by name: a data set of TFDS, or folders of classes.

Classes are numbered by their sorted names, as in TFDS and torchvision.
"""

import functools
import hashlib
import os

from keras_pyconv import arguments
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    in_order,
    opened,
    tfds_labelled,
)
from keras_pyconv.datasets.splits import class_folders
from keras_pyconv.listing import IMAGES, Listing
from keras_pyconv.typing import PathLike, TfdsBuilder


class PictureSet(ExampleSet):
    """One split of labelled images: `picture`, `label` and `name` of each."""


def picture_set(
    name: PathLike | TfdsBuilder,
    split: str = "train",
    data_dir: PathLike | None = None,
) -> PictureSet:
    """Opens one split of a data set, and prepares it if TFDS must.

    Args:
        name: an existing folder that has a folder for each split, in which
            each class has a folder (ImageNet as torchvision wants it); else
            the name of a TFDS data set, such as "imagenet2012", or its
            prepared builder.
        split: "train", "validation", or as the data set calls its splits; of
            a TFDS set also a part, such as "train[:10%]". "validation" finds
            the folders "val" and "test" too, and TFDS's split "test".
        data_dir: where TFDS keeps its data sets.

    Raises:
        ValueError: no such data set or split, no class folders, or classes
            of which the training split knows nothing.
    """
    of_builder = functools.partial(
        tfds_labelled, PictureSet, "picture", "Image", "classification set"
    )
    return opened(name, split, data_dir, _folder_set, of_builder)


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
    files = listing.files(folder) if os.path.isdir(folder) else []
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


def split_class_folder(
    root: PathLike, share: float = 0.2
) -> tuple[PictureSet, PictureSet]:
    """Divides the images of each class, by their names alone.

    Every run and every machine divides a folder alike, and a few new images
    move few others.

    Args:
        root: folder with a folder of images for each class.
        share: of each class's images that goes to validation, rounded, but
            at least one where there are two.

    Returns:
        Two `PictureSet`s, training and validation, of the same classes in
        the order of their names.

    Raises:
        ValueError: there are not two classes, or the share is no share.
    """
    if not arguments.is_number(share, 0, 1) or share in (0, 1):
        arguments.refuse("share", share, "a number between 0 and 1")
    listing = Listing(arguments.folder("root", root), IMAGES)
    by_class = {name: _images_of(listing, name) for name in listing.folders()}
    by_class = {name: images for name, images in by_class.items() if images}
    if len(by_class) < 2:
        raise ValueError(
            f"{listing.root} must have at least two class folders with images. "
            f"Found: {sorted(by_class)}"
        )
    listing.say()
    training: list[str] = []
    validation: list[str] = []
    for names in by_class.values():
        names.sort(key=lambda name: name.split(os.sep))
        number = min(max(1, round(share * len(names))), len(names) - 1)
        drawn = {n: hashlib.sha256(n.encode()).digest() for n in names}
        held = set(sorted(names, key=drawn.__getitem__)[:number])
        for name in names:
            (validation if name in held else training).append(name)

    def part(title, names):
        return _of_files(
            f"{listing.root}, {title}", [*by_class], listing, names
        )

    return part("training", training), part("validation", validation)
