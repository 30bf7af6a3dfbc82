"""PyConvSegNet on ADE20K, as the paper trains it.

What: section 5 of the paper, Table 4; with `--head ppm`, `aspp` or `conv` the
rivals of the supplement's Table 6. SGD, 0.01 for the backbone and ten times
that for head and auxiliary head, (1 - step / steps)^0.9, momentum 0.9, L2 of
1e-4 on every weight, 100 epochs of batches of 16 crops of 473, batch
normalization over all devices, the auxiliary loss at 0.4.

Paper's number, mean IoU / pixel accuracy in per cent, single scale: ResNet-50
41.54 / 80.18, PyConvResNet-50 42.08 / 80.31; multi-scale 42.88 / 80.97 and
43.31 / 81.18.
Ours: not run; ADE20K was not at hand. What the same recipe learns on a small
set is in benchmarks/README.md.
Device: the authors have 8 GPUs; hours and memory are in neither paper nor here.
Command: python -m recipes.segment_ade20k --workdir runs/segnet \\
    --backbone-weights imagenet
The same command goes on after an interruption. docs/segmentation.md is the
walk, and `python -m recipes.evaluate_segmentation` the paper's evaluation.

Deviations, where paper, authors' code and this recipe are not of one mind:
- The nearest label and the bilinear pixel of a resized crop agree here; with
  OpenCV, which the authors use, they are up to half a pixel apart.
- The auxiliary logits are enlarged to the crop, as the main ones.
- Between epochs the middle 473 pixels are judged, as in the authors' code; the
  last weights are kept, the authors' code also keeps the best.
"""

import functools

import keras

import keras_pyconv
from keras_pyconv import datasets, export, training
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.models import load_backbone, load_body
from keras_pyconv.tasks.segmentation import SegmentationLoss
from recipes import common

BACKBONE = "PyConvResNet50"
HEAD = "pyconv"
OUTPUT_STRIDE = 8
DATA = "ade20k"
BATCH = 16  # crops of one update, on all devices
LEARNING_RATE = 0.01  # of the backbone
HEAD_RATE = 10.0  # times that, for what was not trained before
BACKBONE_PATHS = "^conv[0-9]"  # all layers of a backbone are called so
POWER = 0.9
MOMENTUM = 0.9
L2 = 1e-4  # on all weights, biases and batch normalization included
EPOCHS = 100
SIDE = 473  # of the crops, in pixels
SCALES = (0.5, 2.0)  # of the pictures before the crop
TURN = 10.0  # degrees
SEED = 1
SMOKE = {
    "backbone": "ResNetMini",
    "head_width": 64,
    "side": 64,
    "batch_size": 4,
    "epochs": 1,
}
SMOKE_STEPS = 2

# Data ----------------------------------------------------------------------


def few_scenes(data_dir):
    """A small set with masks that is made here, for `--smoke`."""
    return datasets.prepare_digits_in_photos(
        "segmentation", data_dir=data_dir, train_examples=16, test_examples=4
    )


def load_data(args, shard):
    """Batches to train on, the validation, and the names of the classes."""
    source = few_scenes(args.data_dir) if args.smoke else args.data
    train, validation = (
        datasets.mask_set(
            source,
            split,
            args.data_dir,
            classes=args.classes,
            rule=args.label_rule,
        )
        for split in ("train", "validation")
    )
    batches = datasets.training_masks(
        train,
        args.side,
        batch_size=args.batch_size,
        seed=args.seed,
        shard=shard,
        scales=tuple(args.scales),
        turn=args.turn,
        flip=not args.no_flip,
    )
    evaluate = training.RegionScores(
        functools.partial(datasets.central_crops, validation, args.side),
        args.batch_size,
        len(train.classes),
    )
    return batches, evaluate, train.classes


# Model, optimizer, loss ----------------------------------------------------


def make_record(args):
    """The network's record: the paper's, or one with a narrower head."""
    return make_segmenter(
        args.backbone,
        args.head,
        args.output_stride,
        head_width=args.head_width,
    )


