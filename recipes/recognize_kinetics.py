"""PyConvResNet3D on Kinetics-400, as the paper trains it from nothing.

What: section 2 of the paper's supplement, Tables 2 and 3. SGD at 0.1 for a
batch of 64 clips on 8 devices, momentum 0.9, L2 of 1e-4 on every weight, 90
epochs, a tenth of the rate from epochs 30, 60 and 80 on, dropout 0.5. A clip
is 16 frames, every fourth of the video from a random start; the short side is
drawn from 256 to 320, a random square of 224 cut out, half of them mirrored.
In the end every video is tested by at most ten clips of three squares of 256,
their softmax averaged.

Paper's number, top-1 / top-5 error in per cent: ResNet3D-50 37.01 / 15.41,
PyConvResNet3D-50 34.56 / 13.34.
Ours: not run; Kinetics was not at hand. What the same command learns on a
small set of videos is in benchmarks/README.md.
Device: GPUs of one machine or more; hours and memory not measured. The paper
does not give them either.
Command: python -m recipes.recognize_kinetics --data-dir data
The same command goes on after an interruption. docs/video.md is the walk.

Deviations, where the paper leaves something open:
- Batch normalization sees the clips of one device, 8 on 8 devices. On fewer
  devices, `--accumulate` makes the parts smaller.
- A video that is shorter than a clip begins again.
- The squares of the test are 256 pixels, as large as the short side; the
  paper says that they "cover the spatial dimensions".
- In the course of training one clip of each video is tested, its central
  square; the paper's curves show "independent clips".
"""

import dataclasses
import functools

import keras_pyconv
from keras_pyconv import datasets, export, tasks, training
from recipes import common

VARIANT = "PyConvResNet3D50"
DATA = "kinetics"
BATCH = 64  # clips of one update, on all devices
LEARNING_RATE = 0.1  # for 64 clips
RATE_BATCH = 64
MOMENTUM = 0.9
L2 = 1e-4  # on all weights, biases and batch normalization included
EPOCHS = 90
FALLS = (30, 60, 80)  # of 90; from these epochs on the rate is a tenth
TEST_CLIPS, TEST_CROPS = 10, 3  # of each video
SEED = 1
SMOKE = {
    "variant": "PyConvResNet3DMini",
    "batch_size": 4,
    "epochs": 1,
    "frames": 4,
    "stride": 2,
    "side": 32,
    "test_side": 32,
    "short_sides": (36, 44),
    "test_clips": 2,
}
SMOKE_STEPS = 2

# Data ----------------------------------------------------------------------


def few_films(data_dir):
    """A small set of clips that is made here, for `--smoke`."""
    return datasets.prepare_digits_in_photos(
        "video",
        data_dir=data_dir,
        train_examples=12,
        test_examples=6,
        image_size=48,
    )


def make_clips(args):
    """What a clip is, by the command line."""
    return tasks.Clips(
        frames=args.frames,
        stride=args.stride,
        size=args.side,
        short_sides=tuple(args.short_sides),
        resize=args.test_side,
        flip=not args.no_flip,
    )


def load_data(args, shard):
    """Batches, a quick evaluation, the validation videos, what is broken."""
    source = few_films(args.data_dir) if args.smoke else args.data
    train, validation = (
        datasets.video_set(source, split, args.data_dir, args.root)
        for split in ("train", "validation")
    )
    clips, decoders = make_clips(args), tasks.Decoders(args.decoders)
    broken = broken_videos(train, args, "train")
    batches = datasets.training_clips(
        train,
        clips,
        batch_size=args.batch_size,
        seed=args.seed,
        decoders=decoders,
        broken=broken,
        shard=shard,
    )
    evaluate = training.ErrorRates(
        functools.partial(
            datasets.evaluation_clips, validation, clips, decoders=decoders
        ),
        args.batch_size,
    )
    return batches, evaluate, validation, broken


def broken_videos(videos, args, split):
    """Notes what cannot be read, in a report in the work folder."""
    report = args.workdir / f"broken_videos_{split}.csv"
    return datasets.BrokenVideos.among(videos, report)


# Schedule, model, optimizer, loss ------------------------------------------


def schedule(args, steps_per_epoch):
    """The rate over the run, which falls at three parts of its length."""
    rate = common.scaled_rate(args, RATE_BATCH)
    steps = args.epochs * steps_per_epoch
    # In a very short run two falls may meet in one step.
    falls = sorted({round(fall / EPOCHS * steps) for fall in FALLS})
    return training.StepDecay(rate, falls)


