"""The files that start TF Serving on a folder of models.

They stand in the folder above the models, which the server's container sees
as `/models`. A file that is there already is its owner's: settings are left
as they are, and a model is only added to the list where it is missing.
"""

import os
import pathlib
import re

from keras_pyconv.export.ledger import FILE as LEDGER
from keras_pyconv.export.ledger import LOCK, add_entry, read_ledger
from keras_pyconv.writing import locked, write_atomically

MOUNTED = "/models"  # where the container has the folder
MODELS, BATCHING, MONITORING = (
    "models.config",
    "batching.config",
    "monitoring.config",
)
METRICS = "/monitoring/prometheus/metrics"

_MODEL = """\
  config {{
    name: "{name}"
    base_path: "{mounted}/{name}"
    model_platform: "tensorflow"
  }}
"""
_BATCHING = """\
# Requests that arrive within 2 ms are answered together, in one of the sizes
# below. Set num_batch_threads to the number of processor cores.
max_batch_size {{ value: {largest} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: {threads} }}
{sizes}
"""
_MONITORING = """\
prometheus_config {{
  enable: true
  path: "{path}"
}}
"""


def with_model(text, name):
    """A list of models with one more, where it is not in it.

    Args:
        text: of `models.config`; empty for a new one.
        name: of the model.

    Returns:
        The text; everything that stood there still does.

    Raises:
        ValueError: no list can be found in the text.
    """
    listed = re.findall(r"""\bname\s*:\s*["']([^"']*)["']""", text)
    if name in listed:
        return text
    text = text if text.strip() else "model_config_list {\n}\n"
    end = text.rstrip().rfind("}")
    if "model_config_list" not in text or end < 0:
        raise ValueError(
            f"{MODELS} holds no model_config_list, so that the model "
            f"{name!r} cannot be added to it."
        )
    return text[:end] + _MODEL.format(name=name, mounted=MOUNTED) + text[end:]


def batching(batch_sizes):
    """The text of the batching file for batches of these sizes.

    Args:
        batch_sizes: those that are warmed up.
    """
    sizes = sorted(set(batch_sizes))
    return _BATCHING.format(
        largest=sizes[-1],
        threads=os.cpu_count() or 1,
        sizes="\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
    )


def _models_text(folder):
    file = pathlib.Path(folder, MODELS)
    return file.read_text(encoding="utf-8") if file.exists() else ""


def refuse_folder_of_models(root):
    """Refuses the folder of models where that of one model is wanted.

    Args:
        root: the model's folder, as its user gives it.

    Raises:
        ValueError: other models stand in it.
    """
    root = pathlib.Path(root)
    if (root / LEDGER).exists() or (root / MODELS).exists():
        raise ValueError(
            f"{root} is a folder of models. Give one in it, which is named "
            f"as the model is in the server, such as {root / 'digits'}."
        )


def check_server_files(root, name):
    """Refuses a folder of models whose files cannot be brought up to date.

    Args:
        root: the model's folder.
        name: of the model.

    Raises:
        ValueError: a name that the server's addresses cannot hold, or a
            damaged ledger or list of models.
        PermissionError: the folder above `root` cannot be written.
    """
    folder = pathlib.Path(os.path.abspath(root)).parent
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(
            "The folder's name is the model's, which may hold letters, "
            f"digits, '_', '.' and '-'. Received: {name!r}"
        )
    read_ledger(folder)
    with_model(_models_text(folder), name)
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"The ledger and the server's files go to {folder}, which cannot "
            "be written. With server_files=False nothing is written there."
        )


def write_server_files(root, batch_sizes, entry):
    """Brings ledger and server's files in the folder of models up to date.

    Args:
        root: the model's folder.
        batch_sizes: those that are warmed up.
        entry: `Entry` of the version that was exported.
    """
    folder = pathlib.Path(os.path.abspath(root)).parent
    with locked(folder / LOCK):
        add_entry(folder, entry)
        before = _models_text(folder)
        after = with_model(before, entry.name)
        if after != before:
            write_atomically(folder / MODELS, after)
        others = {
            BATCHING: batching(batch_sizes),
            MONITORING: _MONITORING.format(path=METRICS),
        }
        for file, text in others.items():
            if not (folder / file).exists():
                write_atomically(folder / file, text)
