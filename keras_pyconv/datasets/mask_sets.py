"""Images with masks by name: of TFDS, of TFRecord, or folders of files."""

import collections
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from keras_pyconv import arguments, storage
from keras_pyconv.datasets import tfrecord
from keras_pyconv.datasets.masks import LABEL_RULES, decode_mask, fault
from keras_pyconv.datasets.sets import (
    ExampleSet,
    below,
    digest,
    in_order,
    opened,
    orientations_for,
    refuse,
    tfds_builder,
    tfds_set,
)
from keras_pyconv.datasets.splits import split_named, written_names
from keras_pyconv.lazy import tf
from keras_pyconv.listing import IMAGES, Listing
from keras_pyconv.tasks.image import decode_image, read_image
from keras_pyconv.tasks.orientation import AS_STORED, headers, turn
from keras_pyconv.tasks.segmentation.classes import ADE20K_CLASSES, IGNORED
from keras_pyconv.typing import PathLike, Tensor, TfdsBuilder

IMAGE_FOLDERS = ("images", "image")
MASK_FOLDERS = ("annotations", "masks", "labels")
BINARY = ("background", "object")
FEATURE = "segmentation_mask"
LOOKED_AT = 16  # masks of a set when it is opened
# What is wrong with masks of other sizes, and what to do.
_SIZES = (
    "masks do not have the height x width of their pictures",
    "Bring masks of their size.",
)


