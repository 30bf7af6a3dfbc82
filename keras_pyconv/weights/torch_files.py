"""Reads a checkpoint of the authors' framework into NumPy arrays.

Three kinds of file: `.npz` and `.safetensors`, which hold arrays and nothing
else, and `.pth` / `.pt`, which are pickles.

The fact a reader would get wrong: unpickling runs code. Here a pickle is read
by `torch_pickle` alone, which knows tensors and plain containers, refuses
everything else, and does without PyTorch.
"""

import os
import zipfile
from collections.abc import Mapping

import numpy as np

from keras_pyconv.weights.torch_pickle import SHORT, read_torch


def _import_or_explain(module, package, path):
    try:
        return __import__(module, fromlist=["_"])
    except ImportError as error:
        raise ImportError(
            f"Reading {path!r} needs {package}, which is not installed: "
            f"pip install {package}"
        ) from error


def _read_npz(path):
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no archive of arrays")
    with np.load(path, allow_pickle=False) as archive:
        content = {name: archive[name] for name in archive.files}
    for name, array in content.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its member {name!r} is no array")
    return content


def _read_safetensors(path):
    module = _import_or_explain("safetensors.numpy", "safetensors", path)
    return module.load_file(path)


READERS = {
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pth": read_torch,
    ".pt": read_torch,
    ".pth.tar": read_torch,
}


def _reader(path):
    for suffix, reader in READERS.items():
        if path.lower().endswith(suffix):
            return reader
    raise ValueError(
        f"The name of a checkpoint must end in one of {', '.join(READERS)}. "
        f"Received: {path!r}"
    )


def _cause(path, error):
    """One line on why a file could not be read."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        return "the file is empty"
    if head.lstrip()[:1] == b"<":
        return "it is a web page; the download gave no checkpoint"
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return SHORT
    first = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return first[0]


def _array(value):
    """`value` as a NumPy array; PyTorch's tensors are converted."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no bfloat16.
        value = value.float() if value.is_floating_point() else value
        value = value.numpy()
    return np.asarray(value)


def _unwrapped(content, origin):
    """The state dict inside the wrappers that training scripts add."""
    if isinstance(content, Mapping) and "state_dict" in content:
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{origin} holds no mapping from names to arrays but "
            f"{type(content).__name__}."
        )
    prefix = "module."
    if content and all(str(name).startswith(prefix) for name in content):
        content = {str(k)[len(prefix) :]: v for k, v in content.items()}
    return content


def read_arrays(source) -> dict[str, np.ndarray]:
    """Arrays by name, from a mapping or from the path of a checkpoint.

    A wrapper `{"state_dict": ...}` and the prefix `module.` on every name,
    as training scripts leave them, are taken off.

    Args:
        source: Mapping from names to arrays or tensors, or a path that ends
            in `.npz`, `.safetensors`, `.pth`, `.pt` or `.pth.tar`.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the file needs a package that is not installed.
        ValueError: if it is no checkpoint; the message gives the cause.
    """
    origin = "The mapping"
    if not isinstance(source, Mapping):
        path = origin = os.fspath(source)
        reader = _reader(path)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"There is no file {path!r}.")
        try:
            source = reader(path)
        except (ImportError, MemoryError):
            raise
        # Each reader has errors of its own; the user needs one line.
        except Exception as error:
            raise ValueError(
                f"{path!r} is not a readable checkpoint: {_cause(path, error)}."
            ) from error
    content = _unwrapped(source, origin)
    return {str(name): _array(value) for name, value in content.items()}