def make_model(args, classes, steps):
    """The network, its backbone filled where asked for, compiled."""
    row = make_record(args)
    model = keras_pyconv.build_segmenter(
        row, classes=classes, input_shape=(args.side, args.side, 3)
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
    if args.backbone_weights:
        classifier = keras_pyconv.build_classifier(row.backbone, classes=1)
        load_body(classifier, args.backbone_weights, row.backbone.name)
        load_backbone(model, classifier)
    rate = training.poly_decay(args.rate * args.head_rate, steps, POWER)
    optimizer = training.SGD(
        rate,
        momentum=MOMENTUM,
        l2=L2,
        rate_multipliers={BACKBONE_PATHS: 1 / args.head_rate},
    )
    model.compile(optimizer, SegmentationLoss())
    return model


# Training ------------------------------------------------------------------


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/segment_ade20k")
    add_network_arguments(parser)
    parser.add_argument(
        "--backbone-weights", help="imagenet, or a classifier's file"
    )
    parser.add_argument(
        "--data", default=DATA, help="TFDS name or folder (%(default)s)"
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="of the classes, in the order of the masks; default: as the set "
        "or its classes.txt says, else ADE20K's 150",
    )
    parser.add_argument(
        "--label-rule",
        choices=datasets.LABEL_RULES,
        help="whether masks count classes from 1, 0 being no class, or from "
        "0; default: as the set says, of folders the first",
    )
    parser.add_argument(
        "--side", type=int, default=SIDE, help="crop in pixels (%(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=LEARNING_RATE, help="(%(default)s)"
    )
    parser.add_argument(
        "--head-rate",
        type=float,
        default=HEAD_RATE,
        help="times the backbone's; 1 where that starts from nothing too",
    )
    parser.add_argument("--scales", type=float, nargs=2, default=SCALES)
    parser.add_argument("--turn", type=float, default=TURN, help="degrees")
    parser.add_argument(
        "--no-flip",
        action="store_true",
        help="no mirror images, where those are of other classes",
    )
    common.add_export_argument(parser)
    common.add_training_arguments(
        parser, batch_size=BATCH, epochs=EPOCHS, seed=SEED
    )
    return common.parse(parser, argv, **SMOKE)


def add_network_arguments(parser):
    """What decides the network, in training and evaluation."""
    parser.add_argument("--backbone", default=BACKBONE, help="(%(default)s)")
    parser.add_argument(
        "--head", default=HEAD, help="pyconv, ppm, aspp, conv (%(default)s)"
    )
    parser.add_argument(
        "--head-width",
        type=int,
        help="narrower, for small backbones; of the pyconv head a multiple of "
        "64; default: the paper's",
    )
    parser.add_argument(
        "--output-stride", type=int, default=OUTPUT_STRIDE, choices=(8, 16)
    )


def constants(args, classes):
    """What decides the result, beside what `fit` records itself."""
    names = (
        "head head_width output_stride side batch_size precision rate "
        "head_rate scales turn no_flip label_rule"
    ).split()
    return {
        **{name: getattr(args, name) for name in names},
        "network": make_record(args).name,
        "classes": len(classes),
        "power": POWER,
        "momentum": MOMENTUM,
        "l2": L2,
    }


def train(args):
    """Trains; returns the model and the figures of each epoch.

    Args:
        args: as `parse` gives them; `backbone` may also be a record.
    """
    strategy = common.begin(args)
    shard = training.shard(strategy)
    batches, evaluate, classes = load_data(args, shard)
    steps = SMOKE_STEPS if args.smoke else batches.steps_per_epoch
    with strategy.scope():
        model = make_model(args, len(classes), args.epochs * steps)
    history = training.fit(
        model,
        batches,
        steps_per_epoch=steps,
        evaluate=evaluate,
        constants=constants(args, classes),
        **common.fit_options(args),
    )
    if common.is_finished(history, args, steps):
        signatures = export.segmentation_signatures(model, labels=classes)
        common.keep(model, args, signatures=signatures)
    return model, history


def main(argv=None):
    """Trains by the command line."""
    return train(parse(argv))


if __name__ == "__main__":
    common.from_shell(main)
