"""PyConv networks on ImageNet, as the paper trains them from nothing.

What: section 5 of the paper, Tables 1 and 3. SGD at 0.1 for a batch of 256,
momentum 0.9, L2 of 1e-4 on every weight, 90 epochs, a tenth of the rate from
epochs 30, 60 and 80 on; random crops of 224 and flips. Any classifier of
`keras_pyconv.ARCHITECTURES`, any labelled pictures: `--data` names a set of
TFDS, or a folder with `train` and `val` that have a folder for each class.

Paper's number, top-1 / top-5 error at 224 in per cent: ResNet-50 23.88 / 7.06,
PyConvHGResNet-50 21.52 / 5.94, PyConvResNet-50 22.12 / 6.20, -101 20.99 /
5.53, -152 20.48 / 5.27.
Ours: not run; ImageNet was not at hand. What the same command learns on a
small set is in benchmarks/README.md.
Device: GPUs of one machine or more; hours and memory not measured. The paper
does not give them either.
Command: python -m recipes.classify_imagenet --workdir runs/pyconvresnet50
The same command goes on after an interruption. docs/imagenet.md is the walk.

Deviations, where paper, authors' code and this recipe are not of one mind:
- The rate falls with epochs 30, 60, 80 as in the paper. In the authors' code
  the scheduler is stepped before an epoch, so that with PyTorch 1.1 or newer
  it falls one epoch early.
- Batch normalization sees the pictures of one device, 32 on 8 devices as in
  the authors' code. On fewer devices, `--accumulate` makes the parts smaller.
- The pictures that do not fill a batch are left out of an epoch: 5,004 steps.
- Crops and flips are those of the authors' code; the paper does not name
  them. There is no warm-up, label smoothing or colour jitter in either.
"""

import keras_pyconv
from keras_pyconv import datasets, training
from keras_pyconv.tasks.preprocessing import imagenet_preprocessing
from recipes import common

VARIANT = "PyConvResNet50"
DATA = "imagenet2012"
BATCH = 256  # pictures of one update, on all devices
LEARNING_RATE = 0.1  # for 256 pictures
RATE_BATCH = 256
MOMENTUM = 0.9
L2 = 1e-4  # on all weights, biases and batch normalization included
EPOCHS = 90
FALLS = (30, 60, 80)  # of 90; from these epochs on the rate is a tenth
SIDE = 224  # of a picture in training and evaluation, in pixels
SEED = 1
SMOKE = {
    "variant": "PyConvResNetMini",
    "side": 64,
    "batch_size": 8,
    "epochs": 1,
}
SMOKE_STEPS = 2

# Data ----------------------------------------------------------------------


def load_data(args, shard):
    """Batches to train on, the evaluation, and the names of the classes."""
    train, validation = common.open_pictures(args)
    batches = datasets.training_pictures(
        train,
        imagenet_preprocessing(args.side),
        batch_size=args.batch_size,
        seed=args.seed,
        shard=shard,
    )
    return batches, common.error_rates(validation, args), train.classes


# Schedule, model, optimizer, loss ------------------------------------------


def schedule(args, steps_per_epoch):
    """The rate over the run, which falls at three parts of its length."""
    rate = common.scaled_rate(args, RATE_BATCH)
    steps = args.epochs * steps_per_epoch
    # In a very short run two falls may meet in one step.
    falls = sorted({round(fall / EPOCHS * steps) for fall in FALLS})
    return training.StepDecay(rate, falls)


def make_model(variant, classes, side, rate):
    """The network with the authors' initialization, compiled."""
    model = keras_pyconv.build_classifier(
        variant, classes=classes, input_shape=(side, side, 3), name=variant
    )
    model.compile(
        optimizer=training.SGD(rate, momentum=MOMENTUM, l2=L2),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


# Training ------------------------------------------------------------------


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/classify_imagenet")
    common.add_classifier_arguments(
        parser,
        variant=VARIANT,
        data=DATA,
        side=SIDE,
        rate=LEARNING_RATE,
        rate_batch=RATE_BATCH,
    )
    common.add_training_arguments(
        parser, batch_size=BATCH, epochs=EPOCHS, seed=SEED
    )
    return common.parse(parser, argv, **SMOKE)


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    args = parse(argv)
    strategy = common.begin(args)
    shard = training.shard(strategy)
    batches, evaluate, classes = load_data(args, shard)
    steps = SMOKE_STEPS if args.smoke else batches.steps_per_epoch
    rate = schedule(args, steps)
    with strategy.scope():
        model = make_model(args.variant, len(classes), args.side, rate)
    history = training.fit(
        model,
        batches,
        steps_per_epoch=steps,
        evaluate=evaluate,
        constants={
            "variant": args.variant,
            "classes": len(classes),
            "side": args.side,
            "batch_size": args.batch_size,
            "precision": args.precision,
            "rate": rate.get_config(),
            "momentum": MOMENTUM,
            "l2": L2,
        },
        **common.fit_options(args),
    )
    if common.is_finished(history, args, steps):
        common.keep_classifier(model, args, classes)
    return model, history


if __name__ == "__main__":
    common.from_shell(main)
