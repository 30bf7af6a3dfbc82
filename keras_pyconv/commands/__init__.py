"""The command `keras-pyconv`. Its help loads no framework.

Each file has `options(name, parser, words)`, which fills the parser of a
subcommand and sets `run`, and `reads_records` where that loads none either.
"""

import argparse
import contextlib
import importlib
import logging
import pathlib
import sys

from keras_pyconv.reading import nearest, one_line
from keras_pyconv.storage import is_remote

# The file of each, and what it is for.
COMMANDS = {
    "predict": ("predict", "run a model on images or videos"),
    "train": ("doors", "train a model with a recipe"),
    "evaluate": ("doors", "evaluate a trained model"),
    "export": (
        "exporting",
        "export a model to SavedModel, LiteRT, ONNX or OpenVINO",
    ),
    "check": ("serving", "check that a SavedModel works in TF Serving"),
    "bench": ("serving", "time a SavedModel by batch size and threads"),
    "serve": ("serving", "print the command that starts TF Serving"),
    "list": ("serving", "list shipped weights and exported models"),
    "doctor": ("doctor", "find problems in a data set"),
    "networks": ("doors", "list networks, their size and weights"),
    "tables": ("doors", "print the paper's tables beside our counts"),
}
MODEL_OPTIONS = ("weights", "network", "classes", "side")
TASKS = ("classification", "detection", "segmentation", "video")


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def _overview():
    rows = "\n".join(f"  {n:10}{text}" for n, (_, text) in COMMANDS.items())
    return (
        "usage: keras-pyconv COMMAND ...\n\n"
        "Pyramidal convolution for Keras: train, predict, export, serve.\n\n"
        f"{rows}\n\n"
        "Run keras-pyconv COMMAND --help for its options. Two examples:\n\n"
        "  keras-pyconv networks --task classification --has-weights\n"
        "  keras-pyconv train quickstart --smoke\n"
    )


def parse(words):
    """The options of a command line, with `run`; no framework is loaded.

    A mistake ends the process with one line and exit status 2.
    """
    if not words or words[0] in ("-h", "--help"):
        print(_overview(), end="")
        sys.exit(0)
    name, *rest = words
    if name not in COMMANDS:
        near, known = nearest(name, COMMANDS), ", ".join(COMMANDS)
        told = f"unknown command {name!r}.{near} Known: {known}"
        sys.exit(_mistake(f"keras-pyconv: error: {told}"))
    file, purpose = COMMANDS[name]
    module = importlib.import_module(f"keras_pyconv.commands.{file}")
    parser = Parser(
        prog=f"keras-pyconv {name}",
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return module.options(name, parser, rest)


def local_path(word):
    """The path of an option, which must be on this machine."""
    if is_remote(word):
        raise argparse.ArgumentTypeError(f"{word} is not on this machine")
    return pathlib.Path(word)


def add_model_options(add):
    """What `open_model` takes beside the model, to a parser."""
    named = "published weights or a weights file, if MODEL is a network"
    add("--weights", help=named)
    file = "network to build, if MODEL is a weights file"
    add("--network", metavar="NAME", help=file)
    names = "class names (cat,dog), a file with one per line, or a number"
    add("--classes", metavar="NAMES", help=names)
    add("--side", type=int, metavar="PX", help="input image size")


def open_model_of(options):
    """The model of the options, opened."""
    from keras_pyconv.commands.opening import open_model

    named = (options.network, options.weights, options.classes, options.side)
    return open_model(options.model, *named)


@contextlib.contextmanager
def quiet():
    """Keeps what libraries warn of out of the log of a block."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _mistake(text):
    print(text, file=sys.stderr)
    return 2


def main(words=None) -> int:
    """Runs one command; returns the exit status.

    Args:
        words: the command-line arguments; None reads `sys.argv`.

    Returns:
        0 on success, 1 if the command found a problem, 2 if it could not
        run; it then prints the reason on one line.
    """
    return answer(parse(sys.argv[1:] if words is None else words))


def answer(options) -> int:
    """Runs the command that was parsed; returns as `main`."""
    try:
        return options.run(options) or 0
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        return _mistake(f"keras-pyconv: error: {one_line(error, 2000)}")
