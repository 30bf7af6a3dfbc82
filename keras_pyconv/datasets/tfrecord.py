"""TFRecord, as TF Model Garden's vision tasks read and write it.

An image lies in a record as the bytes of its file. So a set knows the place of
each in its file, and reads it when its turn comes: order, shuffling and
resumption are those of a folder of images. All records are read once when a
set is opened, for what else they say.
"""

import dataclasses
import functools
import io
import operator
import os
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_pyconv import storage
from keras_pyconv.datasets.splits import (
    CLASSES,
    TRAINING,
    VALIDATION,
    written_names,
)
from keras_pyconv.lazy import tf
from keras_pyconv.reading import one_line, short
from keras_pyconv.tasks.library import model_garden
from keras_pyconv.tasks.orientation import header_of

INCOMPLETE = ".incomplete"
_SIDES = "height", "width"
_NAME = re.compile(r"\.tfrecords?[-*?\d\[\]of]*$")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})")
_BEFORE, _AROUND = 12, 16  # bytes of TFRecord's own before and around a record
_BUFFER = 2**22  # bytes that are read at once
LABEL, TEXT = "image/class/label", "image/class/text"
LABELS, TEXTS = "image/object/class/label", "image/object/class/text"
CORNERS = tuple(
    f"image/object/bbox/{side}" for side in ("ymin", "xmin", "ymax", "xmax")
)
CROWDS, AREAS = "image/object/is_crowd", "image/object/area"
MASK = "image/segmentation/class/encoded"
# The decoder of the records that have a feature, and one that it does not read.
_DECODERS = {
    LABEL: ("classification_input", "Decoder", {TEXT: False}),
    LABELS: ("tf_example_decoder", "TfExampleDecoder", {TEXTS: True}),
    MASK: ("segmentation_input", "Decoder", {}),
}


def is_tfrecord(name: Any) -> bool:
    """Whether a name or a pattern is that of files of TFRecord."""
    return bool(_NAME.search(os.path.basename(os.fspath(name))))


def garden(module):
    """A module of tf-models-official."""
    return model_garden(module, "TFRecord is read and written by")


# Files ------------------------------------------------------------------------


def glob(pattern: str) -> list[str]:
    """Files of a pattern that are whole."""
    found = storage.glob(pattern)
    return [path for path in found if not path.endswith(INCOMPLETE)]


def files_of(pattern: str, split: str) -> list[str]:
    """The files of a split by a pattern that names it or another split.

    The names of the files say it, or else that of their folder.
    """
    alike = next((g for g in (TRAINING, VALIDATION) if split in g), ())
    own = list(dict.fromkeys([split, *alike]))
    known = _words({*TRAINING, *VALIDATION, split})
    begin = len(os.path.dirname(os.path.dirname(pattern)))
    tried = [
        (pattern[: one.start()] + word + pattern[one.end() :], word)
        for one in [*known.finditer(pattern, begin)][-1:]
        for word in own
    ]
    listed = functools.cache(glob)
    for place, word in [*tried, *((pattern, word) for word in own)]:
        names = [(path, os.path.basename(path)) for path in listed(place)]
        found = [path for path, name in names if _words([word]).search(name)]
        if not found and (place, word) in tried:  # their folder says it
            found = [path for path, name in names if not known.search(name)]
        if found:
            _check_shards(found)
            return found
    looked_for = ", ".join(place for place, _ in tried) or pattern
    raise ValueError(
        f"No file of TFRecord for the split {split!r}; looked for "
        f"{looked_for}. Names must say the split, such "
        "as train-00000-of-00010.tfrecord and val-00000-of-00010.tfrecord."
    )


def _words(words):
    """Any of some words, of which no letters stand beside."""
    any_word = "|".join(map(re.escape, words))
    return re.compile(f"(?<![a-z])({any_word})(?![a-z])")


def _check_shards(files):
    """Refuses files that do not say the same number of files, their own."""
    said = [match[1] for match in map(_SHARD.search, files) if match]
    if said and (len(files) != int(said[0]) or set(said) != {said[0]}):
        raise ValueError(
            f"{files[0]} is one of {int(said[0])} files, and there are "
            f"{len(files)} by its pattern. Bring the others, or give a pattern "
            "of one set alone."
        )


