"""Where the process is ours, what comes before Keras and TensorFlow load.

Of the command the words are read: loading takes seconds, of which `--help`, a
mistake and what records answer need none. Of the command and of a recipe logs
are diverted.
"""

import contextlib
import importlib
import os
import pathlib
import sys
import types


def _module():
    """What `python -m` names, or the empty text."""
    before = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv[1:])]
    return before[-1] if before[-2:-1] == ["-m"] else ""


def words_of_command():
    """The words of `keras-pyconv WORDS`, or None in any other process."""
    if pathlib.Path(sys.argv[0]).stem == "keras-pyconv":
        return sys.argv[1:]
    # What `-m` names is imported before `sys.argv` has its path.
    is_ours = sys.argv[0] == "-m" and _module() == "keras_pyconv"
    return sys.argv[1:] if is_ours else None


def is_recipe():
    """Whether the process is `python -m recipes.NAME`."""
    return _module().removeprefix("keras_pyconv.").startswith("recipes.")


@contextlib.contextmanager
def records_alone():
    """Files of these parts load without their `__init__`, which loads Keras."""
    names = []
    for part in ("weights", "export"):
        module = types.ModuleType(f"keras_pyconv.{part}")
        module.__path__ = [str(pathlib.Path(__file__).with_name(part))]
        sys.modules[module.__name__] = module
        names.append(module.__name__)
    yield
    for name in list(sys.modules):
        if name.startswith(tuple(names)):
            del sys.modules[name]


words = words_of_command() if sys.argv else None
if words is not None:
    # TensorFlow reads them when it is first imported: fast grouped kernels,
    # and no lines about absent GPUs.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with records_alone():
        commands = importlib.import_module("keras_pyconv.commands")
        options = commands.parse(words)
        if getattr(options, "reads_records", False):
            sys.exit(commands.answer(options))
if sys.argv and (words is not None or is_recipe()):
    importlib.import_module("keras_pyconv.diverted").divert()
