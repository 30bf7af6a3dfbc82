"""The paper's evaluation of a segmentation network, with its pictures.

What: section 5 of the paper. The long side of a picture is resized to 512,
multi-scale to 0.5 to 1.75 times that; windows of 473, 316 apart, and their
mirror images; probabilities averaged, resized to the picture's own size. Mean
IoU and pixel accuracy are of the whole set. Writes a table by class, pictures
like Figures 3 and 4 of the supplement, and on request the files for ADE20K's
test server.

Paper's number, mean IoU / pixel accuracy in per cent, multi-scale: ResNet-50
42.88 / 80.97, PyConvResNet-50 43.31 / 81.18, -101 44.58 / 81.77, -152 45.64 /
82.36.
Ours: none here; it prints what it measures. ADE20K was not at hand.
Device: one GPU; on a CPU a picture takes minutes, see benchmarks/README.md.
Command: python -m recipes.evaluate_segmentation --weights ade20k --multi-scale
Also: python -m recipes.evaluate_segmentation --weights FILE --data FOLDER

Deviations: none that are known. Resizing is TensorFlow's, which computes what
OpenCV's does, in float32.
"""

import dataclasses
import pathlib

import keras_pyconv
from keras_pyconv import datasets
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.tasks.segmentation import (
    MULTI_SCALE,
    SINGLE_SCALE,
    evaluate_segmentation,
    overlay,
)
from recipes import common, pictures

DATA = "ade20k"
BACKBONE = "PyConvResNet50"
SHOWN = 6  # pictures that are drawn
SMOKE = {
    "backbone": "ResNetMini",
    "head_width": 64,
    "window": 64,
    "base_size": 96,
}


def few_scenes(data_dir):
    """A small set with masks that is made here, for `--smoke`."""
    return datasets.prepare_digits_in_photos(
        "segmentation", data_dir=data_dir, train_examples=16, test_examples=4
    )


# Data and model ---------------------------------------------------------------


def load_model(args, classes):
    """The network with its weights, at any size."""
    row = make_segmenter(
        args.backbone,
        args.head,
        args.output_stride,
        head_width=args.head_width,
    )
    return keras_pyconv.build_segmenter(
        row, weights=args.weights, classes=classes
    )


def protocol_of(args):
    """The windows and scales that the command line asks for."""
    return dataclasses.replace(
        MULTI_SCALE if args.multi_scale else SINGLE_SCALE,
        window=args.window,
        base_size=args.base_size,
        flip=not args.no_flip,
        batch=args.windows_at_once,
    )


# Showing ----------------------------------------------------------------------


class Shown:
    """Keeps the first pictures and what was answered."""

    def __init__(self, count):
        self.count, self.rows = count, []

    def __call__(self, example, labels):
        if len(self.rows) < self.count:
            row = {"image": example["image"]}
            if example.get("labels") is not None:
                row["truth"] = example["labels"]
            row["answer"] = labels
            row["overlay"] = overlay(example["image"], labels)
            self.rows.append(row)


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/evaluate_segmentation")
    whole = {"type": int, "metavar": "N"}
    options = {
        "weights": {"help": "ade20k, or a file of weights"},
        "data": {"default": DATA, "help": "TFDS name or folder (%(default)s)"},
        "classes": {"nargs": "+", "metavar": "NAME", "help": "as in training"},
        "label-rule": {
            "choices": datasets.LABEL_RULES,
            "help": "as in training",
        },
        "split": {"default": "validation", "help": "(%(default)s)"},
        "backbone": {"default": BACKBONE, "help": "(%(default)s)"},
        "head": {"default": "pyconv", "help": "(%(default)s)"},
        "head-width": {
            **whole,
            "help": "as in training; of the pyconv head a multiple of 64",
        },
        "output-stride": {**whole, "default": 8, "choices": (8, 16)},
        "window": {**whole, "default": SINGLE_SCALE.window},
        "base-size": {**whole, "default": SINGLE_SCALE.base_size},
        "windows-at-once": {**whole, "default": 1, "help": "(%(default)s)"},
        "pictures": {**whole, "default": SHOWN, "help": "to draw"},
        "submission": {
            "type": pathlib.Path,
            "help": "folder for the test server's files",
        },
    }
    for name, option in options.items():
        parser.add_argument(f"--{name}", **option)
    parser.add_argument("--multi-scale", action="store_true")
    parser.add_argument("--no-flip", action="store_true")
    args = common.parse(parser, argv, **SMOKE)
    if not (args.weights or args.smoke):
        parser.error("name --weights; without them nothing is known")
    return args


def main(argv=None):
    """Evaluates; returns the `Evaluation`."""
    args = parse(argv)
    source = few_scenes(args.data_dir) if args.smoke else args.data
    masks = datasets.mask_set(
        source,
        args.split,
        args.data_dir,
        classes=args.classes,
        rule=args.label_rule,
    )
    model = load_model(args, len(masks.classes))
    shown = Shown(args.pictures)
    found = evaluate_segmentation(
        model,
        datasets.whole_pictures(masks),
        protocol_of(args),
        class_names=masks.classes,
        total=masks.count,
        submission=args.submission,
        on_picture=shown,
    )
    print(f"\n{masks.name}: {found.pictures} pictures\n{found}")
    if shown.rows:
        path = args.workdir / "pictures.png"
        print(pictures.label_maps(shown.rows, masks.classes, path))
    common.write_record(
        args.workdir / "results.json",
        model=model.name,
        weights=args.weights,
        data=masks.name,
        protocol=dataclasses.asdict(protocol_of(args)),
        mean_iou=found.mean_iou,
        pixel_accuracy=found.pixel_accuracy,
        classes=found.rows(),
    )
    return found


if __name__ == "__main__":
    common.from_shell(main)