def read_part(place: bytes) -> bytes:
    """The bytes of an image at a place in a file of records."""
    # Outside of graphs TensorFlow hands over an array of one value.
    begin, length, path = os.fsdecode(bytes(place)).split(" ", 2)
    with storage.told(path), storage.opened(path) as file:
        file.seek(int(begin))
        return file.read(int(length))


# Reading ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Records:
    """The records of a split in the order in which they were written.

    Writers deal them out to the files in turn. Each row has a record's features
    by their names, `name`, of the image's file, else of the record, and:

    - `picture`, `mask`: where they are, as `read_part` takes it.
    - `header`, `mask_header`: of those, None where Pillow cannot read it.
    - `sides`: height and width of the image as meant, in pixels, or 1 and 1.
    """

    title: str
    folder: str
    rows: tuple[Mapping[str, Any], ...]

    def sorted_by(self, keys: np.ndarray) -> "Records":
        """The same in another order."""
        order = np.argsort(keys, kind="stable")
        return dataclasses.replace(
            self, rows=tuple(self.rows[place] for place in order)
        )

    def column(self, name: str) -> list:
        """What all rows have under a name."""
        return [row[name] for row in self.rows]


def _features(key):
    """Descriptions of the features of records that have a certain one.

    They are the decoder's. Its function `decode` is not called, as it decodes
    the images of boxes too: what training does later, and of the part alone
    that it needs. Nor does it read names of files and of classes.
    """
    module, name, others = _DECODERS[key]
    decoder = getattr(garden(f"vision.dataloaders.{module}"), name)()
    single = tf.io.FixedLenFeature((), tf.string, "")
    several = tf.io.VarLenFeature(tf.string)
    number = tf.io.FixedLenFeature((), tf.int64, 0)
    return {
        **{f"image/{side}": number for side in _SIDES},
        **decoder._keys_to_features,
        "image/filename": single,
        "image/source_id": single,
        **{name: several if many else single for name, many in others.items()},
    }


def read(pattern: str, split: str, key: str) -> Records:
    """Reads all records of a split, which must have a feature."""
    features = _features(key)
    files = files_of(pattern, split)
    title = f"{pattern}, {split}"
    try:
        with warnings.catch_warnings():
            # Pillow's, as of EXIF that is damaged.
            warnings.simplefilter("ignore")
            rows = list(_rows(files, features))
    except tf.errors.OpError as error:
        raise ValueError(_fault(files, error)) from None
    _check(title, rows, key)
    rows.sort(key=operator.itemgetter("number", "file"))
    return Records(title, os.path.dirname(pattern), tuple(rows))


def _check(title, rows, key):
    """Refuses records without a feature; images without objects are usual."""
    is_there = {LABEL: lambda label: label >= 0}.get(key, len)
    without = [row["name"] for row in rows if not is_there(row[key])]
    if len(without) == len(rows) or (without and key != LABELS):
        raise ValueError(
            f"{title}: {len(without)} of {len(rows)} records have no {key!r}"
            f"{', such as ' + short(without[0]) if without else ''}."
        )


def _fault(files, error):
    """What is wrong with which file."""
    for file in files:
        with storage.opened(file) as begin:
            if begin.read(2) == b"\x1f\x8b":
                return f"{file} is compressed by gzip: unpack it with gunzip."
        try:
            for _ in tf.data.TFRecordDataset(file):
                pass
        except tf.errors.OpError as wrong:
            said = re.sub(r"{{.*?}} ?|\[Op:.*", "", wrong.message)
            return f"{file} is no whole file of TFRecord: {one_line(said)}"
    said = re.sub(r"{{.*?}} ?|\[(\[|Op:).*", "", error.message)
    return f"{files[0]} or another has other features: {one_line(said)}"


