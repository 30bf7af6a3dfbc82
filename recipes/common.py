"""What recipes share and what cannot change a result.

The command line and its mistakes, the record of a run, and the timing of its
steps.
"""

import argparse
import functools
import json
import math
import pathlib
import statistics
import sys
import time
import traceback

import keras

from keras_pyconv import datasets, export, training
from keras_pyconv.architectures import get_architecture
from keras_pyconv.tasks.preprocessing import imagenet_preprocessing
from keras_pyconv.training.workdir import PACKAGES, provenance
from keras_pyconv.weights import save_keras_weights
from keras_pyconv.writing import write_atomically

# Options that say what the data is; `--smoke` makes its own.
_OF_DATA = ("data", "classes", "root")
# What a wrong option, a missing file or a missing package raises.
_MISTAKES = (ValueError, FileNotFoundError, ImportError)


def command_line(doc, workdir):
    """A parser with the options that every recipe has.

    Args:
        doc: The recipe's docstring; it is the help text.
        workdir: Default folder for what the run writes.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=pathlib.Path(workdir),
        help="folder for pictures and figures (default: %(default)s)",
    )
    parser.add_argument(
        "--data-dir",
        type=pathlib.Path,
        help="folder for prepared data (default: that of TFDS)",
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="the same steps on very little data that is made here, and small "
        "values for what no option names, to see that all works",
    )
    return parser


def parse(parser, argv, **small):
    """The command line; with `--smoke` the defaults are small.

    Args:
        parser: as `command_line` gives it, with the recipe's options.
        argv: the words, or None for those of the shell.
        **small: defaults of options under `--smoke`; what the user names
            stays.

    Returns:
        The options; under `--smoke`, `data` is None.
    """
    args = parser.parse_args(argv)
    if not args.smoke:
        return args
    of_data = [name for name in _OF_DATA if hasattr(args, name)]
    parser.set_defaults(**small, **dict.fromkeys(of_data))
    args = parser.parse_args(argv)
    for name in of_data:
        if getattr(args, name) is not None:
            parser.error(f"--smoke makes its own data; leave out --{name}")
    return args


def from_shell(main):
    """Runs a recipe's `main`; mistakes of the user's end it in one line.

    These are what opening the data and building the network find wrong. An
    error that comes out of training keeps its traceback.
    """
    try:
        main()
    except _MISTAKES as error:
        frames = traceback.walk_tb(error.__traceback__)
        if training.fit.__code__ in [frame.f_code for frame, _ in frames]:
            raise
        program, said = pathlib.Path(sys.argv[0]).name, str(error).split()
        print(f"{program}: error: {' '.join(said)}", file=sys.stderr)
        sys.exit(2)


def add_classifier_arguments(parser, *, variant, data, side, rate, rate_batch):
    """Options of recipes that train a classifier of pictures.

    Args:
        parser: as `command_line` gives it.
        variant: default of `--variant`.
        data: default of `--data`; None where there is none.
        side: default of `--side`, in pixels.
        rate: default of `--learning-rate`.
        rate_batch: the pictures of an update that `rate` is for.
    """
    options = {
        "variant": {
            "type": _variant,
            "default": variant,
            "help": "a classifier's name",
        },
        "data": {"default": data, "help": "folder of classes, or TFDS name"},
        "side": {"type": int, "default": side, "help": "of a crop, in pixels"},
    }
    _add(parser, options)
    add_rate_arguments(parser, rate, rate_batch)
    add_export_argument(parser)


def _variant(name):
    """The name itself, so that a wrong one ends before data is prepared."""
    try:
        get_architecture(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def add_rate_arguments(parser, rate, batch, examples="pictures"):
    """Options of recipes whose rate follows the batch; see `scaled_rate`.

    Args:
        parser: as `command_line` gives it.
        rate: default of `--learning-rate`.
        batch: the examples of an update that `rate` is for.
        examples: what these are.
    """
    options = {
        "learning-rate": {
            "type": float,
            "default": rate,
            "help": f"for {batch} {examples} of an update",
        },
        "no-scaled-rate": {
            "action": "store_true",
            "help": "take the rate as it is, whatever the size of the batch",
        },
    }
    _add(parser, options)


def scaled_rate(args, batch):
    """The rate of the command line, in proportion to its batch.

    Args:
        args: the command line, with `add_rate_arguments`.
        batch: the examples of an update that `--learning-rate` is for.
    """
    scale = 1.0 if args.no_scaled_rate else args.batch_size / batch
    return args.learning_rate * scale


def add_export_argument(parser):
    """Where `keep` exports to."""
    parser.add_argument(
        "--export-root",
        metavar="FOLDER",
        help="export to saved_models/NAME; the server's files go beside NAME; "
        "default: do not",
    )


def add_training_arguments(parser, *, batch_size, epochs, seed=1):
    """Options of recipes that train through `keras_pyconv.training.fit`.

    Args:
        parser: as `command_line` gives it.
        batch_size: default of `--batch-size`.
        epochs: default of `--epochs`.
        seed: default of `--seed`.
    """
    whole = {"type": int, "metavar": "N"}
    options = {
        "strategy": {
            "choices": ("auto", "one", "mirrored", "multi_worker"),
            "default": "auto",
            "help": "devices to train on; auto takes all that there are",
        },
        "devices": {**whole, "help": "how many of them; default: all"},
        "precision": {
            "choices": ("float32", "mixed_bfloat16", "mixed_float16"),
            "default": "float32",
            "help": "Keras's policy for the layers",
        },
        "batch-size": {
            **whole,
            "default": batch_size,
            "help": "examples of one update, on all devices together",
        },
        "accumulate": {
            **whole,
            "default": 1,
            "help": "small batches on each device whose gradients make one "
            "update; saves memory",
        },
        "ema": {
            "type": float,
            "metavar": "DECAY",
            "help": "average the weights with this decay, such as 0.9999, "
            "and evaluate the average; default: do not",
        },
        "epochs": {**whole, "default": epochs, "help": "length of the run"},
        "seed": {**whole, "default": seed, "help": "of weights and data"},
        "save-every": {
            **whole,
            "help": "steps between checkpoints; default: an epoch",
        },
        "stop-after": {
            **whole,
            "help": "save and stop after so many steps; the same command "
            "goes on. Default: run to the end",
        },
    }
    _add(parser.add_argument_group("training"), options)


def _add(parser, options):
    for name, option in options.items():
        if option.get("default") is not None:
            option["help"] += " (%(default)s)"
        parser.add_argument(f"--{name}", **option)


def open_pictures(args):
    """The labelled pictures to train on, and those to be judged on."""
    source = few_digits(args.data_dir) if args.smoke else args.data
    return tuple(
        datasets.picture_set(source, split, args.data_dir)
        for split in ("train", "validation")
    )


def error_rates(pictures, args):
    """Judges a classifier on `pictures` after an epoch, as the paper does."""
    batches = functools.partial(
        datasets.evaluation_pictures,
        pictures,
        imagenet_preprocessing(args.side),
    )
    return training.ErrorRates(batches, args.batch_size)


def begin(args):
    """The strategy and the precision that the command line asks for."""
    strategy = training.make_strategy(args.strategy, args.devices)
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(args.seed)
    devices = strategy.num_replicas_in_sync
    if devices > 1:
        part = args.batch_size // devices
        print(f"{devices} devices, {part} examples of a batch on each.")
    return strategy


def fit_options(args):
    """What of the command line `keras_pyconv.training.fit` takes as it is."""
    return {
        "epochs": args.epochs,
        "workdir": args.workdir,
        "seed": args.seed,
        "save_every_steps": args.save_every,
        "stop_after_steps": args.stop_after,
        "accumulate": args.accumulate,
        "ema": args.ema,
    }


def few_digits(data_dir):
    """A small set of labelled pictures that is made here, for `--smoke`."""
    return datasets.prepare_digits_in_photos(
        "classification",
        data_dir=data_dir,
        train_examples=64,
        test_examples=32,
    )


def is_finished(history, args, steps):
    """Whether training came to its end, and was not stopped by `--stop-after`.

    Args:
        history: what `keras_pyconv.training.fit` returned.
        args: the command line, with `epochs`.
        steps: of an epoch.
    """
    return bool(history) and history[-1]["step"] == args.epochs * steps


def keep(model, args, **options):
    """Writes the weights, and exports the model where that was asked for.

    Args:
        model: whose name the file of weights gets.
        args: the command line, with `workdir` and `export_root`.
        **options: of `keras_pyconv.export.saved_model`.
    """
    index, _ = training.shard(model.distribute_strategy)
    if index:
        # All machines hold the same weights; the first one writes.
        return
    path = args.workdir / f"{model.name}.weights.h5"
    save_keras_weights(model, path)
    print(f"Weights: {path}")
    if args.export_root:
        exported = export.saved_model(
            model, args.export_root, source=args.workdir, **options
        )
        print(f"Exported to {exported}")


def keep_classifier(model, args, classes):
    """`keep`, with labels and preprocessing in the export."""
    keep(
        model,
        args,
        labels=list(classes),
        preprocessing=imagenet_preprocessing(args.side),
    )


def verbosity():
    """Keras's progress bar on a screen, a line an epoch in a log."""
    return 1 if sys.stdout.isatty() else 2


def write_record(path, **values):
    """Writes `values` and the provenance of the run as JSON."""
    packages = (*PACKAGES, "tensorflow-datasets")
    record = _without_nan({**provenance(packages), **values})
    write_atomically(path, json.dumps(record, indent=2, default=str) + "\n")


def _without_nan(value):
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class StepTimer(keras.callbacks.Callback):
    """Times training steps; `median` leaves out the first, which compiles."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self._begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self._begin)

    @property
    def median(self):
        """Median seconds of a step."""
        return statistics.median(self.seconds[1:] or self.seconds)
