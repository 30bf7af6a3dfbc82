"""A folder with a folder for each class, divided into training and validation.

The fact a reader would get wrong: nothing is drawn at random. A picture's name
alone says where it stands in its class's order, so that every run and every
machine divides a folder alike, and a few new pictures move few others.
"""

import hashlib
import os

from keras_pyconv import arguments
from keras_pyconv.datasets.fingerprints import below, digest
from keras_pyconv.datasets.picture_sets import PictureSet
from keras_pyconv.datasets.splits import in_order
from keras_pyconv.listing import IMAGES, Listing


def _order(name):
    return hashlib.sha256(name.encode()).digest()


def _images_by_class(listing):
    """{class: names of its images, relative to the root}, both sorted."""
    found = {}
    for name in listing.folders():
        files = listing.files(os.path.join(listing.root, name))
        if files:
            names = below(listing.root, files)
            found[name] = sorted(names, key=lambda name: name.split(os.sep))
    if len(found) < 2:
        raise ValueError(
            f"{listing.root} must have a folder with images for each of at "
            f"least two classes. Found: {sorted(found)}"
        )
    return found


def _set(listing, title, classes, names):
    paths = [os.path.join(listing.root, name) for name in names]
    numbers = {one: number for number, one in enumerate(classes)}
    labels = [numbers[name.partition(os.sep)[0]] for name in names]
    return PictureSet(
        f"{listing.root}, {title}",
        tuple(classes),
        len(paths),
        in_order({"picture": paths, "label": labels, "name": paths}),
        are_files=True,
        digest=digest(classes, names),
        problems=listing.problems,
    )


def split_class_folder(root, share: float = 0.2):
    """Divides the pictures of each class, by their names alone.

    Args:
        root: folder with a folder of pictures for each class.
        share: of each class's pictures that goes to validation, rounded, but
            at least one where there are two.

    Returns:
        Two `PictureSet`s, training and validation, of the same classes in
        the order of their names.

    Raises:
        ValueError: if there are not two classes, or the share is no share.
    """
    if not arguments.is_number(share, 0, 1) or share in (0, 1):
        arguments.refuse("share", share, "a number between 0 and 1")
    listing = Listing(arguments.folder("root", root), IMAGES)
    classes = _images_by_class(listing)
    listing.say()
    training, validation = [], []
    for names in classes.values():
        number = min(max(1, round(share * len(names))), len(names) - 1)
        held = set(sorted(names, key=_order)[:number])
        validation += [name for name in names if name in held]
        training += [name for name in names if name not in held]
    return (
        _set(listing, "training", list(classes), training),
        _set(listing, "validation", list(classes), validation),
    )
