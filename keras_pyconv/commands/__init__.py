"""The command `keras-pyconv`: a file a subcommand, and no framework for help.

Each file has `add(parser)`, which fills its parser and names what runs.
"""

import argparse
import importlib
import logging
import sys

from keras_pyconv.reading import one_line

# The file of each, and what it is for.
COMMANDS = {
    "predict": ("predict", "what a model says of images or videos"),
    "train": ("doors", "train by a recipe"),
    "evaluate": ("doors", "measure a trained model by its recipe's test"),
    "export": ("exporting", "a model as SavedModel, LiteRT or ONNX file"),
    "check": ("serving", "prove that a SavedModel answers in TF Serving"),
    "bench": ("serving", "time a SavedModel by batch size and threads"),
    "serve": ("serving", "the command that starts TF Serving on models"),
    "list": ("serving", "what a folder of models holds"),
    "doctor": ("doctor", "what is wrong with a data set"),
    "networks": ("doors", "the networks, with parameters and weights"),
    "tables": ("doors", "the paper's tables beside our counts"),
}
TASKS = ("classification", "detection", "segmentation", "video")


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def _overview():
    rows = "\n".join(f"  {n:10}{text}" for n, (_, text) in COMMANDS.items())
    return (
        "usage: keras-pyconv COMMAND ...\n\n"
        "Pyramidal convolution for Keras: from an image to an answer.\n\n"
        f"{rows}\n\n"
        "keras-pyconv COMMAND --help says more of each. Two that need no "
        "data:\n\n"
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
        known = ", ".join(COMMANDS)
        told = f"keras-pyconv: error: unknown command {name!r}. Known: {known}"
        sys.exit(_mistake(told))
    file, purpose = COMMANDS[name]
    module = importlib.import_module(f"keras_pyconv.commands.{file}")
    parser = Parser(
        prog=f"keras-pyconv {name}",
        description=f"{purpose[0].upper()}{purpose[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return module.options(name, parser, rest)


def add_model_options(add):
    """What `open_model` takes beside the model, to a parser."""
    add("--weights", help="of a network's name: a published set or a file")
    add("--network", metavar="NAME", help="of a file of weights")
    names = "number of classes, their names with commas, or a file of them"
    add("--classes", metavar="NAMES", help=names)
    add("--side", type=int, metavar="PX", help="of a network's images")


def open_model_of(options):
    """The model of the options, opened."""
    from keras_pyconv.commands.opening import open_model

    named = (options.network, options.weights, options.classes, options.side)
    return open_model(options.model, *named)


def _mistake(text):
    print(text, file=sys.stderr)
    return 2


def main(words=None) -> int:
    """Runs one command; returns the exit status.

    Args:
        words: of the command line, or None for the process's own.

    Returns:
        0 where all is well, 1 where something was found wrong, 2 where the
        command could not do its work, which one line says.
    """
    options = parse(sys.argv[1:] if words is None else words)
    # TensorFlow's words of a SavedModel's gradients, a line a function.
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        return options.run(options) or 0
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        return _mistake(f"keras-pyconv: error: {one_line(error, 2000)}")
