"""The files that start TF Serving on a folder of models.

They stand above the models. A file that is there already is its owner's: a
model is only added to the list where it is missing.
"""

import functools
import os
import pathlib
import re

from keras_pyconv.export.serving.ledger import FILE as LEDGER
from keras_pyconv.export.serving.ledger import LOCK, add_entry, read_ledger
from keras_pyconv.export.serving.messages import message
from keras_pyconv.reading import explained, read_text
from keras_pyconv.writing import locked, write_atomically

MOUNTED = "/models"  # where the container has the folder
MODELS = "models.config"
BATCHING = "batching.config"
MONITORING = "monitoring.config"

# What the server does not read: strings, which hold anything, and comments.
_SILENT = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""")
_BATCHING = """\
# Requests that arrive within 2 ms are answered together, in one of the sizes
# below. Set num_batch_threads to the number of processor cores.
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: {threads} }}
{sizes}
"""
_MODEL = """\
  config {{
    name: "{name}"
    base_path: "{root}/{name}"
    model_platform: "tensorflow"
  }}
"""
_MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""


def _listed(text):
    """Names of the models in the text of `models.config`."""
    from google.protobuf import text_format

    config = message("ModelServerConfig")()
    # Whatever else its owner set is left to the server.
    text_format.Parse(
        text, config, allow_unknown_field=True, allow_unknown_extension=True
    )
    if not config.HasField("model_config_list"):
        raise ValueError("it has no list")
    return [model.name for model in config.model_config_list.config]


def _end_of_list(text):
    """The place of the bracket that ends the list of models."""
    blank = _SILENT.sub(lambda match: " " * len(match[0]), text)
    depth, begin = 0, blank.index("model_config_list")
    for place, letter in enumerate(blank[begin:], begin):
        depth += (letter in "{<[") - (letter in "}>]")
        if letter in "}>]" and depth == 0:
            return place
    raise ValueError("its list has no end")


def with_model(text, name, root=MOUNTED):
    """The text of a list of models with a model added, if it is not there.

    `root` is where the server has the folder of models.
    """
    if not _SILENT.sub("", text).strip():
        text = f"{text.rstrip()}\nmodel_config_list {{\n}}\n".lstrip("\n")
    what = f"{MODELS} holds no model_config_list that can be read, so that the "
    with explained(f"{what}model {name!r} cannot be added to it"):
        listed = _listed(text)
        if name in listed:
            return text
        end = _end_of_list(text)
        longer = text[:end] + _MODEL.format(name=name, root=root) + text[end:]
        if _listed(longer) != [*listed, name]:
            raise ValueError("it could not be extended")
    return longer


def batching(batch_sizes):
    """The text of the batching file for batches of these sizes."""
    sizes = sorted(set(batch_sizes))
    return _BATCHING.format(
        largest=sizes[-1],
        threads=os.cpu_count() or 1,
        sizes="\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
    )


def _models_text(folder):
    file = pathlib.Path(folder, MODELS)
    return read_text(file) if file.exists() else ""


def check_server_files(root, wanted=True):
    """Refuses folders whose files cannot be brought up to date.

    `wanted` says if the folder above `root` gets the ledger and the files.
    """
    root = pathlib.Path(os.path.abspath(root))
    folder = root.parent
    if (root / LEDGER).exists() or (root / MODELS).exists():
        raise ValueError(
            f"{root} is a folder of models. Pass a folder in it, named as the "
            f"model is on the server, such as {root / 'digits'}."
        )
    if not wanted:
        return
    if not re.fullmatch(r"[\w.-]+", root.name):
        raise ValueError(
            "The folder's name is the model's name, which may contain "
            f"letters, digits, '_', '.' and '-'. Received: {root.name!r}"
        )
    read_ledger(folder)
    with_model(_models_text(folder), root.name)
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"The ledger and the server's files go to {folder}, which is not "
            "writable. Pass server_files=False to write nothing there."
        )


def write_server_files(root, batch_sizes, entry, served_from=MOUNTED):
    """Updates the ledger and the server's files in the folder of models."""
    folder = pathlib.Path(os.path.abspath(root)).parent
    with locked(folder / LOCK):
        add_entry(folder, entry)
        write_missing(folder, [entry.name], batch_sizes, served_from)


def write_missing(folder, names, batch_sizes, served_from=MOUNTED):
    """Adds models to the list of a folder, and the files that it lacks."""
    folder, before = pathlib.Path(folder), _models_text(folder)
    add = functools.partial(with_model, root=served_from)
    after = functools.reduce(add, names, before)
    if after != before:
        write_atomically(folder / MODELS, after)
    texts = {BATCHING: batching(batch_sizes), MONITORING: _MONITORING}
    for file, text in texts.items():
        if not (folder / file).exists():
            write_atomically(folder / file, text)
