"""COCO's twelve numbers of a detector, beside the paper's row, with pictures.

What: supplement, section 1, Table 1. A score above 0.05, suppression within a
class from an overlap of 0.5, 200 boxes a picture; the numbers are computed by
pycocotools itself. `--data` names a folder as COCO unpacks, or any set of TFDS
with boxes. Writes pictures with what was found in them.

Paper's number: printed beside the measured row, for the networks of Table 1.
Ours: none here; it prints what it measures. COCO was not at hand.
Device: one GPU; on a CPU some pictures a second, see benchmarks/README.md.
Command: python -m recipes.evaluate_detection --weights FILE

Deviations: the reference looks at the 200 best boxes of each class before it
suppresses; all above the score are looked at here. From TFDS the areas of
objects are whole numbers, which can move one from one size to the next.
"""

import json

import keras_pyconv
from keras_pyconv import datasets, tasks
from keras_pyconv.tables.supplement import TABLE_S1
from keras_pyconv.tasks import detection
from keras_pyconv.writing import write_atomically
from recipes import common

HEAD = "PyConvSSD"
BACKBONE = "PyConvResNet50"
DATA = "coco/2017"
BATCH = 32
SIDE = 300
SHOWN = 8  # pictures that are drawn
SHOWN_SCORE = 0.4
SMOKE = {"backbone": "PyConvResNetMini", "side": 64}


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/evaluate_detection")
    whole = {"type": int, "metavar": "N"}
    options = {
        "head": {"choices": ("PyConvSSD", "SSD"), "default": HEAD},
        "backbone": {"default": BACKBONE, "help": "(%(default)s)"},
        "weights": {"help": "file of the whole detector's weights"},
        "data": {"default": DATA, "help": "TFDS name or folder (%(default)s)"},
        "split": {"default": "validation", "help": "(%(default)s)"},
        "side": {**whole, "default": SIDE, "help": "in pixels (%(default)s)"},
        "batch-size": {**whole, "default": BATCH},
        "pictures": {**whole, "default": SHOWN, "help": "to draw"},
    }
    for name, option in options.items():
        parser.add_argument(f"--{name}", **option)
    args = common.parse(parser, argv, **SMOKE)
    if args.weights is None and not args.smoke:
        parser.error("--weights is needed: there are no published ones")
    return args


# Data and model ------------------------------------------------------------


def open_data(args):
    """The set to judge by; a small one that is made here for `--smoke`."""
    source = args.data
    if args.smoke:
        source = datasets.prepare_digits_in_photos(
            "detection",
            data_dir=args.data_dir,
            image_size=64,
            train_examples=16,
            test_examples=6,
        )
    opened = datasets.detection_set(source, args.split, args.data_dir)
    if opened.problems:
        print(f"{opened.name}: {opened.problems}")
    return opened


def load_model(args, classes):
    """The detector with its weights."""
    return getattr(keras_pyconv, args.head)(
        args.backbone,
        weights=args.weights,
        input_shape=(args.side, args.side, 3),
        classes=classes + 1,  # and the background
    )


# Evaluation ----------------------------------------------------------------


def paper_numbers(model):
    """The paper's row for this network in per cent; None if it has none."""
    for row in TABLE_S1.rows:
        if row.network.lower() == model.name:
            return [float(number) for number in row.accuracy]
    return None


def print_table(numbers, paper):
    """Measured and printed, in per cent."""
    print(f"\n{'':<10}" + "".join(f"{name:>8}" for name in numbers))
    rows = {"measured": [100 * x for x in numbers.values()], "paper": paper}
    for name, row in rows.items():
        if row is not None:
            # pycocotools says -1 where no object is of that size.
            cells = [f"{x:8.2f}" if x >= 0 else f"{'-':>8}" for x in row]
            print(f"{name:<10}" + "".join(cells))


def draw(model, scenes, count, folder):
    """What is found in the first pictures, as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, example in scenes.examples(None).take(count).enumerate():
        # A text may be no name of a file.
        is_text = example["id"].dtype == "string"
        path = folder / f"{int(number if is_text else example['id'])}.png"
        picture = scenes.decoded(example).numpy()
        found = keras_pyconv.detect(
            model, picture, scenes.classes, score_threshold=SHOWN_SCORE
        )
        tasks.draw_detections(picture, found, path)
        written.append(path)
    return written


def main(argv=None):
    """Evaluates; returns the twelve numbers."""
    args = parse(argv)
    scenes = open_data(args)
    # What is wrong with it is to be known before the work.
    truth = scenes.truth()
    truth.coco()
    model = load_model(args, len(scenes.classes))
    batches = datasets.evaluation_scenes(
        scenes, (args.side, args.side), batch_size=args.batch_size
    )
    found = detection.collect_detections(model, batches)
    numbers = tasks.coco_numbers(truth, found)
    print_table(numbers, paper_numbers(model))
    common.write_record(
        args.workdir / "numbers.json",
        network=model.name,
        weights=args.weights,
        data=scenes.name,
        numbers=numbers,
    )
    write_atomically(
        args.workdir / "detections.json",
        json.dumps(found.rows(truth)),
    )
    written = draw(model, scenes, args.pictures, args.workdir / "pictures")
    print("\nPictures:", *written, sep="\n  ")
    return numbers


if __name__ == "__main__":
    common.from_shell(main)
