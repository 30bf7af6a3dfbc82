"""PyConv networks on ImageNet with CutMix, the "+ augment" rows of the paper.

What: section 5 of the paper and the README of the authors' code: CutMix, batch
1024, a rate of 0.4 that falls along a cosine, 300 epochs, mixed precision. The
rest is as in recipes/classify_imagenet.py, and so are the options.

Paper's number, top-1 / top-5 error in per cent, at 224 and at 320:
PyConvResNet-50 20.56 / 5.31 and 19.41 / 4.75, PyConvResNet-101 19.42 / 4.87
and 18.51 / 4.28.
Ours: not run; ImageNet was not at hand.
Device: GPUs of one machine or more; hours and memory not measured. The paper
does not give them either.
Command: python -m recipes.classify_imagenet_cutmix --workdir runs/cutmix
The same command goes on after an interruption. docs/imagenet.md is the walk.

Deviations, where the sources leave something open:
- Neither paper nor code gives CutMix's alpha and probability. Ours are 1 and
  1, those of CutMix's own authors on ImageNet; as in their code, one box a
  batch. Pictures swap boxes in pairs of neighbours instead of at random, so
  that the result does not depend on the number of machines.
- Neither gives a warm-up. Ours is linear over 5 epochs, as is common with a
  batch of 1024.
- "Mixed precision" was float16. Ours is bfloat16, which needs no scaling of
  the loss; `--precision mixed_float16` has it.
- Which resize goes with 320 is not recorded; recipes.evaluate keeps the
  proportion of 256 to 224.
- Batch normalization sees the pictures of one device, as in the authors' code.
"""

import keras_pyconv
from keras_pyconv import datasets, training
from keras_pyconv.tasks.preprocessing import imagenet_preprocessing
from recipes import common

VARIANT = "PyConvResNet50"
DATA = "imagenet2012"
BATCH = 1024  # pictures of one update, on all devices
LEARNING_RATE = 0.4  # for 1024 pictures, the highest
RATE_BATCH = 1024
WARMUP_EPOCHS = 5  # of 300
MOMENTUM = 0.9
L2 = 1e-4  # on all weights, biases and batch normalization included
EPOCHS = 300
CUTMIX_ALPHA = 1.0
CUTMIX_PROBABILITY = 1.0
PRECISION = "mixed_bfloat16"
SIDE = 224  # of a picture in training and evaluation, in pixels
SEED = 1
SMOKE = {
    "variant": "PyConvResNetMini",
    "side": 64,
    "batch_size": 8,
    "epochs": 1,
    "precision": "float32",  # few processors have fast bfloat16
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
        one_hot=True,
        batch_map=datasets.cutmix(CUTMIX_ALPHA, CUTMIX_PROBABILITY),
    )
    return batches, common.error_rates(validation, args), train.classes


# Schedule, model, optimizer, loss ------------------------------------------


def schedule(args, steps_per_epoch):
    """The rate over the run: a straight line up and a cosine down to 0."""
    rate = common.scaled_rate(args, RATE_BATCH)
    steps = args.epochs * steps_per_epoch
    warmup = round(WARMUP_EPOCHS / EPOCHS * steps)
    return training.cosine_decay(rate, steps, warmup)


def make_model(variant, classes, side, rate):
    """The network with the authors' initialization, compiled."""
    model = keras_pyconv.build_classifier(
        variant, classes=classes, input_shape=(side, side, 3), name=variant
    )
    model.compile(
        optimizer=training.SGD(rate, momentum=MOMENTUM, l2=L2),
        loss="categorical_crossentropy",
        # Against the class that has most of the mixed picture.
        metrics=["accuracy"],
    )
    return model


# Training ------------------------------------------------------------------


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/classify_imagenet_cutmix")
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
    parser.set_defaults(precision=PRECISION)
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
            "cutmix": [CUTMIX_ALPHA, CUTMIX_PROBABILITY],
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