def _rows(files, features):
    paths = tf.constant(files)

    def parsed(record):
        found = tf.io.parse_single_example(record, features)
        for name, value in found.items():
            if isinstance(value, tf.SparseTensor):
                found[name] = tf.sparse.to_dense(value)
        return found

    def of_file(number):
        records = tf.data.TFRecordDataset(paths[number], buffer_size=_BUFFER)
        return records.map(lambda record: (number, record, parsed(record)))

    dataset = tf.data.Dataset.range(len(files)).interleave(
        of_file, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    ends, counts = [0] * len(files), [0] * len(files)
    for file, record, features in dataset.prefetch(8).as_numpy_iterator():
        row = _row(counts[file], files[file], ends[file], record, features)
        yield {**row, "number": counts[file], "file": file}
        ends[file] += len(record) + _AROUND
        counts[file] += 1


def _row(number, path, end, record, features):
    """A row without its images, of which the places are kept."""
    images = features.pop("image/encoded"), features.get(MASK, b"")
    features[MASK] = images[1][:1]
    if not images[0]:
        raise ValueError(f"{path}: record {number} has no 'image/encoded'.")
    places = [
        b"%d %d " % (end + _BEFORE + record.find(image), len(image))
        + os.fsencode(path)
        for image in images
    ]
    found = [
        header_of(io.BytesIO(image)) if image else None for image in images
    ]
    name = features["image/filename"].decode(errors="replace")
    sides = tuple(int(features[f"image/{side}"]) for side in _SIDES)
    if min(sides) <= 0:
        sides = found[0].turned if found[0] else (1, 1)
    return {
        **features,
        **dict(zip(("picture", "mask"), places)),
        **dict(zip(("header", "mask_header"), found)),
        "name": name or f"{os.path.basename(path)}, record {number}",
        "sides": sides,
    }


# Classes ----------------------------------------------------------------------


def nameless(records: Records, line: str) -> ValueError:
    """The refusal of records that do not say what their classes are called."""
    return ValueError(
        f"{records.title}: the records do not name their classes. Put "
        f"{os.path.join(records.folder, CLASSES)} beside them, with {line}."
    )


def names_of_labels(records: Records) -> tuple[str, ...]:
    """Names of the classes of labels from 0."""
    labels = [int(label) for label in records.column(LABEL)]
    names = written_names(records.folder)
    if names is None:
        texts = [text.decode() for text in records.column(TEXT)]
        pairs = sorted({*zip(labels, texts)})
        names = [text for _, text in pairs]
        counted = [label for label, _ in pairs] == [*range(len(pairs))]
        if not counted or not all(names) or len(names) != len({*names}):
            line = "the name of a class per line, in the order of labels from 0"
            raise nameless(records, line)
    wrong = [label for label in labels if not 0 <= label < len(names)]
    if wrong:
        raise ValueError(
            f"{records.title}: {len(wrong)} labels are not from 0 to "
            f"{len(names) - 1}, such as {wrong[0]}."
        )
    return tuple(names)


def names_by_id(records: Records) -> dict[int, str]:
    """Names of the classes of boxes by their ids, sorted."""
    lines = written_names(records.folder)
    if lines is not None:
        pairs = [line.partition(" ")[::2] for line in lines]
        if all(number.isdecimal() and name for number, name in pairs):
            return dict(sorted((int(n), name) for n, name in pairs))
        return dict(enumerate(lines, 1))
    found: dict[int, str] = {}
    for ids, texts in zip(records.column(LABELS), records.column(TEXTS)):
        names = [text.decode() for text in texts]
        pairs = list(zip(ids.tolist(), names))
        alike = all(found.setdefault(one, name) == name for one, name in pairs)
        if len(ids) != len(names) or not all(names) or not alike:
            raise nameless(records, "the id and the name of a class per line")
    return dict(sorted(found.items()))


# Objects ----------------------------------------------------------------------


def objects_of(records: Records) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """How many objects each record has, and the columns of all of them."""
    labels = records.column(LABELS)
    counts = np.array([len(ids) for ids in labels], "int64")
    corners = [records.column(side) for side in CORNERS]
    for row, count, *found in zip(records.rows, counts, *corners):
        if any(len(one) != count for one in found):
            raise ValueError(
                f"{records.title}: {short(row['name'])} has {count} labels and "
                f"{len(found[0])} boxes."
            )
    # Not every writer says who is a crowd, and how large objects are.
    crowds, areas = [
        np.concatenate(
            [
                one if len(one) == count else np.full(count, default)
                for one, count in zip(records.column(name), counts)
            ]
        )
        for name, default in ((CROWDS, 0), (AREAS, -1))
    ]
    boxes = np.stack([np.concatenate(one) for one in corners], axis=1)
    return counts, {
        "boxes": np.clip(boxes, 0, 1).astype("float32"),
        "labels": np.concatenate(labels),
        "crowds": crowds.astype(bool),
        "areas": areas.astype("float32"),
    }
