"""Labelled pictures by name: a data set of TFDS, or folders of classes.

Nothing here decodes a picture. The fact a reader would get wrong: classes are
numbered by their sorted names, in folders and in TFDS's `imagenet2012` alike,
and so does the authors' code (torchvision's ImageFolder). ImageNet's folders
are named by wnids, so all three number its classes the same, as Keras does.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.fingerprints import below, digest, tfds_digest
from keras_pyconv.datasets.splits import (
    TRAINING,
    in_order,
    split_named,
    tfds_builder,
    tfds_examples,
    tfds_split,
)

# What Pillow can read of what is found in such folders.
EXTENSIONS = (
    ".bmp .gif .jpeg .jpg .pgm .png .ppm .tif .tiff .webp".upper().split()
)


@dataclasses.dataclass(frozen=True)
class PictureSet:
    """One split of a data set of labelled pictures.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        count: how many pictures there are.
        examples: function of an order to a `tf.data.Dataset` of dicts with
            `picture`, `label` and `name`, the picture's own. The order is an
            int64 scalar tensor, such as an epoch, or None for the order of
            the files.
        are_files: whether `picture` is a path; else it is encoded.
        digest: text that is another where names or labels are; see
            `training_stream`.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    examples: Callable
    are_files: bool
    digest: str | None = None

    def encoded(self, example):
        """The bytes of an example's file, a string scalar."""
        if self.are_files:
            return tf.io.read_file(example["picture"])
        return example["picture"]


def picture_set(name, split="train", data_dir=None) -> PictureSet:
    """Opens one split of a data set, and prepares it if TFDS must.

    Args:
        name: an existing folder that has a folder for each split, in which
            each class has a folder (ImageNet as torchvision wants it); else
            the name of a TFDS data set, "imagenet2012" or with its config
            "imagenette/320px"; or a prepared builder of TFDS.
        split: "train", "validation", or as the data set calls its splits; of
            a TFDS set also a part, such as "train[:10%]". "validation" finds
            the folders "val" and "test" too, and TFDS's split "test".
        data_dir: where TFDS keeps its data sets.

    Returns:
        The `PictureSet`.

    Raises:
        ValueError: no such data set or split, no class folders, or classes
            of which the training split knows nothing.
    """
    if not hasattr(name, "as_dataset"):
        arguments.path("name", name)
    arguments.text("split", split)
    if data_dir is not None:
        arguments.path("data_dir", data_dir)
    if hasattr(name, "as_dataset"):
        return _tfds_set(name, split)
    if os.path.isdir(name):
        return _folder_set(pathlib.Path(name), split)
    if os.sep in str(name).rstrip(os.sep) and os.path.isabs(name):
        raise ValueError(f"There is no folder {str(name)!r}.")
    directory = data_dir and os.fspath(data_dir)
    return _tfds_set(tfds_builder(str(name), directory), split)


# Folders ---------------------------------------------------------------------


def _folder_set(root, split):
    known = sorted(path.name for path in root.iterdir() if path.is_dir())
    if not known:
        raise ValueError(
            f"{root} has no folders. It should have one for each split, train "
            "and val, and in each of these one for each class."
        )
    training = root / split_named(TRAINING[0], known, root)
    folder = root / split_named(split, known, root)
    classes = _class_folders(training)
    unknown = set(_class_folders(folder)) - set(classes)
    if unknown:
        raise ValueError(
            f"{folder} has {len(unknown)} classes that {training} has not, "
            f"such as {min(unknown)!r}; labels count the training classes."
        )
    files = [_pictures_of(folder / name) for name in classes]
    names = [path for of_class in files for path in of_class]
    labels = [n for n, of_class in enumerate(files) for _ in of_class]
    if not names:
        raise ValueError(
            f"The class folders of {folder} hold no picture. Known endings: "
            f"{', '.join(EXTENSIONS).lower()}"
        )

    return PictureSet(
        f"{root}, {folder.name}",
        tuple(classes),
        len(names),
        in_order({"picture": names, "label": labels, "name": names}),
        are_files=True,
        digest=digest(classes, below(folder, names), labels),
    )


def _class_folders(folder):
    """Names of the classes, sorted; an error where there are none."""
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not classes:
        loose = len(_pictures_of(folder))
        raise ValueError(
            f"{folder} has no folders, one for each class; {loose} pictures "
            "lie in it directly. ImageNet's validation pictures come so: move "
            "each into a folder named by its class."
        )
    return classes


def _pictures_of(folder):
    if not folder.is_dir():
        return []
    return sorted(
        os.path.join(place, file)
        for place, _, files in os.walk(folder, followlinks=True)
        for file in files
        if os.path.splitext(file)[1].upper() in EXTENSIONS
    )


# TFDS ------------------------------------------------------------------------


def _tfds_set(builder, split):
    import tensorflow_datasets as tfds

    name = builder.info.full_name
    if not builder.info.supervised_keys:
        raise ValueError(
            f"{name!r} has no supervised keys, so that it does not say what "
            "a picture and its label are."
        )
    picture, label = builder.info.supervised_keys
    features = builder.info.features
    if not isinstance(features[label], tfds.features.ClassLabel):
        raise ValueError(
            f"{name!r} is no classification set: its {label!r} is a "
            f"{type(features[label]).__name__}."
        )
    own_name = "file_name" if "file_name" in features else "tfds_id"
    split = tfds_split(builder, split)

    def read(dataset):
        return dataset.map(
            lambda example: {
                "picture": example[picture],
                "label": example[label],
                "name": example[own_name],
            }
        )

    examples = tfds_examples(
        builder, split, [picture], read, add_tfds_id=own_name == "tfds_id"
    )
    return PictureSet(
        f"{name}, {split}",
        tuple(features[label].names),
        len(examples()),
        examples,
        are_files=False,
        digest=tfds_digest(builder, split),
    )
