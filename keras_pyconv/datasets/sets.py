"""What the sets of all tasks share: the record, lists, digests and TFDS."""

import collections
import dataclasses
import functools
import hashlib
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from keras_pyconv import arguments, storage
from keras_pyconv.datasets.splits import split_named
from keras_pyconv.datasets.tfrecord import is_tfrecord, read_part
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.orientation import orientations
from keras_pyconv.typing import Tensor

log = logging.getLogger(__name__)

# In the names of configs of digits, of which each set tells its own.
_COUNTS = re.compile(r"-(train|test)_examples_\d+")
SHOWN = 3  # files or lines that a message names


@dataclasses.dataclass(frozen=True, eq=False)
class ExampleSet:
    """One split of a data set.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        count: how many examples there are.
        examples: function of an order to a `tf.data.Dataset` of dicts. The
            order is an int64 scalar tensor, such as an epoch, the same in all
            processes, or None for the order of the files.
        are_files: whether examples hold paths; else encoded images.
        are_parts: whether they hold places of images in larger files instead.
        digest: text that is another where names or labels are.
        problems: how many files or rows were left out or changed, by reason.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    examples: Any = None
    are_files: bool = False
    are_parts: bool = False
    digest: str | None = None
    problems: Mapping = dataclasses.field(default_factory=dict)

    def encoded(
        self, example: Mapping[str, Tensor], key: str = "picture"
    ) -> Tensor:
        """The bytes of an example's file, a string scalar."""
        value = example[key]
        if self.are_parts:
            encoded = tf.numpy_function(read_part, [value], tf.string)
            return tf.ensure_shape(encoded, ())
        return tf.io.read_file(value) if self.are_files else value

    def source(self, value: bytes) -> str | bytes:
        """The path or the bytes of what an example holds of a file."""
        if self.are_parts:
            return read_part(value)
        return os.fsdecode(value) if self.are_files else value


AnySet = TypeVar("AnySet", bound=ExampleSet)


def joined(first: AnySet, *others: AnySet) -> AnySet:
    """Several splits of a data set as one, such as to train on all of them.

    In every order but that of the files their examples are mixed.

    Args:
        first: what `mask_set` or `picture_set` returns.
        *others: the like, with the same classes.

    Returns:
        A set of the same kind.

    Raises:
        ValueError: they are of different kinds, or of different classes.
    """
    sets = first, *others
    for one in sets:
        name = "first" if one is first else "others"
        arguments.instance(name, one, ExampleSet)
        if _beside_examples(one) != _beside_examples(first):
            raise ValueError(
                "Joined data sets must have the same type and classes. "
                f"Received: {first.name!r} and {one.name!r}"
            )
    places = np.repeat(np.arange(len(sets)), [one.count for one in sets])

    def examples(order=None):
        chosen = in_order({"set": places})(order).map(lambda row: row["set"])
        parts = [one.examples(order) for one in sets]
        return tf.data.Dataset.choose_from_datasets(parts, chosen)

    digests, problems = [one.digest for one in sets], collections.Counter()
    for one in sets:
        problems.update(one.problems)
    return dataclasses.replace(
        first,
        name=" and ".join(one.name for one in sets),
        count=len(places),
        examples=examples,
        digest=None if None in digests else digest(digests),
        problems=problems,
    )


def _beside_examples(one):
    """What sets must have in common to be one."""
    own = {"name", "count", "examples", "digest", "problems"}
    fields = [f.name for f in dataclasses.fields(one) if f.name not in own]
    return type(one), {name: getattr(one, name) for name in fields}


def in_order(columns):
    """The `examples` of an `ExampleSet` of columns, lists of one length."""
    count = len(next(iter(columns.values())))

    def examples(order=None):
        dataset = tf.data.Dataset.from_tensor_slices(columns)
        if order is None:
            return dataset
        return dataset.shuffle(count, order, reshuffle_each_iteration=False)

    return examples


def opened(
    name,
    split,
    data_dir,
    of_folder,
    of_builder,
    of_csv=None,
    builder_of=None,
    of_records=None,
):
    """A set by its name: of a folder, a CSV, TFRecord, or a builder of TFDS."""
    is_builder = hasattr(name, "as_dataset")
    if not is_builder:
        rule = "a folder, a name of TFDS or its builder"
        arguments.instance("name", name, (str, os.PathLike), rule)
        name = arguments.path("name", name, anywhere=True)
    arguments.text("split", split)
    if data_dir is not None:
        data_dir = os.fspath(
            arguments.path("data_dir", data_dir, anywhere=True)
        )
    if is_builder:
        return of_builder(name, split)
    if of_records and is_tfrecord(name):
        return of_records(os.fspath(name), split)
    if storage.is_folder(name):
        return of_folder(name, split)
    if of_csv and str(name).lower().endswith(".csv"):
        return of_csv(name, split)
    if os.path.isabs(name) or storage.is_remote(name):
        raise ValueError(f"The folder {os.fspath(name)!r} does not exist.")
    builder = (builder_of or tfds_builder)(str(name), data_dir)
    return of_builder(builder, split)


