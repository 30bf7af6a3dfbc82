"""PyConvSSD and SSD on COCO, as the paper trains them.

What: supplement, section 1, Table 1. SSD at 300 x 300 on a backbone trained on
ImageNet; SGD at 0.02 for a batch of 256 (8 x 32), momentum 0.9, weight decay
of 5e-4 but not on batch normalization and biases; 130 epochs, a linear warm-up
in the first, a tenth of the rate from epochs 86 and 108 on; SSD's random crop,
colours and flips. `--data` names a set of TFDS with boxes, or a folder as COCO
unpacks (train2017, val2017, annotations).

Paper's number, AP on val2017 in per cent: SSD-50 26.20, PyConvSSD-50 29.16,
SSD-101 29.58, PyConvSSD-101 31.27.
Ours: not run; COCO was not at hand. What the same code learns on a small set
is in benchmarks/README.md and docs/detection.md.
Device: GPUs of one machine or more; hours and memory not measured. The paper
names 8 GPUs.
Command: python -m recipes.detect_coco --backbone-weights imagenet
The same command goes on after an interruption. docs/detection.md is the walk.

Deviations, where the paper, the code that its schedule comes from (NVIDIA's
SSD300, doubled) and this recipe are not of one mind:
- The paper's rate falls "before the 86-th epoch", which counted from one is a
  whole epoch earlier; 86 and 108 epochs are trained first here, as in the code.
- Its rate is 0.0208 in the code, 0.02 in the paper, and 0.02 here.
- Hue changes by half a degree, as in the code's fast pipeline; the other one
  has 18 degrees. The paper names no amounts.
- Crowds teach nothing here. Pictures without other objects are left out of a
  folder; of TFDS they are read and have no loss.
- Without `--backbone-weights` training starts from nothing, and the paper's
  number is out of reach.
"""

import keras_pyconv
from keras_pyconv import datasets, export, tasks, training
from keras_pyconv.tasks import detection
from recipes import common

HEAD = "PyConvSSD"
BACKBONES = {"PyConvSSD": "PyConvResNet50", "SSD": "ResNet50"}
DATA = "coco/2017"
BATCH = 256  # pictures of one update, on all devices
LEARNING_RATE = 0.02  # for 256 pictures
RATE_BATCH = 256
MOMENTUM = 0.9
L2 = 5e-4
L2_EXCLUDES = "gamma|beta|bias"
EPOCHS = 130
FALLS = (86, 108)  # of 130; from these epochs on the rate is a tenth
WARMUP_EPOCHS = 1
EVALUATE_EVERY = 10  # epochs
SIDE = 300
SEED = 1
SMOKE = {"side": 64, "batch_size": 4, "epochs": 1}
SMOKE_BACKBONES = {"PyConvSSD": "PyConvResNetMini", "SSD": "ResNetMini"}
SMOKE_STEPS = 2

# Data ----------------------------------------------------------------------


def few_scenes(data_dir):
    """A small set with boxes that is made here, for `--smoke`."""
    return datasets.prepare_digits_in_photos(
        "detection",
        data_dir=data_dir,
        image_size=64,
        train_examples=16,
        test_examples=6,
    )


def open_data(args):
    """The sets to train on and to be judged on, with the same labels."""
    source = few_scenes(args.data_dir) if args.smoke else args.data
    train = datasets.detection_set(
        source, "train", args.data_dir, with_objects_only=True
    )
    validation = datasets.detection_set(
        source,
        "validation",
        args.data_dir,
        dict(zip(train.categories, train.classes)),
    )
    for opened in (train, validation):
        if opened.problems:
            print(f"{opened.name}: {opened.problems}")
    return train, validation


def coco_evaluation(validation, side, batch_size):
    """A function of the model to COCO's twelve numbers."""
    # What is wrong with it is to be known before training.
    truth = validation.truth()
    truth.coco()

    def evaluate(model):
        batches = datasets.evaluation_scenes(
            validation, (side, side), batch_size=batch_size
        )
        found = detection.collect_detections(model, batches)
        return tasks.coco_numbers(truth, found)

    return evaluate


# Schedule, model, optimizer, loss ------------------------------------------


