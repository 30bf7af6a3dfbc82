"""Pictures with masks by name: a data set of TFDS, or folders of files.

Nothing here decodes a picture, but the first few are looked at when a set is
opened, so that masks of another kind are refused before a day of training.

The fact a reader would get wrong: TFDS's own `scene_parse150` holds masks of
instances, not of ADE20K's 150 classes. `ade20k` of this package has those.
"""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable

import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.fingerprints import digest, tfds_digest
from keras_pyconv.datasets.masks import (
    LABEL_RULES,
    check_rule,
    decode_mask,
    fault,
)
from keras_pyconv.datasets.orientation import headers
from keras_pyconv.datasets.picture_sets import EXTENSIONS
from keras_pyconv.datasets.splits import (
    in_order,
    split_named,
    tfds_builder,
    tfds_examples,
    tfds_split,
)
from keras_pyconv.reading import is_text, read_text, short
from keras_pyconv.tasks.preprocessing import decode_picture
from keras_pyconv.tasks.segmentation.classes import ADE20K_CLASSES

log = logging.getLogger(__name__)

IMAGES = ("images", "image")
MASKS = ("annotations", "masks", "labels")
CLASSES = "classes.txt"
FEATURE = "segmentation_mask"
LOOKED_AT = 4  # masks of a set when it is opened
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
            `name`, the picture's own.
        are_files: whether `picture` and `mask` are paths; else encoded.
        digest: text that is another where names, classes or the rule are; see
            `training_stream`.
    """

    name: str
    classes: tuple[str, ...]
    rule: str
    count: int
    examples: Callable
    are_files: bool
    digest: str | None = None

    def decoded(self, example):
        """An example's picture and labels.

        Returns:
            uint8 `(height, width, 3)`, and uint8 `(height, width)`: classes
            from 0, 255 for none.
        """
        picture = self._picture(example)
        return picture, self._labels(example, picture)

    def decoded_in_python(self, example):
        """As `decoded`, for an example on which that failed in a graph.

        Whatever fails again is an error of the graph that names the file. It
        is slow, so that it is for `map_or_substitute`.
        """
        keys = ("picture", "mask", "name")

        @tf.autograph.experimental.do_not_convert
        def decoded(*values):
            found = self._named(dict(zip(keys, values)))
            return [part.numpy() for part in found]

        picture, labels = tf.numpy_function(
            decoded, [example[key] for key in keys], (tf.uint8, tf.uint8)
        )
        return (
            tf.ensure_shape(picture, (None, None, 3)),
            tf.ensure_shape(labels, (None, None)),
        )

    def check(self, count=None):
        """Decodes the first `count` pictures and masks, or all.

        Raises:
            ValueError: a file cannot be read, or a mask cannot be one of this
                set; the message says which, and what was found.
        """
        examples = self.examples(None)
        for example in examples if count is None else examples.take(count):
            self._named(example)
        return self

    def _encoded(self, example, key):
        value = example[key]
        return tf.io.read_file(value) if self.are_files else value

    def _picture(self, example):
        return decode_picture(self._encoded(example, "picture"))

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
        key, name = "picture", _text(example["name"])
        what = f"The picture {name}"
        try:
            picture = self._picture(example)
            key, what = "mask", f"The mask of {name}"
            return picture, self._labels(example, picture)
        except tf.errors.OpError as error:
            where = _text(example[key]) if self.are_files else self.name
            raise ValueError(f"{where}: {fault(error, what)}") from None


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
            ADE20K's 150.
        rule: `"from_one"` where masks count classes from 1 and 0 is "other",
            `"from_zero"` where they count from 0 and 255 is ignored; by
            default ADE20K's, the first, for folders and `ade20k`.

    Returns:
        The `MaskSet`, whose first masks have been looked at.

    Raises:
        ValueError: no such data set or split, pictures without masks, or
            masks that cannot be of this set.
    """
    if not hasattr(name, "as_dataset"):
        arguments.path("name", name)
    arguments.text("split", split)
    if data_dir is not None:
        arguments.path("data_dir", data_dir)
    arguments.one_of("rule", rule, (None, *LABEL_RULES))
    if classes is not None and not arguments.is_integer(classes):
        arguments.texts("classes", classes)
    if rule is not None:
        check_rule(rule)
    if hasattr(name, "as_dataset"):
        found = _tfds_set(name, split, classes, rule)
    elif os.path.isdir(name):
        found = _folder_set(pathlib.Path(name), split, classes, rule)
    elif os.sep in str(name).rstrip(os.sep) and os.path.isabs(name):
        raise ValueError(f"There is no folder {str(name)!r}.")
    else:
        directory = data_dir and os.fspath(data_dir)
        builder = _builder(str(name), directory)
        found = _tfds_set(builder, split, classes, rule)
    return found.check(LOOKED_AT)


