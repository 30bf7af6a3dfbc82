"""What an opened model says of many files, of which some may be broken.

Images are read in threads, some ahead of the network, so that memory does not
grow with their number.
"""

import contextlib
import csv
import dataclasses
import io
import itertools
import os

import numpy as np

from keras_pyconv import storage
from keras_pyconv.commands.opening import Opened
from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.video_sets import videos_of
from keras_pyconv.lazy import tf
from keras_pyconv.listing import IMAGES, Listing
from keras_pyconv.provenance import cores
from keras_pyconv.reading import one_line, read_text
from keras_pyconv.tasks import recognize, segment
from keras_pyconv.tasks.classification import (
    Classification,
    class_names_for,
    preprocessing_for,
)
from keras_pyconv.tasks.detection import Detections, stretch, to_pixels
from keras_pyconv.tasks.image import read_image, reason_of
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    imagenet_preprocessing,
    normalization_of,
    prepare_picture,
    shown_as,
)
from keras_pyconv.tasks.results import TOP, best, chosen, probabilities, traced
from keras_pyconv.tasks.segmentation import (
    SINGLE_SCALE,
    Protocol,
    Segmentation,
    palette,
)
from keras_pyconv.weights.described import shown_by

WILD = "*?["


def find_files(words, task) -> list[str]:
    """Paths of what is to be looked at, in the order of the words.

    Args:
        words: files, folders, patterns, and CSV files whose column `path`, or
            else the first, begins at the CSV's folder.
        task: "video", or one of images.

    Returns:
        Paths; what is not there keeps its place, to be answered with a reason.
    """
    found = []
    for word in words:
        if storage.is_remote(word) and task == "video":
            raise ValueError(f"videos are read from this machine: copy {word}")
        if storage.is_folder(word):
            found += _of_folder(word, task)
        elif word.lower().endswith(".csv"):
            found += listed(read_text(word), os.path.dirname(word))
        elif set(WILD) & set(word) and not storage.exists(word):
            found += storage.glob(word) or [word]
        else:
            found.append(word)
    return found


def check_found(paths, words, task):
    """Refuses words that name no file."""
    if not paths:
        kind = "videos" if task == "video" else "images"
        raise ValueError(f"no {kind} found in {' '.join(map(str, words))}")


def _of_folder(folder, task):
    if task == "video":
        return videos_of(folder)
    listing = Listing(folder, IMAGES)
    files = listing.files()
    listing.say()
    return files


def listed(text, folder):
    """Paths of a CSV's text, which begin at the folder."""
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    columns = rows.fieldnames or [""]
    column = "path" if "path" in columns else columns[0]
    paths = [(row[column] or "").strip() for row in rows]
    return [storage.join(folder, path) for path in paths]


def check_threshold(threshold, task):
    """Refuses a lowest score where nothing is left out by it."""
    if threshold is not None and task != "classification":
        raise ValueError(
            f"--threshold is for models that classify; this one is of {task}"
        )


def answers(
    opened: Opened,
    paths,
    batch_size=16,
    top=None,
    local=contextlib.nullcontext,
    threshold=None,
):
    """Yields `(path, Result or None, reason)` of each file, in their order.

    The reason says in one line why a file could not be answered, else "".
    `local` gives, for a block, a path that can be read of what is at a path.
    `top` and `threshold` are as in `classify`.
    """
    if opened.task == "video":
        yield from _of_videos(opened, paths, batch_size, top or TOP, local)
        return
    threshold = opened.threshold if threshold is None else threshold
    prepare, answer = _TASKS[opened.task](opened, (top, threshold))

    def read(path):
        try:
            with local(path) as place:
                pixels = read_image(place, *_reading(opened, prepare))
            return path, pixels, prepare(pixels), ""
        except (OSError, ValueError) as error:
            return path, None, None, reason_of(error)

    read_files = ahead(read, paths, cores())
    while rows := list(itertools.islice(read_files, batch_size)):
        good = [row[1:3] for row in rows if row[1] is not None]
        found = iter(answer(*map(list, zip(*good))) if good else ())
        for path, pixels, _, reason in rows:
            yield path, None if reason else next(found), reason


def _reading(opened, prepare):
    """Channels, and whether an image is turned as its file says."""
    rule = getattr(prepare, "rule", None) or opened.preprocessing
    return (rule.channels, rule.exif) if rule else (3, True)