def steps_of_an_epoch(train, batch_size):
    """Batches that an epoch has, which must be at least one."""
    if train.count < batch_size:
        raise ValueError(
            f"{train.count} pictures to train on, --batch-size {batch_size}: "
            f"choose at most {train.count}"
        )
    return train.count // batch_size


def schedule(args, steps_per_epoch):
    """The rate over the run: a warm-up, and falls at two parts of its length.

    The warm-up is an epoch long, however many there are.
    """
    rate = common.scaled_rate(args, RATE_BATCH)
    steps = args.epochs * steps_per_epoch
    # In a very short run the falls may meet in one step.
    falls = sorted({round(fall / EPOCHS * steps) for fall in FALLS})
    return training.StepDecay(
        rate,
        falls,
        warmup_steps=WARMUP_EPOCHS * steps_per_epoch,
    )


def make_model(args, classes, rate):
    """The detector with the reference's initialization, compiled."""
    model = getattr(keras_pyconv, args.head)(
        args.backbone,
        backbone_weights=args.backbone_weights,
        input_shape=(args.side, args.side, 3),
        classes=classes + 1,  # and the background
        name=f"{args.head}-{args.backbone}",
    )
    model.compile(
        optimizer=training.SGD(
            rate, momentum=MOMENTUM, l2=L2, l2_excludes=L2_EXCLUDES
        ),
        loss=tasks.detection_losses(),
    )
    return model


# Training ------------------------------------------------------------------


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/detect_coco")
    options = {
        "head": {"choices": tuple(BACKBONES), "default": HEAD},
        "backbone": {"help": "default: of 50 layers"},
        "backbone-weights": {"help": "of a classifier: a file, or imagenet"},
        "data": {"default": DATA, "help": "TFDS name or folder (%(default)s)"},
        "side": {"type": int, "default": SIDE, "help": "in pixels (300)"},
        "evaluate-every": {
            "type": int,
            "default": EVALUATE_EVERY,
            "help": "epochs from one evaluation to the next (%(default)s)",
        },
    }
    for name, option in options.items():
        parser.add_argument(f"--{name}", **option)
    common.add_rate_arguments(parser, LEARNING_RATE, RATE_BATCH)
    common.add_export_argument(parser)
    common.add_training_arguments(
        parser, batch_size=BATCH, epochs=EPOCHS, seed=SEED
    )
    args = common.parse(parser, argv, **SMOKE)
    backbones = SMOKE_BACKBONES if args.smoke else BACKBONES
    args.backbone = args.backbone or backbones[args.head]
    return args


def constants(args, classes, rate):
    """What decides the result; a work folder holds to it."""
    return {
        "head": args.head,
        "backbone": args.backbone,
        "backbone_weights": args.backbone_weights,
        "classes": classes,
        "side": args.side,
        "batch_size": args.batch_size,
        "precision": args.precision,
        "rate": rate.get_config(),
        "momentum": MOMENTUM,
        "l2": L2,
        "l2_excludes": L2_EXCLUDES,
    }


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    args = parse(argv)
    strategy = common.begin(args)
    shard = training.shard(strategy)
    train, validation = open_data(args)
    steps = steps_of_an_epoch(train, args.batch_size)
    if args.smoke:
        steps = SMOKE_STEPS
    rate = schedule(args, steps)
    with strategy.scope():
        model = make_model(args, len(train.classes), rate)
    broken = datasets.BrokenPictures.among(train)
    batches = datasets.training_scenes(
        train,
        tasks.default_boxes(model),
        (args.side, args.side),
        batch_size=args.batch_size,
        seed=args.seed,
        broken=broken,
        shard=shard,
    )
    history = training.fit(
        model,
        batches,
        steps_per_epoch=steps,
        evaluate=coco_evaluation(validation, args.side, 32),
        evaluate_every=args.evaluate_every,
        constants=constants(args, len(train.classes), rate),
        **common.fit_options(args),
    )
    if shard[0] == 0:
        print(broken)
    if common.is_finished(history, args, steps):
        signatures = export.detection_signatures(model, train.classes)
        common.keep(model, args, signatures=signatures)
    return model, history


if __name__ == "__main__":
    common.from_shell(main)
