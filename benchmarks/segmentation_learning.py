"""PyConvSegNet and its rivals on digits of many sizes: do they learn?

    python -m benchmarks.segmentation_learning            about 8 minutes
    python -m benchmarks.segmentation_learning --smoke    a minute

The four heads of the supplement's Table 6 with one small backbone, recipe and
seed. `recipes.segment_ade20k` trains, from nothing; what differs from its
defaults is in `OPTIONS`. The same command goes on after an interruption. By
ADE20K's rule, under which 0 is no class, the photograph is ignored: digits
must be told apart, not found.
"""

import dataclasses
import math

import numpy as np

from benchmarks.records import (
    learning_command_line,
    record_path,
    write_record,
)
from benchmarks.shipped import SIZES
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid

NETWORKS = {
    "pyconv": "PyConvSegNet",
    "ppm": "PSPNet",
    "aspp": "DeepLabv3",
    "conv": "baseline",
}
SIDE = 64
OPTIONS = {
    "head_rate": 1.0,
    "network": {"head_width": 64},
    "data": {"side": SIDE, "label_rule": "from_one", "flip": False},
    "data.turn": 5.0,
    "data.scales": (0.75, 1.33),
    "optimizer.rate": 0.1,
    "training": {"batch_size": 16, "epochs": 5},
    "run.strategy": "one",
}
CLASSES = 10
PICTURES = {
    "image_size": SIDE,
    "train_examples": 3000,
    "test_examples": 500,
    "smallest": 0.15,
}
SMOKE_PICTURES = {**PICTURES, "train_examples": 32, "test_examples": 8}
SHOWN = 6  # pictures in the drawing


def small_backbone():
    """PyConvResNetMini at half its width."""
    from keras_pyconv.architectures import get_architecture

    mini = get_architecture("PyConvResNetMini")
    stages = []
    for stage in mini.stages:
        width = stage.width // 2
        levels = tuple(
            dataclasses.replace(
                level, groups=math.gcd(level.groups, int(width * level.share))
            )
            for level in stage.levels
        )
        stages.append(dataclasses.replace(stage, width=width, levels=levels))
    return dataclasses.replace(
        mini, name="PyConvResNetMicro", stages=tuple(stages), stem_width=16
    )


def train(head, data, workdir, epochs):
    """The settings, the trained model and the figures of its epochs."""
    from recipes import segment_ade20k
    from recipes.settings import override

    own = {"network.head": head, "run.workdir": workdir / head}
    own["training.epochs"] = epochs
    settings = override(segment_ade20k.SETTINGS, OPTIONS, own)
    replace = dataclasses.replace
    settings = replace(
        settings,
        network=replace(settings.network, backbone=small_backbone()),
        data=replace(settings.data, source=data),
    )
    return settings, *segment_ade20k.train(settings)


def truth_of(example):
    """Labels from 0 and, for every pixel of a digit, its size class."""
    labels = example["segmentation_mask"][..., 0].astype("int32") - 1
    labels[labels < 0] = 255
    owners = example["instance_mask"][..., 0].astype("int32") - 1
    return labels, example["objects"]["size_class"][owners]


def by_size(model, examples):
    """Mean IoU of the ten digits, by size and of all; the label maps."""
    from keras_pyconv.tasks import segmentation

    protocol = segmentation.Protocol(window=SIDE, base_size=None, flip=False)
    windows = segmentation.SlidingWindows(model, protocol)
    matrices = np.zeros((len(SIZES), CLASSES, CLASSES), "int64")
    found = []
    for example in examples:
        labels = windows.labels(example["image"])
        truth, sizes = truth_of(example)
        for number, matrix in enumerate(matrices):
            some = np.where(sizes == number, truth, 255)
            counts = segmentation.confusion_counts(some, labels, CLASSES)
            matrix += counts.numpy()
        found.append(np.where(truth == 255, 255, labels))
    whole = matrices.sum(axis=0)
    figures = {s: segmentation.mean_iou(m) for s, m in zip(SIZES, matrices)}
    figures["mean_iou"] = segmentation.mean_iou(whole)
    figures["pixel_accuracy"] = segmentation.pixel_accuracy(whole)
    return figures, found


def draw(examples, answers, path):
    """Images, truth and every network's answer, side by side."""
    from recipes.pictures import label_maps

    names = [str(digit) for digit in range(CLASSES)]
    rows = [
        {
            "image": example["image"],
            "truth": truth_of(example)[0],
            **{network: maps[number] for network, maps in answers.items()},
        }
        for number, example in enumerate(examples[:SHOWN])
    ]
    return label_maps(rows, names, path)


def table(rows):
    """The rows as Markdown."""
    keys = [*SIZES, "mean_iou", "pixel_accuracy"]
    header = ["head", "parameters", "multiply-adds, M", *keys]
    lines = [
        [
            row["network"],
            f"{row['parameters']:,}",
            f"{row['multiply_adds'] / 1e6:.0f}",
            *(f"{row[key]:.1%}" for key in keys),
        ]
        for row in rows
    ]
    return grid(header, lines, "markdown", words=("head",))


def measure(head, data, examples, workdir, epochs):
    """A row of the table, and the label maps."""
    from recipes import networks

    settings, model, history = train(head, data, workdir, epochs)
    record = networks.segmenter(settings.network)
    cost = complexity(record, (SIDE, SIDE, 3), CLASSES, auxiliary=False)
    figures, found = by_size(model, examples)
    row = {
        "network": NETWORKS[head],
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        **figures,
        "epochs": history,
    }
    return row, found


def main(arguments=None):
    """Entry point; returns the record."""
    workdir = "runs/segmentation_learning"
    epochs = OPTIONS["training"]["epochs"]
    parser = learning_command_line(__doc__, workdir, epochs)
    parser.add_argument("--heads", nargs="+", default=list(NETWORKS))
    options = parser.parse_args(arguments)
    from keras_pyconv.datasets import prepare_digits_in_photos

    pictures = SMOKE_PICTURES if options.smoke else PICTURES
    epochs = 1 if options.smoke else options.epochs
    data = prepare_digits_in_photos(
        "segmentation", data_dir=options.workdir / "tfds", **pictures
    )
    examples = list(data.as_dataset(split="test").as_numpy_iterator())
    rows, answers, name = [], {}, "segmentation-learning"
    for head in options.heads:
        row, answers[NETWORKS[head]] = measure(
            head, data, examples, options.workdir, epochs
        )
        rows.append(row)
        print(table(rows), flush=True)
    draw(examples, answers, record_path(options, name).with_suffix(".png"))
    return write_record(options, name, pictures=pictures, rows=rows)


if __name__ == "__main__":
    main()