def refuse(where, wrong, what, advice):
    """Refuses a set if anything is wrong, and names the first of it."""
    if wrong:
        named = "; ".join(wrong[:SHOWN])
        raise ValueError(f"{where}: {len(wrong)} {what}: {named}. {advice}")


def orientations_for(where, names, found, sizes, what, advice):
    """How images of some headers lie for the boxes or masks of some sizes.

    Files of other sizes are refused, saying `what` is wrong and some advice.
    """
    wrong = [
        f"{name} is {header}, and not {size[0]} x {size[1]}"
        for name, header, size in zip(names, found, sizes)
        # What cannot be read is named where it is decoded.
        if header and size and size not in (header.stored, header.turned)
    ]
    refuse(where, wrong, what, advice)
    chosen, problems = orientations(found, sizes)
    for reason, count in problems.items():
        log.warning("%s: %d %s", where, count, reason)
    return chosen, problems


# Fingerprints ----------------------------------------------------------------
#
# A run keeps the digest of its training data, so that it does not go on with
# other data unnoticed. It follows from names and labels, not from pixels; nor
# from where a folder lies, so that data may be moved.


def digest(*columns) -> str:
    """SHA-256, in hexadecimal, of columns: lists or arrays."""
    found = hashlib.sha256()
    for column in columns:
        if isinstance(column, np.ndarray):
            content = column.tobytes()
        else:
            # No name of a file holds the byte 0.
            content = b"".join(os.fsencode(str(v)) + b"\0" for v in column)
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()


def below(root, paths):
    """The paths as they are named from a folder on."""
    start = os.path.join(root, "")
    return [path.removeprefix(start) for path in paths]


def _tfds_digest(builder, split):
    """Digest of what TFDS says of a split's files, which stands for names."""
    splits = builder.info.splits
    base = split.partition("[")[0]
    if base not in splits:
        return None
    files = [
        f"{os.path.basename(file.filename)} {file.skip} {file.take}"
        for file in splits[split].file_instructions
    ]
    return digest([builder.info.full_name, splits[base].num_bytes], files)


# TFDS ------------------------------------------------------------------------


@functools.cache
def tfds_builder(name, data_dir):
    """The prepared builder of TFDS; asked for once for all splits."""
    import tensorflow_datasets as tfds

    own, _, config = name.partition("/")
    if own == "digits_in_photos":
        from keras_pyconv.datasets import digits

        if "-" in config:
            return digits.prepare_by_name(config, data_dir)
        digits.builder_module()
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


def tfds_set(kind, builder, split, stored, columns, classes, **fields):
    """A split of TFDS as a set of ours of some kind.

    The features that are `stored` stay encoded. `columns` has the features by
    our names, or is a function of an example's number and the example.
    """
    import tensorflow_datasets as tfds

    # A builder that was made by hand may not say what splits it has.
    if known := list(builder.info.splits):
        base, bracket, part = split.partition("[")
        base = split_named(base, known, builder.info.full_name)
        split = base + bracket + part
    known = ("file_name", "image/filename")
    own = [name for name in known if name in builder.info.features]
    own_name = (*own, "tfds_id")[0]

    def ours(number, example):
        if callable(columns):
            found = columns(number, example)
        else:
            found = {name: example[key] for name, key in columns.items()}
        return {**found, "name": example[own_name]}

    @tf.autograph.experimental.do_not_convert
    def examples(order=None):
        dataset = builder.as_dataset(
            split=split,
            decoders={name: tfds.decode.SkipDecoding() for name in stored},
            shuffle_files=order is not None,
            read_config=tfds.ReadConfig(
                shuffle_seed=order,
                shuffle_reshuffle_each_iteration=False,
                add_tfds_id=own_name == "tfds_id",
                try_autocache=False,
            ),
        )
        return dataset.enumerate().map(ours)

    return kind(
        f"{_COUNTS.sub('', builder.info.full_name)}, {split}",
        tuple(classes),
        len(examples()),
        examples,
        digest=_tfds_digest(builder, split),
        **fields,
    )


def tfds_labelled(kind, column, feature, what, builder, split):
    """A split of TFDS of inputs that have one label each.

    They are the supervised keys, or where a set has none the first features of
    these kinds. Inputs stay encoded: of videos only some frames are decoded.
    """
    import tensorflow_datasets as tfds

    features, found = builder.info.features, []
    kinds = getattr(tfds.features, feature), tfds.features.ClassLabel
    for key, one in zip(builder.info.supervised_keys or (None, None), kinds):
        good = [name for name in features if isinstance(features[name], one)]
        if not good or key not in (None, *good):
            raise ValueError(
                f"{builder.info.full_name!r} is no {what}: it has no "
                f"{one.__name__} {key or ''}, but {', '.join(features)}"
            )
        found.append(key or good[0])
    columns, label = dict(zip((column, "label"), found)), features[found[1]]
    if builder.name == "digits_in_photos":
        columns["size"] = "size"  # in pixels, for accuracy by size
    return tfds_set(kind, builder, split, found[:1], columns, label.names)
