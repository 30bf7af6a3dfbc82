"""How right are the weights that come with the package, by size?

    python -m benchmarks.shipped                some minutes on two cores
    python -m benchmarks.shipped --take classification RUN --command COMMAND

Asks each, as it is stored, about the whole test split of `digits_in_photos`,
and compares with its record. `--take` makes the stored file of a run's folder
and renews its record, in which the command of the recipe stands.
"""

import argparse
import csv
import dataclasses
import json
import pathlib

import numpy as np

from keras_pyconv import datasets, tasks
from keras_pyconv.commands.opening import of_shipped
from keras_pyconv.datasets.detection_sets import tfds_objects
from keras_pyconv.datasets.digit_scenes import size_class
from keras_pyconv.finished import weights_of_run
from keras_pyconv.reading import read_json
from keras_pyconv.tasks import detection, segmentation
from keras_pyconv.weights import shipped
from keras_pyconv.weights.sources import replacing_with_checksum
from keras_pyconv.writing import write_atomically

SIZES = ("small", "medium", "large")


def of_classification(row, model, builder):
    """Accuracy, of all and by the size of the digit."""
    parts = builder.as_dataset(split="test", batch_size=200)
    hits, sizes = [], []
    for part in parts.as_numpy_iterator():
        images = tasks.preprocess_input(part["image"], weights=shipped.SET)
        found = np.argmax(model(images, training=False), axis=-1)
        hits.append(found == part["label"])
        sizes.append(part["size_class"])
    return _accuracy(np.concatenate(hits), np.concatenate(sizes))


def _accuracy(hits, sizes):
    figures = {"accuracy": hits.mean()}
    for number, name in enumerate(SIZES):
        figures[name] = hits[sizes == number].mean()
    return figures


def of_detection(row, model, builder):
    """AP, AP50 and AP75 of COCO, and AP by the boxes' area.

    The bounds are squares of a fifth and of two fifths of the image's side.
    """
    test = tfds_objects(builder, "test")
    sides = model.input_shape[1:3]
    scenes = datasets.evaluation_scenes(test, sides, batch_size=50)
    # The set's own areas are those of the ink.
    truth = test.truth(box_areas=True)
    found = detection.collect_detections(model, scenes)
    numbers = detection.coco_numbers(truth, found)
    side = builder.builder_config.image_size
    edges = [(side * part) ** 2 for part in (0.2, 0.4)]
    return {
        **{name: numbers[name] for name in ("AP", "AP50", "AP75")},
        **dict(zip(SIZES, detection.ap_by_area(truth, found, edges))),
    }


def of_segmentation(row, model, builder):
    """Mean IoU with the photograph as a class, and pixel accuracy."""
    protocol = segmentation.Protocol(**row.shown)
    windows = segmentation.SlidingWindows(model, protocol)
    counts, sizes = 0, np.zeros((3, 2), "int64")
    for one in builder.as_dataset(split="test").as_numpy_iterator():
        truth = one["segmentation_mask"][..., 0]
        labels = windows.labels(one["image"])
        counts += segmentation.confusion_counts(truth, labels, 11).numpy()
        owners = one["instance_mask"][..., 0].astype("int32") - 1
        of_pixels = one["objects"]["size_class"][owners]
        for number in range(3):
            some = (owners >= 0) & (of_pixels == number)
            sizes[number] += some.sum(), (labels == truth)[some].sum()
    return {
        "mean IoU": segmentation.mean_iou(counts),
        "pixel accuracy": segmentation.pixel_accuracy(counts),
        **{
            f"pixels of {name} digits": right / total
            for name, (total, right) in zip(SIZES, sizes)
        },
    }


def of_video(row, model, builder):
    """Accuracy by the paper's test, of all and by the size of the digit.

    All views of a video are averaged; its size is the mean of its frames'.
    """
    clips = tasks.Clips(**row.shown)
    videos = datasets.video_set(builder, "test")
    hits = []
    tasks.video_errors(
        model,
        datasets.video_views(videos, clips),
        clips,
        count=videos.count,
        on_video=lambda _, views, label, scores: hits.append(
            np.argmax(scores) == label
        ),
    )
    test = builder.as_dataset(split="test").as_numpy_iterator()
    sizes = np.array([one["size"].mean() for one in test])
    side = builder.builder_config.image_size
    return _accuracy(np.array(hits), size_class(sizes, side))


def measure(row, model, data_dir=None):
    """The figures of a model, shown images as a row says, on the test split."""
    # The test split is the same whatever there is to train on.
    builder = datasets.prepare_digits_in_photos(
        row.task, data_dir=data_dir, train_examples=1
    )
    found = globals()[f"of_{row.task}"](row, model, builder)
    return {name: round(float(value), 4) for name, value in found.items()}


def halve(source, target):
    """Writes Keras's weights, without an optimizer's, in floats of 16 bits."""
    import h5py

    def copy(groups, into):
        for name, one in groups.items():
            if isinstance(one, h5py.Group):
                group = into.create_group(name)
                group.attrs.update(one.attrs)
                copy(one, group)
            else:
                kind = "f2" if one.dtype.kind == "f" else one.dtype
                into.create_dataset(name, data=one[()].astype(kind))

    with replacing_with_checksum(target) as beside:
        with h5py.File(source, "r") as whole, h5py.File(beside, "w") as half:
            copy({k: v for k, v in whole.items() if k != "optimizer"}, half)


def curve(folder):
    """The epochs of a run, as it wrote them."""
    rows = csv.DictReader((folder / "log.csv").read_text().splitlines())
    return [
        {name: float(f"{float(x):.5g}") for name, x in row.items() if x}
        for row in rows
    ]


def take(task, folder, command, data_dir=None):
    """Stores the weights of a run, measures them, and renews their record.

    What it says of the network and of how images are shown to it stays.
    """
    known = {row.task: row for row in shipped.shipped_weights()}[task]
    made = read_json(folder / "constants.json")
    training = {"command": command, **made, "curve": curve(folder)}
    row = dataclasses.replace(known, training=training, figures={})
    halve(weights_of_run(folder), row.path)
    _write(row)  # so that no figures are of other weights, whatever happens
    figures = measure(row, of_shipped(row).model, data_dir)
    _write(dataclasses.replace(row, figures=figures))


def _write(row):
    text = json.dumps(dataclasses.asdict(row), indent=1) + "\n"
    write_atomically(row.path.with_name(f"{row.task}.json"), text)
    shipped.shipped_weights.cache_clear()


def main(argv=None):
    """Entry point; returns the figures by task."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--take", nargs=2, metavar=("TASK", "RUN"))
    parser.add_argument("--command", default="", help="that trained it")
    parser.add_argument("--data-dir", help="where TFDS keeps its sets")
    options = parser.parse_args(argv)
    if options.take:
        task, folder = options.take
        take(task, pathlib.Path(folder), options.command, options.data_dir)
    found = {}
    for row in shipped.shipped_weights():
        model = of_shipped(row).model
        found[row.task] = measure(row, model, options.data_dir)
        print(row.name, found[row.task], "record:", row.figures, sep="\n  ")
    return found


if __name__ == "__main__":
    main()
