"""Splits of data sets: their names, their folders, and a share held back."""

import collections
import hashlib
import os

from keras_pyconv import storage
from keras_pyconv.listing import Listing
from keras_pyconv.reading import is_text, read_text, short

CLASSES = "classes.txt"  # names of classes, where no folder has them
TRAINING = ("train", "training")
VALIDATION = ("val", "validation", "valid", "test")


def split_named(split, known, where):
    """The name of a split among the known ones of `where`, or its like."""
    alike = next((g for g in (TRAINING, VALIDATION) if split in g), ())
    for name in (split, *alike):
        if name in known:
            return name
    raise ValueError(f"{where} has no split {split!r}. Known: {known}")


def class_folders(root, split, *kinds):
    """The `Listing` of a split's folder, and the training split's classes."""
    known = Listing(root).folders()
    if not known:
        raise ValueError(
            f"{root} has no folders. It needs one for each split, train and "
            "val, and in each of these one for each class."
        )
    folders = [
        os.path.join(root, split_named(name, known, root))
        for name in (TRAINING[0], split)
    ]
    training, listing = [Listing(folder, *kinds) for folder in folders]
    classes, found = training.folders(), listing.folders()
    for one, names in ((training, classes), (listing, found)):
        if not names:
            loose = len(Listing(one.root, *kinds).files())
            raise ValueError(
                f"{one.root} has no folders, one for each class, but {loose} "
                "files. ImageNet's validation images come like that: move "
                "each into a folder named after its class."
            )
    unknown = set(found) - set(classes)
    if unknown:
        raise ValueError(
            f"{listing.root} has {len(unknown)} classes that are not in "
            f"{training.root}, such as {min(unknown)!r}; labels are those of "
            "the training classes."
        )
    return listing, classes


def held_back(names, labels, share):
    """Places of the examples of which a share of each class is held back.

    It follows from names alone. Of several `labels` (tuples; without any is a
    class too) the rarest has its share first; every class keeps one example.
    """
    members = collections.defaultdict(list)
    for place, own in enumerate(labels):
        for one in own or (None,):
            members[one].append(place)
    kept = {one: len(places) for one, places in members.items()}
    drawn = [hashlib.sha256(name.encode()).digest() for name in names]
    held, decided = set(), set()
    for one in sorted(members, key=lambda one: (len(members[one]), str(one))):
        count = len(members[one])
        least = count - min(max(1, round(share * count)), count - 1)
        for place in sorted({*members[one]} - decided, key=drawn.__getitem__):
            own = labels[place] or (None,)
            if kept[one] > least and all(kept[other] > 1 for other in own):
                held.add(place)
                kept.update({other: kept[other] - 1 for other in own})
        decided.update(members[one])
    return held


def written_names(root):
    """The lines of the folder's file of names, or None without one."""
    path = os.path.join(root, CLASSES)
    if not storage.exists(path):
        return None
    lines = [line.strip() for line in read_text(path).split("\n")]
    names, first = [line for line in lines if line], {}
    wrong = [
        f"line {number}, {short(name)}"
        for number, name in enumerate(lines, 1)
        if name
        and (first.setdefault(name, number) != number or not is_text(name))
    ]
    if not names or wrong:
        raise ValueError(
            f"{path} must have one class name per line, without repetitions "
            f"and control characters. Received: {len(names)} names, of which "
            f"{len(wrong)} are repeated or invalid: {'; '.join(wrong[:3])}"
        )
    return names
