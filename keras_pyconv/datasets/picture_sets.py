"""Labelled pictures by name: a data set of TFDS, or folders of classes.

Nothing here decodes a picture. The fact a reader would get wrong: classes are
numbered by their sorted names, in folders and in TFDS's `imagenet2012` alike,
and so does the authors' code (torchvision's ImageFolder). ImageNet's folders
are named by wnids, so all three number its classes the same, as Keras does.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping

import tensorflow as tf

from keras_pyconv.datasets.fingerprints import below, digest, tfds_digest
from keras_pyconv.datasets.splits import (
    check_set,
    class_folders,
    in_order,
    opened,
    tfds_examples,
    tfds_split,
)
from keras_pyconv.listing import IMAGES


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
        problems: how many files were left out, by reason.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    examples: Callable
    are_files: bool
    digest: str | None = None
    problems: Mapping = dataclasses.field(default_factory=dict)

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
    check_set(name, split, data_dir)
    return opened(
        name,
        data_dir,
        lambda root: _folder_set(root, split),
        lambda builder: _tfds_set(builder, split),
    )


# Folders ---------------------------------------------------------------------


def _folder_set(root, split):
    listing, classes = class_folders(root, split, IMAGES)
    folder = listing.root
    files = [_images_of(listing, name) for name in classes]
    names = [path for of_class in files for path in of_class]
    labels = [n for n, of_class in enumerate(files) for _ in of_class]
    listing.say()
    if not names:
        raise ValueError(
            f"The class folders of {folder} hold no image. Known endings: "
            f"{', '.join(IMAGES.endings)}"
        )
    return PictureSet(
        f"{root}, {os.path.basename(folder)}",
        tuple(classes),
        len(names),
        in_order({"picture": names, "label": labels, "name": names}),
        are_files=True,
        digest=digest(classes, below(folder, names), labels),
        problems=listing.problems,
    )


def _images_of(listing, name):
    folder = os.path.join(listing.root, name)
    return listing.files(folder) if os.path.isdir(folder) else []


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