def make_network(args, classes, weights=None, side=None):
    """The network, of the paper's initialization where no file is named.

    Any size of frames goes in where none is named: the test's squares are
    larger than those of training.
    """
    return keras_pyconv.build_video_classifier(
        args.variant,
        weights=weights,
        classes=classes,
        input_shape=(args.frames, side, side, 3),
        name=args.variant,
    )


def make_model(args, classes, rate):
    """The network, compiled."""
    model = make_network(args, classes)
    model.compile(
        optimizer=training.SGD(rate, momentum=MOMENTUM, l2=L2),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


# Testing -------------------------------------------------------------------


def test(model, videos, args):
    """The paper's test of every video; prints and returns the errors."""
    clips, broken = make_clips(args), broken_videos(videos, args, "test")
    views = datasets.video_views(
        videos,
        clips,
        most_clips=args.test_clips,
        crops=args.test_crops,
        decoders=tasks.Decoders(args.decoders),
        broken=broken,
    )
    errors = tasks.video_errors(model, views, clips, count=videos.count)
    print(errors, broken, sep="\n")
    common.write_record(
        args.workdir / "test.json",
        data=videos.name,
        clips=args.test_clips,
        crops=args.test_crops,
        errors=dataclasses.asdict(errors),
    )
    return errors


# Training ------------------------------------------------------------------


def keep(model, args, classes):
    """Writes the weights, and exports the model where that was asked for."""
    options = {}
    if args.export_root:
        # A server takes clips of one size.
        served = make_network(args, len(classes), side=args.side)
        served.set_weights(model.get_weights())
        model = served
        signatures = export.video_signatures(model, list(classes))
        options = {"signatures": signatures, "batch_sizes": (1, 2)}
    common.keep(model, args, **options)


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/recognize_kinetics")
    whole = {"type": int, "metavar": "N"}
    for name, default, meaning in (
        ("frames", 16, "of a clip"),
        ("stride", 4, "from one frame of a clip to the next"),
        ("side", 224, "of the square of training, in pixels"),
        ("test-side", 256, "of the squares of testing, in pixels"),
        ("test-clips", TEST_CLIPS, "of a video, at most"),
        ("test-crops", TEST_CROPS, "of a clip"),
        ("decoders", None, "processes that decode; default: processors"),
    ):
        text = meaning if default is None else f"{meaning} ({default})"
        parser.add_argument(f"--{name}", default=default, help=text, **whole)
    parser.add_argument("--variant", default=VARIANT, help="(%(default)s)")
    parser.add_argument(
        "--data", default=DATA, help="TFDS name, folder or CSV (%(default)s)"
    )
    parser.add_argument("--root", help="what the paths of a CSV begin at")
    parser.add_argument(
        "--short-sides",
        type=int,
        nargs=2,
        default=(256, 320),
        metavar="PX",
        help="from which the short side is drawn (%(default)s)",
    )
    parser.add_argument(
        "--no-flip",
        action="store_true",
        help="no mirror images, where those are of other classes",
    )
    common.add_rate_arguments(parser, LEARNING_RATE, RATE_BATCH, "clips")
    parser.add_argument(
        "--only-test", metavar="WEIGHTS", help="of this file, and train nothing"
    )
    common.add_export_argument(parser)
    common.add_training_arguments(
        parser, batch_size=BATCH, epochs=EPOCHS, seed=SEED
    )
    return common.parse(parser, argv, **SMOKE)


def main(argv=None):
    """Trains and tests; returns the figures of each epoch and the errors."""
    args = parse(argv)
    strategy = common.begin(args)
    shard = training.shard(strategy)
    batches, evaluate, validation, broken = load_data(args, shard)
    classes = validation.classes
    if args.only_test:
        model = make_network(args, len(classes), args.only_test)
        return [], test(model, validation, args)
    steps = SMOKE_STEPS if args.smoke else batches.steps_per_epoch
    rate = schedule(args, steps)
    with strategy.scope():
        model = make_model(args, len(classes), rate)
    constants = {
        "variant": args.variant,
        "classes": len(classes),
        "clips": str(make_clips(args)),
        "batch_size": args.batch_size,
        "precision": args.precision,
        "rate": rate.get_config(),
        "momentum": MOMENTUM,
        "l2": L2,
    }
    history = training.fit(
        model,
        batches,
        steps_per_epoch=steps,
        evaluate=evaluate,
        constants=constants,
        **common.fit_options(args),
    )
    errors = None
    # All machines hold the same weights; the first one tests and writes.
    if shard[0] == 0 and common.is_finished(history, args, steps):
        print(broken)
        keep(model, args, classes)
        errors = test(model, validation, args)
    return history, errors


if __name__ == "__main__":
    common.from_shell(main)
