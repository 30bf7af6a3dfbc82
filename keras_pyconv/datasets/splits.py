"""Splits of data sets: what they are called, and the order of their examples.

The fact a reader would get wrong: an order is a number, such as an epoch, and
the same number is the same order in every process; TFDS's own cache would keep
the order of the first one.
"""

import functools
import os
import pathlib

import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.listing import Listing

TRAINING = ("train", "training")
VALIDATION = ("val", "validation", "valid", "test")


def split_named(split, known, where):
    """The split of that name, or the one that stands for it.

    Args:
        split: as the user says it.
        known: names of the splits that there are.
        where: what they are splits of, for the message.

    Raises:
        ValueError: if there is none.
    """
    if split in known:
        return split
    for group in (TRAINING, VALIDATION):
        if split in group:
            for other in group:
                if other in known:
                    return other
    raise ValueError(f"{where} has no split {split!r}. Known: {known}")


def class_folders(root, split, *kinds):
    """The folder of a split, in which each class has a folder.

    Args:
        root: folder that has a folder for each split.
        split: as the user says it.
        *kinds: of the files, as `Listing` takes them.

    Returns:
        The `Listing` of the split's folder, and the classes of the training
        split, sorted.

    Raises:
        ValueError: no such split, no classes, or some of which the training
            split knows nothing.
    """
    root = pathlib.Path(root)
    known = Listing(root).folders()
    if not known:
        raise ValueError(
            f"{root} has no folders. It should have one for each split, train "
            "and val, and in each of these one for each class."
        )
    training = root / split_named(TRAINING[0], known, root)
    listing = Listing(root / split_named(split, known, root), *kinds)
    found, classes = listing.folders(), Listing(training, *kinds).folders()
    for folder, names in ((training, classes), (listing.root, found)):
        if not names:
            loose = len(Listing(folder, *kinds).files())
            raise ValueError(
                f"{folder} has no folders, one for each class; {loose} files "
                "lie in it directly. ImageNet's validation images come so: "
                "move each into a folder named by its class."
            )
    unknown = set(found) - set(classes)
    if unknown:
        raise ValueError(
            f"{listing.root} has {len(unknown)} classes that {training} has "
            f"not, such as {min(unknown)!r}; labels count the training "
            "classes."
        )
    return listing, classes


def in_order(columns):
    """The examples of a split that lies in lists.

    Args:
        columns: `{name: list}`, lists of one length.

    Returns:
        A function of an order, an int64 scalar tensor, to a `tf.data.Dataset`
        of dicts; without an order they come as they lie.
    """
    count = len(next(iter(columns.values())))

    def examples(order=None):
        dataset = tf.data.Dataset.from_tensor_slices(columns)
        if order is None:
            return dataset
        return dataset.shuffle(count, order, reshuffle_each_iteration=False)

    return examples


def check_set(name, split, data_dir):
    """Refuses what names no data set, no split and no folder of TFDS."""
    if not hasattr(name, "as_dataset"):
        rule = "a folder, a name of TFDS or its builder"
        arguments.instance("name", name, (str, os.PathLike), rule)
        arguments.path("name", name)
    arguments.text("split", split)
    if data_dir is not None:
        arguments.path("data_dir", data_dir)


def opened(name, data_dir, of_folder, of_builder, builder_of=None):
    """A set by its name, as all tasks take it.

    Args:
        name: an existing folder, the name of a TFDS data set, or a prepared
            builder of TFDS.
        data_dir: where TFDS keeps its data sets.
        of_folder: function of the folder's path to the set.
        of_builder: function of the builder to the set.
        builder_of: function as `tfds_builder`, the default.

    Raises:
        ValueError: nothing has this name.
    """
    if hasattr(name, "as_dataset"):
        return of_builder(name)
    if os.path.isdir(name):
        return of_folder(pathlib.Path(name))
    if os.path.isabs(name):
        raise ValueError(f"There is no folder {os.fspath(name)!r}.")
    directory = data_dir and os.fspath(data_dir)
    return of_builder((builder_of or tfds_builder)(str(name), directory))


# TFDS ------------------------------------------------------------------------


@functools.cache
def tfds_builder(name, data_dir):
    """The prepared builder of TFDS; asked for once for all splits.

    Args:
        name: of the data set, also with its config.
        data_dir: where TFDS keeps its data sets, a string or None.

    Raises:
        ValueError: if TFDS has no such data set.
        FileNotFoundError: if its archives are to be fetched by hand.
    """
    import tensorflow_datasets as tfds

    if name.partition("/")[0] == "digits_in_photos":
        from keras_pyconv.datasets.digits import builder_module

        builder_module()
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        raise ValueError(
            f"{name!r} is neither an existing folder nor a data set of TFDS: "
            f"{str(error).splitlines()[0]}"
        ) from None
    try:
        builder.download_and_prepare()
    except AssertionError as error:
        if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            raise
        raise FileNotFoundError(" ".join(str(error).split())) from error
    return builder


def tfds_split(builder, split):
    """The name by which a set of TFDS knows a split or a part of one.

    Args:
        builder: of TFDS, prepared.
        split: as the user says it, such as "validation" or "train[:10%]".

    Raises:
        ValueError: if there is none.
    """
    base, bracket, part = split.partition("[")
    known = list(builder.info.splits)
    if not known:
        # A builder that was made by hand may not say what it has.
        return split
    return split_named(base, known, builder.info.full_name) + bracket + part


def tfds_examples(builder, split, encoded, read, add_tfds_id=True):
    """The examples of a split of TFDS.

    Args:
        builder: of TFDS, prepared.
        split: as `tfds_split` gives it.
        encoded: names of the features that stay as they are stored.
        read: function of TFDS's datasets to ours.
        add_tfds_id: whether examples get TFDS's name for each.

    Returns:
        A function of an order, as `in_order` gives it.
    """
    import tensorflow_datasets as tfds

    @tf.autograph.experimental.do_not_convert
    def examples(order=None):
        dataset = builder.as_dataset(
            split=split,
            decoders={name: tfds.decode.SkipDecoding() for name in encoded},
            shuffle_files=order is not None,
            read_config=tfds.ReadConfig(
                shuffle_seed=order,
                shuffle_reshuffle_each_iteration=False,
                add_tfds_id=add_tfds_id,
                try_autocache=False,
            ),
        )
        return read(dataset)

    return examples
