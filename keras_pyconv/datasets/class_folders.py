"""A folder with a folder for each class, divided into training and validation.

The fact a reader would get wrong: nothing is drawn at random. A picture's name
alone says where it stands in its class's order, so that every run and every
machine divides a folder alike, and a few new pictures move few others.
"""

import hashlib
import os

from keras_pyconv import arguments
from keras_pyconv.datasets.fingerprints import digest
from keras_pyconv.datasets.picture_sets import EXTENSIONS, PictureSet
from keras_pyconv.datasets.splits import in_order


def _order(name):
    return hashlib.sha256(name.encode()).digest()


def _pictures_by_class(root):
    """{class: names of its pictures, relative to the root}, both sorted."""
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        names = [
            path.relative_to(root).as_posix()
            for path in sorted(folder.rglob("*"))
            if path.suffix.upper() in EXTENSIONS
        ]
        if names:
            found[folder.name] = names
    if len(found) < 2:
        raise ValueError(
            f"{root} must have a folder with pictures for each of at least "
            f"two classes. Found: {sorted(found)}"
        )
    return found


def _set(root, title, classes, names):
    paths = [os.path.join(root, name) for name in names]
    numbers = {one: number for number, one in enumerate(classes)}
    labels = [numbers[name.partition("/")[0]] for name in names]

    columns = {"picture": paths, "label": labels, "name": paths}
    return PictureSet(
        f"{root}, {title}",
        tuple(classes),
        len(paths),
        in_order(columns),
        are_files=True,
        digest=digest(classes, names),
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
        raise ValueError(
            "`share` must lie between 0 and 1. "
            f"Received: share={arguments.shown(share)}"
        )
    root = arguments.folder("root", root)
    classes = _pictures_by_class(root)
    training, validation = [], []
    for names in classes.values():
        number = min(max(1, round(share * len(names))), len(names) - 1)
        held = set(sorted(names, key=_order)[:number])
        validation += [name for name in names if name in held]
        training += [name for name in names if name not in held]
    return (
        _set(root, "training", list(classes), training),
        _set(root, "validation", list(classes), validation),
    )
