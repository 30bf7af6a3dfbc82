"""Sets of ours as TFRecord, by TF Model Garden's builder of examples."""

import functools
import io
import os
from typing import Any

from keras_pyconv import arguments
from keras_pyconv.datasets import tfrecord
from keras_pyconv.datasets.splits import CLASSES, written_names
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.orientation import AS_STORED, Header, header_of
from keras_pyconv.typing import PathLike
from keras_pyconv.writing import write_atomically

_BUILDER = "core.tf_example_builder"


def write_tfrecord(examples: Any, path: PathLike, shards: int = 1) -> None:
    """Writes images with labels, boxes or masks as TF Model Garden reads them.

    Files of images are stored as they are. Masks become PNG that count classes
    from 0, with 255 for none; boxes keep the ids of their classes, or get them
    from 1 on. `classes.txt` beside the records names the classes.

    Args:
        examples: what `picture_set`, `detection_set` or `mask_set` returns.
        path: of the files, with a `*` for the number of each, such as
            `"gs://bucket/train-*.tfrecord"`.
        shards: how many files to write.

    Raises:
        ValueError: a set of another kind, or a path that cannot be used.
        FileExistsError: there are such files, or names of other classes.
        ImportError: tf-models-official is not installed.

    Example:

    >>> pets = keras_pyconv.datasets.picture_set("pets", "train")
    >>> path = "records/train-*.tfrecord"
    >>> keras_pyconv.datasets.write_tfrecord(pets, path, shards=2)
    """
    arguments.examples("examples", examples)
    arguments.integer("shards", shards, 1, examples.count)
    rule = "a path such as 'folder/train-*.tfrecord'"
    arguments.instance("path", path, (str, os.PathLike), rule)
    folder, name = os.path.split(os.fspath(path))
    good = tfrecord.is_tfrecord(name) and name.count("*") == 1
    arguments.check("path", path, good, rule)
    tfrecord.garden(_BUILDER)  # or refused before the work
    example_of, classes = _writer_of(examples)
    if there := tfrecord.glob(os.path.join(folder, name)):
        raise FileExistsError(f"{there[0]} exists; remove it, or rename it.")
    names = os.path.join(folder, CLASSES)
    known = written_names(folder)
    if known not in (None, classes):
        raise FileExistsError(f"{names} names other classes than the set.")
    if folder:
        tf.io.gfile.makedirs(folder)
    numbers = [f"{number:05}-of-{shards:05}" for number in range(shards)]
    files = [os.path.join(folder, name.replace("*", n)) for n in numbers]
    write_atomically(names, "".join(f"{name}\n" for name in classes))
    _write(examples, example_of, files)


def _write(examples, example_of, files):
    """Deals examples out to files, which are there when all are whole."""
    beside = [file + tfrecord.INCOMPLETE for file in files]
    stored = examples.examples(None)
    stored = stored.map(lambda one: (one, examples.encoded(one)))
    writers = [tf.io.TFRecordWriter(file) for file in beside]
    try:
        for number, pair in enumerate(stored.as_numpy_iterator()):
            record = example_of(*pair).serialized_example
            writers[number % len(writers)].write(record)
        for writer in writers:
            writer.close()
        for made, file in zip(beside, files):
            # The system that is in memory takes one name for the other.
            tf.io.gfile.rename(made, file, overwrite=True)
    finally:
        for made in filter(tf.io.gfile.exists, beside):
            tf.io.gfile.remove(made)


def _writer_of(examples):
    """Function of an example and its image, and the lines of `classes.txt`."""
    spec, classes = examples.examples(None).element_spec, [*examples.classes]
    name = _names(examples)
    if "boxes" in spec:
        ids = examples.categories
        # TF Model Garden's detectors take 0 for the background.
        if not all(isinstance(one, int) and one > 0 for one in ids):
            ids = range(1, len(classes) + 1)
        write = functools.partial(_with_boxes, [*ids], classes, name)
        return write, [f"{one} {name}" for one, name in zip(ids, classes)]
    if "mask" in spec:
        return functools.partial(_with_mask, examples, name), classes
    if "picture" in spec and "label" in spec and not spec["label"].shape.rank:
        return functools.partial(_with_label, classes, name), classes
    raise ValueError(
        "`examples` must be images with one label each, boxes or masks. "
        f"Received: {examples.name}"
    )


def _names(examples):
    """Function of an example to its name, of files below their folder."""
    names = examples.examples(None).map(lambda example: example["name"])
    names = names if examples.are_files else names.take(0)
    folders = {os.path.dirname(one) for one in names.as_numpy_iterator()}
    # Those of masks are such names already.
    absolute = folders and all(map(os.path.isabs, folders))
    root = os.path.commonpath(folders) if absolute else b"."

    def name(example):
        return os.path.relpath(example["name"], root)

    return name if absolute else lambda example: example["name"]


def _builder(example, encoded, name, source_id):
    """An example with an image, as its boxes or mask are meant."""
    # The builder of `official.vision` has names for these features, but none
    # for other files than JPEG, PNG and BMP, and does not run on Python 3.13.
    builder = tfrecord.garden(_BUILDER).TfExampleBuilder()
    header = header_of(io.BytesIO(encoded)) or Header(1, 1, AS_STORED)
    turned = example.get("orientation", AS_STORED) != AS_STORED
    height, width = header.turned if turned else header.stored
    builder.add_bytes_feature("image/encoded", encoded)
    builder.add_ints_feature("image/height", height)
    builder.add_ints_feature("image/width", width)
    builder.add_bytes_feature("image/source_id", source_id)
    return builder.add_bytes_feature("image/filename", name)


def _with_label(classes, name_of, example, encoded):
    name, label = name_of(example), int(example["label"])
    builder = _builder(example, encoded, name, name)
    builder.add_ints_feature(tfrecord.LABEL, label)
    return builder.add_bytes_feature(tfrecord.TEXT, classes[label])


def _with_mask(masks, name_of, example, encoded):
    name = name_of(example)
    builder = _builder(example, encoded, name, name)
    labels = masks.named(example)[1]
    mask = tf.io.encode_png(labels[..., tf.newaxis]).numpy()
    return builder.add_bytes_feature(tfrecord.MASK, mask)


def _with_boxes(ids, classes, name_of, example, encoded):
    own = example["id"]
    own = own if isinstance(own, bytes) else b"%d" % own
    builder = _builder(example, encoded, name_of(example), own)
    for name, corner in zip(tfrecord.CORNERS, example["boxes"].T.tolist()):
        builder.add_floats_feature(name, corner)
    labels = example["labels"].tolist()
    builder.add_ints_feature(tfrecord.LABELS, [ids[n] for n in labels])
    builder.add_bytes_feature(tfrecord.TEXTS, [classes[n] for n in labels])
    crowds, areas = example["crowds"], example["areas"]
    builder.add_ints_feature(tfrecord.CROWDS, crowds.astype(int).tolist())
    # Without areas, readers take those of the boxes.
    if (areas >= 0).all():
        builder.add_floats_feature(tfrecord.AREAS, areas.tolist())
    return builder
