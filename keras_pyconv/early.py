"""Where the process is the command, its words are read before Keras loads.

Loading takes seconds, of which `--help` and a mistake in the words need none.
"""

import importlib
import os
import pathlib
import sys


def words_of_command():
    """The words of `keras-pyconv WORDS`, or None in any other process."""
    if pathlib.Path(sys.argv[0]).stem == "keras-pyconv":
        return sys.argv[1:]
    before = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]
    # What `-m` names is imported before `sys.argv` has its path.
    is_ours = sys.argv[0] == "-m" and before[-2:] == ["-m", "keras_pyconv"]
    return sys.argv[1:] if is_ours else None


words = words_of_command() if sys.argv else None
if words is not None:
    # TensorFlow reads them when it is first imported: fast grouped kernels,
    # and no lines about absent GPUs.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    importlib.import_module("keras_pyconv.commands").parse(words)
