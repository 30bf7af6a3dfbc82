"""Pictures with masks by name: a data set of TFDS, or folders of files.

Nothing here decodes a picture, but the first few are looked at when a set is
opened, so that masks of another kind are refused before a day of training.

The fact a reader would get wrong: TFDS's own `scene_parse150` holds masks of
instances, not of ADE20K's 150 classes. `ade20k` of this package has those.
"""

import collections
import dataclasses
import logging
import os
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.fingerprints import below, digest, tfds_digest
from keras_pyconv.datasets.masks import check_rule, decode_mask, fault
from keras_pyconv.datasets.splits import (
    check_set,
    in_order,
    opened,
    split_named,
    tfds_builder,
    tfds_examples,
    tfds_split,
)
from keras_pyconv.listing import IMAGES, Listing
from keras_pyconv.reading import is_text, read_text, short
from keras_pyconv.tasks.image import decode_image, read_image
from keras_pyconv.tasks.orientation import (
    AS_STORED,
    headers,
    orientations,
    turn,
)
from keras_pyconv.tasks.segmentation.classes import ADE20K_CLASSES, IGNORED

log = logging.getLogger(__name__)

IMAGE_FOLDERS = ("images", "image")
MASK_FOLDERS = ("annotations", "masks", "labels")
CLASSES = "classes.txt"
BINARY = ("background", "object")
FEATURE = "segmentation_mask"
LOOKED_AT = 16  # masks of a set when it is opened
SHOWN = 3  # examples that a message names