def _text(value):
    """A string of TensorFlow, or the bytes that a graph hands over."""
    value = value.numpy() if tf.is_tensor(value) else value
    return value.decode(errors="replace")


def _names(classes):
    if classes is None:
        return ADE20K_CLASSES
    if isinstance(classes, int):
        return tuple(map(str, range(classes)))
    return tuple(classes)


# Folders ---------------------------------------------------------------------


def _folder_set(root, split, classes, rule):
    images, masks = [_subfolder(root, names) for names in (IMAGES, MASKS)]
    splits = sorted(path.name for path in images.iterdir() if path.is_dir())
    split = split_named(split, splits, images)
    pictures = _by_stem(images / split, EXTENSIONS)
    found = _by_stem(masks / split, (".PNG",))
    for one, other, what in (
        (pictures, found, "pictures have no mask"),
        (found, pictures, "masks have no picture"),
    ):
        alone = sorted(set(one) - set(other))
        if alone:
            raise ValueError(
                f"{root}: {len(alone)} {what}, such as "
                f"{', '.join(alone[:SHOWN])}"
            )
    if not pictures:
        raise ValueError(f"{images / split} holds no picture.")
    stems = sorted(pictures)
    columns = {
        "picture": [pictures[stem] for stem in stems],
        "mask": [found[stem] for stem in stems],
        "name": [os.path.basename(pictures[stem]) for stem in stems],
    }
    _check_sizes(root, columns)
    names = _names(_written_names(root) if classes is None else classes)
    rule = rule or "from_one"
    return MaskSet(
        f"{root}, {split}",
        names,
        rule,
        len(stems),
        in_order(columns),
        are_files=True,
        digest=digest(names, [rule], columns["name"]),
    )


def _check_sizes(root, columns):
    """Refuses masks of another size than their pictures, by the headers.

    Pictures are taken as they are stored; those that a camera noted to lie
    turned, which masks of the same size may follow, are counted in the log.
    """
    files = [headers(columns[name]) for name in ("picture", "mask")]
    wrong, turned = [], []
    for name, picture, mask in zip(columns["name"], *files):
        # What cannot be read is named where it is decoded.
        if picture is None or mask is None:
            continue
        sizes = [f"{x.height} x {x.width}" for x in (mask, picture)]
        note = " (its EXIF says that it lies turned)" * picture.is_turned
        if mask.stored != picture.stored:
            found = " and ".join(sizes)
            wrong.append(f"{name}{note} has another size; found {found}")
        elif picture.is_turned:
            turned.append(name)
    if wrong:
        raise ValueError(
            f"{root}: {len(wrong)} masks do not have the height x width of "
            f"their pictures: {'; '.join(wrong[:SHOWN])}. Save pictures that "
            "lie turned upright, and bring masks of their size."
        )
    if turned:
        log.warning(
            "%s: %d pictures lie turned by their EXIF, such as %s; they are "
            "taken as they are stored, as their masks must be",
            *(root, len(turned), turned[0]),
        )


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


def _by_stem(folder, endings):
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}.")
    return {
        path.stem: str(path)
        for path in folder.iterdir()
        if path.suffix.upper() in endings
    }


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
        _names(classes),
        rule or "from_one",
        len(examples()),
        examples,
        are_files=False,
        digest=tfds_digest(builder, split),
    )