@dataclasses.dataclass(frozen=True, eq=False)
class MaskSet(ExampleSet):
    """One split of images with masks: `picture`, `mask` and `name` of each.

    Of files there is also `orientation`, by which an image is turned for its
    mask. `rule`, one of `LABEL_RULES`, is how the files count classes.
    """

    rule: str = "from_one"

    def decoded(self, example: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """An example's image and labels, uint8; 255 is no class."""
        image = decode_image(self.encoded(example))
        image = turn(image, example.get("orientation"))
        return image, self._labels(example, image)

    def decoded_in_python(self, example):
        """As `decoded`, slowly, where that failed: its errors name the file."""

        @tf.autograph.experimental.do_not_convert
        def decoded(*values):
            # Outside of a graph, TensorFlow hands over arrays of one value.
            plain = [np.asarray(value, object).item() for value in values]
            found = self.named(dict(zip(example, plain)))
            return [np.asarray(part) for part in found]

        image, labels = tf.numpy_function(
            decoded, list(example.values()), (tf.uint8, tf.uint8)
        )
        image = tf.ensure_shape(image, (None, None, 3))
        return image, tf.ensure_shape(labels, (None, None))

    def check(self, count=None):
        """Decodes about so many images and masks, or all; refuses bad ones."""
        count, labels = count or self.count, set()
        # Evenly over the set: names may be sorted by class.
        by_name = self.are_files or self.are_parts
        step = max(1, self.count // count) if by_name else 1
        examples = self.examples(None).shard(step, 0).take(count)
        for example in examples.as_numpy_iterator():
            labels.update(np.unique(self.named(example)[1]).tolist())
        if len(self.classes) > 1 and labels == {0, IGNORED}:
            values = (0, 1) if self.rule == "from_one" else (0, 255)
            raise ValueError(
                f"{self.name}: the masks that were looked at hold only "
                f"{values[0]} and {values[1]}, and under the rule "
                f"{self.rule!r} {values[self.rule == 'from_zero']} is no "
                'class. Give `rule="binary"` and two `classes` where 0 is the '
                "background and any 1 or 255 the object, or `classes=1`."
            )
        return self

    def _labels(self, example, image):
        return decode_mask(
            self.encoded(example, "mask"),
            len(self.classes),
            self.rule,
            example["name"],
            tf.shape(image)[:2],
        )

    def named(self, example):
        """As `decoded`, outside of graphs, with errors that name the file."""
        name = example["name"].decode(errors="replace")
        try:
            image = read_image(self.source(example["picture"]), exif=False)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            said = f"The picture {name} cannot be read: {reason}"
            raise self._error(example["picture"], said) from None
        if "orientation" in example:
            image = turn(image, tf.constant(example["orientation"]))
        try:
            return image, self._labels(example, image)
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise self._error(example["mask"], fault(error, name)) from None

    def _error(self, source, said):
        where = source.decode(errors="replace") if self.are_files else self.name
        return ValueError(f"{where}: {said}")


def mask_set(
    name: PathLike | TfdsBuilder,
    split: str = "train",
    data_dir: PathLike | None = None,
    *,
    classes: int | Sequence[str] | None = None,
    rule: Literal["from_one", "from_zero", "binary"] | None = None,
) -> MaskSet:
    """Opens one split of a data set of images with masks.

    Args:
        name: an existing folder with `images/<split>` and, of the same file
            names, `annotations/<split>`, as ADEChallengeData2016 has them
            (`masks` and `labels` do too); else the name of a TFDS data set
            with the feature `segmentation_mask`, such as `"ade20k"`, or its
            prepared builder; else a pattern of TFRecord, such as
            "gs://bucket/train*.tfrecord", of which a split's files are those
            whose names say it instead.
        split: "train", "validation", or as the data set calls its splits.
        data_dir: where TFDS keeps its data sets.
        classes: names of the classes, or how many there are; by default the
            TFDS feature's, or the lines of `classes.txt` in the folder, else
            ADE20K's 150, of the rule "binary" two. TFRecord needs them.
        rule: `"from_one"` where masks count classes from 1 and 0 is "other",
            `"from_zero"` where they count from 0 and 255 is ignored,
            `"binary"` where 0 is the background and 1 or 255 the object; by
            default ADE20K's, the first, for folders and `ade20k`, and the
            second for TFRecord.

    Returns:
        The `MaskSet`, whose first masks have been looked at.

    Raises:
        ValueError: no such data set or split, images without masks, or
            masks that cannot be of this set.
    """
    found = unchecked(name, split, data_dir, classes, rule)
    return found.check(LOOKED_AT) if LOOKED_AT else found


def unchecked(name, split, data_dir=None, classes=None, rule=None):
    """As `mask_set`, without a look at the first masks."""
    if classes is not None and not arguments.is_integer(classes):
        arguments.texts("classes", classes)
    if rule is not None:
        arguments.one_of("rule", rule, LABEL_RULES)
    options = {"classes": classes, "rule": rule}
    of_folder = functools.partial(_folder_set, **options)
    of_builder = functools.partial(_tfds_set, **options)
    return opened(
        *(name, split, data_dir, of_folder, of_builder),
        builder_of=_builder,
        of_records=functools.partial(_record_set, **options),
    )


def _names(classes, rule):
    if classes is None:
        classes = BINARY if rule == "binary" else ADE20K_CLASSES
    names = map(str, range(classes)) if isinstance(classes, int) else classes
    names = tuple(names)
    if rule == "binary" and len(names) != len(BINARY):
        raise ValueError(
            "The rule 'binary' has two classes, the background and the "
            f"object. Received: {len(names)}"
        )
    return names


# Folders ---------------------------------------------------------------------


def _folder_set(root, split, classes, rule):
    images, masks = [
        _subfolder(root, names) for names in (IMAGE_FOLDERS, MASK_FOLDERS)
    ]
    split = split_named(split, Listing(images).folders(), images)
    listings = [
        Listing(os.path.join(folder, split), IMAGES)
        for folder in (images, masks)
    ]
    pictures, found = map(_by_stem, listings)
    _check_pairs(root, pictures, found)
    paths = [pictures[stem] for stem in sorted(pictures)]
    columns = {
        "picture": paths,
        "mask": [found[stem] for stem in sorted(pictures)],
        "name": below(listings[0].root, paths),
    }
    found = headers(paths), headers(columns["mask"])
    names = _names(written_names(root) if classes is None else classes, rule)
    about = f"{root}, {split}", names, rule or "from_one", columns, *found
    made = _oriented(*about, are_files=True)
    problems = collections.Counter(made.problems)
    for folder in listings:
        problems.update(folder.problems)
    return dataclasses.replace(made, problems=problems)


def _record_set(pattern, split, classes, rule):
    records = tfrecord.read(pattern, split, tfrecord.MASK)
    rule = rule or "from_zero"
    if classes is None and rule != "binary":
        classes = written_names(records.folder)
        if classes is None:
            line = "the name of a class per line, or give their number or names"
            raise tfrecord.nameless(records, line)
    names = ("picture", "mask", "name")
    columns = {name: records.column(name) for name in names}
    found = records.column("header"), records.column("mask_header")
    about = records.title, _names(classes, rule), rule, columns, *found
    return _oriented(*about, are_parts=True)


def _oriented(title, classes, rule, columns, images, masks, **fields):
    """A set of columns, with how images of some headers lie for the masks."""
    names, sizes = columns["name"], [mask and mask.stored for mask in masks]
    turns, problems = orientations_for(title, names, images, sizes, *_SIZES)
    turned = [turns] if (turns != AS_STORED).any() else []
    return MaskSet(
        title,
        classes,
        len(names),
        in_order({**columns, "orientation": turns}),
        digest=digest(classes, [rule], names, *turned),
        problems=problems,
        rule=rule,
        **fields,
    )


def _by_stem(folder):
    """Paths of the images of a `Listing` by their names without an ending."""
    if not storage.is_folder(folder.root):
        raise ValueError(f"The folder {folder.root} does not exist.")
    found, twins = {}, []
    for path in folder.files():
        (name,) = below(folder.root, [path])
        first = found.setdefault(os.path.splitext(name)[0], path)
        if first != path:
            twins.append(f"{os.path.basename(first)} and {name}")
    folder.say()
    refuse(
        folder.root,
        twins,
        "pairs of files have one name but for the ending",
        "One mask belongs to one image: rename or remove one of each.",
    )
    return found


def _check_pairs(root, images, masks):
    """Refuses masks that are no PNG, and what has no counterpart."""
    wrong = [
        os.path.basename(path)
        for path in masks.values()
        if os.path.splitext(path)[1].lower() not in (".png", "")
    ]
    advice = (
        "A mask must be PNG, 8-bit gray; JPEG, for one, changes the labels of "
        "pixels."
    )
    refuse(root, wrong, "masks are no PNG files", advice)
    advice = "An image and its mask have one name."
    refuse(root, sorted({*images} - {*masks}), "images have no mask", advice)
    refuse(root, sorted({*masks} - {*images}), "masks have no image", advice)
    if not images:
        raise ValueError(f"{root} contains no image of this split.")


def _subfolder(root, names):
    for name in names:
        if storage.is_folder(folder := os.path.join(root, name)):
            return folder
    raise ValueError(
        f"{root} has none of the folders {', '.join(names)}; there are: "
        f"{[entry.name for entry in storage.entries(root)][:20]}"
    )


# TFDS ------------------------------------------------------------------------


def _builder(name, data_dir):
    base = name.partition("/")[0].partition(":")[0]
    if base == "scene_parse150":
        raise ValueError(
            "'scene_parse150' of TFDS has masks of instances, not of the 150 "
            "classes; use 'ade20k', or the extracted folder."
        )
    if base == "ade20k":
        from keras_pyconv.datasets import ade20k  # noqa: F401
    return tfds_builder(name, data_dir)


def _tfds_set(builder, split, classes, rule):
    import tensorflow_datasets as tfds

    name, features = builder.info.full_name, builder.info.features
    if FEATURE not in features or "image" not in features:
        raise ValueError(
            f"{name!r} is not a segmentation data set: it has no feature "
            f"{FEATURE!r} besides 'image'. Its features: {sorted(features)}."
        )
    feature = features[FEATURE]
    if classes is None and isinstance(feature, tfds.features.LabeledImage):
        rule = rule or "from_zero"
        # The first name is then that of what is no class.
        classes = feature.names[rule == "from_one" :]

    names, rule = _names(classes, rule), rule or "from_one"
    columns = {"picture": "image", "mask": FEATURE}
    stored = list(columns.values())
    return tfds_set(MaskSet, builder, split, stored, columns, names, rule=rule)