@dataclasses.dataclass(frozen=True, eq=False)
class MaskSet:
    """One split of a data set of pictures with masks.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        rule: how the files count them, one of `LABEL_RULES`.
        count: how many pictures there are.
        examples: function of an order, an int64 scalar tensor or None, to a
            `tf.data.Dataset` of dicts of strings: `picture`, `mask`, and
            `name`, the picture's own; of files also `orientation`, by which
            a picture is turned for its mask.
        are_files: whether `picture` and `mask` are paths; else encoded.
        digest: text that is another where names, classes or the rule are; see
            `training_stream`.
        problems: how many files were left out, by reason.
    """

    name: str
    classes: tuple[str, ...]
    rule: str
    count: int
    examples: Callable
    are_files: bool
    digest: str | None = None
    problems: Mapping = dataclasses.field(default_factory=dict)

    def decoded(self, example):
        """An example's picture and labels.

        Returns:
            uint8 `(height, width, 3)`, and uint8 `(height, width)`: classes
            from 0, 255 for none.
        """
        picture = decode_image(self._encoded(example, "picture"))
        picture = turn(picture, example.get("orientation"))
        return picture, self._labels(example, picture)

    def decoded_in_python(self, example):
        """As `decoded`, for an example on which that failed in a graph.

        Whatever fails again is an error of the graph that names the file. It
        is slow, so that it is for `map_or_substitute`.
        """

        @tf.autograph.experimental.do_not_convert
        def decoded(*values):
            found = self._named(dict(zip(example, values)))
            return [np.asarray(part) for part in found]

        picture, labels = tf.numpy_function(
            decoded, list(example.values()), (tf.uint8, tf.uint8)
        )
        return (
            tf.ensure_shape(picture, (None, None, 3)),
            tf.ensure_shape(labels, (None, None)),
        )

    def check(self, count=None):
        """Decodes some pictures and masks, or all.

        Args:
            count: about how many; of files these lie evenly over the set, for
                names may be sorted by class. None decodes all.

        Raises:
            ValueError: a file cannot be read, or a mask cannot be one of this
                set; the message says which, and what was found. Also where
                the masks have two values, of which the rule would lose one.
        """
        count, labels = count or self.count, set()
        step = max(1, self.count // count) if self.are_files else 1
        for example in self.examples(None).shard(step, 0).take(count):
            labels.update(np.unique(self._named(example)[1]).tolist())
        if len(self.classes) > 1 and labels == {0, IGNORED}:
            values = (0, 1) if self.rule == "from_one" else (0, 255)
            raise ValueError(
                f"{self.name}: the masks that were looked at hold only the "
                f"values {values[0]} and {values[1]}, and under the rule "
                f"{self.rule!r} {values[self.rule == 'from_zero']} is no "
                "class, so that one class would be left. Give "
                '`rule="binary"` and two `classes` where 0 is the background '
                "and any 1 or 255 the object, or `classes=1` for the one class."
            )
        return self

    def _encoded(self, example, key):
        value = example[key]
        return tf.io.read_file(value) if self.are_files else value

    def _labels(self, example, picture):
        return decode_mask(
            self._encoded(example, "mask"),
            len(self.classes),
            self.rule,
            example["name"],
            tf.shape(picture)[:2],
        )

    def _named(self, example):
        """As `decoded`, outside of graphs, with errors that name the file."""
        name, source = _text(example["name"]), _value(example["picture"])
        if self.are_files:
            source = os.fsdecode(source)
        try:
            picture = read_image(source, exif=False)
        except (OSError, ValueError) as error:
            where = _text(example["picture"]) if self.are_files else self.name
            reason = getattr(error, "reason", error)
            raise ValueError(
                f"{where}: The picture {name} cannot be read: {reason}"
            ) from None
        picture = turn(picture, example.get("orientation"))
        try:
            return picture, self._labels(example, picture)
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            where = _text(example["mask"]) if self.are_files else self.name
            said = fault(error, f"The mask of {name}")
            raise ValueError(f"{where}: {said}") from None


def mask_set(
    name, split="train", data_dir=None, *, classes=None, rule=None
) -> MaskSet:
    """Opens one split of a data set of pictures with masks.

    Args:
        name: an existing folder with `images/<split>` and, of the same file
            names, `annotations/<split>`, as ADEChallengeData2016 has them
            (`masks` and `labels` do too); else the name of a TFDS data set
            with the feature `segmentation_mask`, such as `"ade20k"`; or a
            prepared builder of TFDS.
        split: "train", "validation", or as the data set calls its splits.
        data_dir: where TFDS keeps its data sets.
        classes: names of the classes, or how many there are; by default the
            TFDS feature's, or the lines of `classes.txt` in the folder, else
            ADE20K's 150, of the rule "binary" two.
        rule: `"from_one"` where masks count classes from 1 and 0 is "other",
            `"from_zero"` where they count from 0 and 255 is ignored,
            `"binary"` where 0 is the background and 1 or 255 the object; by
            default ADE20K's, the first, for folders and `ade20k`.

    Returns:
        The `MaskSet`, whose first masks have been looked at.

    Raises:
        ValueError: no such data set or split, pictures without masks, or
            masks that cannot be of this set.
    """
    check_set(name, split, data_dir)
    if classes is not None and not arguments.is_integer(classes):
        arguments.texts("classes", classes)
    if rule is not None:
        check_rule(rule)
    found = opened(
        name,
        data_dir,
        lambda root: _folder_set(root, split, classes, rule),
        lambda builder: _tfds_set(builder, split, classes, rule),
        _builder,
    )
    return found.check(LOOKED_AT) if LOOKED_AT else found


def _value(value):
    """What a tensor holds, or what a graph hands over, which is no tensor."""
    value = value.numpy() if tf.is_tensor(value) else value
    return value.item() if isinstance(value, np.ndarray) else value


def _text(value):
    return _value(value).decode(errors="replace")


def _names(classes, rule):
    if classes is None:
        classes = BINARY if rule == "binary" else ADE20K_CLASSES
    names = map(str, range(classes)) if isinstance(classes, int) else classes
    names = tuple(names)
    if rule == "binary" and len(names) != len(BINARY):
        raise ValueError(
            "Under the rule 'binary' there are two classes, the background "
            f"and the object. Received: {len(names)}"
        )
    return names


# Folders ---------------------------------------------------------------------


def _folder_set(root, split, classes, rule):
    images, masks = [
        _subfolder(root, names) for names in (IMAGE_FOLDERS, MASK_FOLDERS)
    ]
    split = split_named(split, Listing(images).folders(), images)
    listings = [Listing(folder / split, IMAGES) for folder in (images, masks)]
    pictures, found = [_by_stem(folder) for folder in listings]
    _check_pairs(root, pictures, found)
    stems = sorted(pictures)
    columns = {
        "picture": [pictures[stem] for stem in stems],
        "mask": [found[stem] for stem in stems],
        "name": below(images / split, [pictures[stem] for stem in stems]),
    }
    chosen, problems = _orientations(root, columns)
    turned = [chosen] if (chosen != AS_STORED).any() else []
    columns["orientation"] = chosen
    written = _written_names(root) if classes is None else classes
    names = _names(written, rule)
    problems = collections.Counter(problems)
    for folder in listings:
        problems.update(folder.problems)
    return MaskSet(
        f"{root}, {split}",
        names,
        rule or "from_one",
        len(stems),
        in_order(columns),
        are_files=True,
        digest=digest(names, [rule or "from_one"], columns["name"], *turned),
        problems=problems,
    )


def _by_stem(folder):
    """Paths of the images of a `Listing` by their names without an ending."""
    if not os.path.isdir(folder.root):
        raise ValueError(f"There is no folder {folder.root}.")
    found, twins = {}, []
    for path in folder.files():
        (name,) = below(folder.root, [path])
        first = found.setdefault(os.path.splitext(name)[0], path)
        if first != path:
            twins.append(f"{os.path.basename(first)} and {name}")
    folder.say()
    _refuse(
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
    _refuse(root, wrong, "masks are no PNG files", advice)
    for one, other, what in (
        (images, masks, "images have no mask"),
        (masks, images, "masks have no image"),
    ):
        alone = sorted(set(one) - set(other))
        _refuse(root, alone, what, "An image and its mask have one name.")
    if not images:
        raise ValueError(f"{root} holds no image of this split.")


def _refuse(where, wrong, what, advice):
    if wrong:
        raise ValueError(
            f"{where}: {len(wrong)} {what}, such as "
            f"{', '.join(wrong[:SHOWN])}. {advice}"
        )


def _orientations(root, columns):
    """How images lie that must be turned for their masks, by the headers.

    Returns:
        As `orientations`.

    Raises:
        ValueError: masks of another size than their images have either way.
    """
    images, masks = [headers(columns[name]) for name in ("picture", "mask")]
    # What cannot be read is named where it is decoded.
    sizes = [
        mask.stored if image and mask else None
        for image, mask in zip(images, masks)
    ]
    wrong = [
        f"{name} has another size; found {size[0]} x {size[1]} and {image}"
        for name, image, size in zip(columns["name"], images, sizes)
        if size and size not in (image.stored, image.turned)
    ]
    if wrong:
        raise ValueError(
            f"{root}: {len(wrong)} masks do not have the height x width of "
            f"their pictures: {'; '.join(wrong[:SHOWN])}. Bring masks of "
            "their size."
        )
    chosen, problems = orientations(images, sizes)
    for reason, count in problems.items():
        log.warning("%s: %d %s", root, count, reason)
    return chosen, problems


def _written_names(root):
    """The lines of the folder's file of names, or None without one."""
    path = root / CLASSES
    if not path.exists():
        return None
    lines = [line.strip() for line in read_text(path).split("\n")]
    names = [line for line in lines if line]
    first = {name: number for number, name in reversed([*enumerate(lines, 1)])}
    wrong = [
        f"line {number}, {short(name)}"
        for number, name in enumerate(lines, 1)
        if name and (first[name] != number or not is_text(name))
    ]
    if not names or wrong:
        raise ValueError(
            f"{path} must have a name of a class on each line, every one "
            f"once and without controls. Received: {len(names)} names, of "
            f"which {len(wrong)} are repeated or no text: "
            f"{'; '.join(wrong[:SHOWN])}"
        )
    return names


def _subfolder(root, names):
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise ValueError(
        f"{root} has none of the folders {', '.join(names)}; there are: "
        f"{sorted(path.name for path in root.iterdir())[:20]}"
    )


# TFDS ------------------------------------------------------------------------


def _builder(name, data_dir):
    base = name.partition("/")[0].partition(":")[0]
    if base == "scene_parse150":
        raise ValueError(
            "'scene_parse150' of TFDS holds masks of instances, not of the "
            "150 classes; take 'ade20k', or the extracted folder."
        )
    if base == "ade20k":
        from keras_pyconv.datasets import ade20k  # noqa: F401
    return tfds_builder(name, data_dir)


def _name(example):
    """The picture's own name where it has one."""
    for key in ("file_name", "image/filename", "tfds_id"):
        if key in example:
            return example[key]


def _tfds_set(builder, split, classes, rule):
    import tensorflow_datasets as tfds

    name, features = builder.info.full_name, builder.info.features
    if FEATURE not in features or "image" not in features:
        raise ValueError(
            f"{name!r} is no segmentation set: it has no feature {FEATURE!r} "
            f"beside 'image', but {sorted(features)}."
        )
    feature = features[FEATURE]
    if classes is None and isinstance(feature, tfds.features.LabeledImage):
        rule = rule or "from_zero"
        # The first name is then that of what is no class.
        classes = feature.names[rule == "from_one" :]
    split = tfds_split(builder, split)

    def read(dataset):
        return dataset.map(
            lambda example: {
                "picture": example["image"],
                "mask": example[FEATURE],
                "name": _name(example),
            }
        )

    examples = tfds_examples(builder, split, ("image", FEATURE), read)
    return MaskSet(
        f"{name}, {split}",
        _names(classes, rule),
        rule or "from_one",
        len(examples()),
        examples,
        are_files=False,
        digest=tfds_digest(builder, split),
    )