def prepared_by(opened, side=None):
    """Function of a path to what a network of images sees of it.

    `side` is that of a segmentation network's images where it is open.
    """
    if opened.task == "video":
        raise ValueError(
            "int8 of a video network takes clips: give them to "
            "keras_pyconv.export.litert as `calibration`"
        )
    prepare, _ = _TASKS[opened.task](opened, (None, None))
    if opened.task == "segmentation":
        side = opened.model.input_shape[1] or side
        usual = imagenet_preprocessing(side)
        own = dataclasses.replace(usual, **normalization_of(opened.model))
        rule = opened.preprocessing or own

        def prepare(pixels):
            return prepare_picture(tf.constant(pixels), rule)

    about = _reading(opened, prepare)

    def prepared(path):
        return prepare(read_image(path, *about))

    return prepared


# A task: how an image is prepared, and what is made of a batch ---------------


def _classifying(opened, limits):
    model = opened.model
    limits = chosen(model, *limits)
    rule = preprocessing_for(model, opened.preprocessing)
    names = class_names_for(model, opened.class_names)
    scores_of = traced(
        model, "classify", lambda: probabilities(model, lambda batch: batch)
    )

    def prepare(pixels):
        return prepare_picture(tf.constant(pixels), rule)

    def answer(images, prepared):
        scores = scores_of(tf.stack(prepared)).numpy()
        return [
            Classification(*best(row, *limits), names, image)
            for row, image in zip(scores, images)
        ]

    prepare.rule = rule
    return prepare, answer


def _detecting(opened, _):
    own = shown_as(Preprocessing, opened.model, "detection")
    rule = opened.preprocessing or own or Preprocessing()

    def prepare(pixels):
        return stretch(pixels, opened.side, opened.side, rule)

    def answer(images, prepared):
        found = opened.of_batch(tf.stack(prepared))
        found = {name: np.asarray(value) for name, value in found.items()}
        return [
            Detections(
                to_pixels(found["boxes"][row][:count], *image.shape[:2]),
                found["labels"][row][:count],
                found["scores"][row][:count],
                opened.class_names,
                image,
            )
            for row, (image, count) in enumerate(zip(images, found["count"]))
        ]

    return (prepare, answer) if opened.of_batch else _of_server(opened)


def _segmenting(opened, _):
    if opened.of_files:
        return _of_server(opened)
    protocol, rule = None, opened.preprocessing
    side = opened.model.input_shape[1]
    if (side or rule) and shown_by(opened.model, "segmentation") is None:
        side, rule = side or SINGLE_SCALE.window, rule or Preprocessing()
        base = round(side * SINGLE_SCALE.base_size / SINGLE_SCALE.window)
        about = {"mean": rule.mean, "deviation": rule.deviation}
        protocol = Protocol(window=side, base_size=base, **about)

    def answer(images, _):
        options = {"class_names": opened.class_names, "protocol": protocol}
        return [segment(opened.model, image, **options) for image in images]

    return (lambda pixels: pixels), answer


def _of_server(opened):
    """As a server answers: from files, which are read and turned here."""

    def prepare(pixels):
        return tf.io.encode_png(tf.constant(pixels), compression=0)

    def answer(images, prepared):
        found = opened.of_files(tf.stack(prepared))
        found = {name: value.numpy() for name, value in found.items()}
        make = _served_boxes if opened.task == "detection" else _served_mask
        return [make(opened, found, *pair) for pair in enumerate(images)]

    return prepare, answer


def _served_boxes(opened, found, row, image):
    count = found["num_detections"][row]
    boxes, labels, scores = (
        found[name][row][:count] for name in ("boxes", "classes", "scores")
    )
    return Detections(boxes, labels, scores, opened.class_names, image)


def _served_mask(opened, found, row, image):
    labels = tf.io.decode_png(found["mask_bytes"][row], 1).numpy()[..., 0]
    names = opened.class_names or tuple(map(str, range(256)))
    labels = labels.astype("int32")
    return Segmentation(image, labels, palette(len(names)), names)


_TASKS = {
    "classification": _classifying,
    "detection": _detecting,
    "segmentation": _segmenting,
}


def _of_videos(opened, paths, batch_size, top, local):
    options = {"top": top, "batch_size": batch_size}
    for path in paths:
        place = path
        try:
            with local(path) as place:
                names = opened.class_names
                yield path, recognize(opened.model, place, names, **options), ""
        except (OSError, ValueError) as error:
            yield path, None, one_line(error).replace(str(place), str(path))
