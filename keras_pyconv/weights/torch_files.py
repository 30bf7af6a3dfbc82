"""Reads a checkpoint of the authors' framework into NumPy arrays.

Each file is opened, so that names, shapes and kinds of numbers are known; then
checked; and only then read.
"""

import contextlib
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.reading import explained, one_line, short
from keras_pyconv.typing import PathLike
from keras_pyconv.weights.sources import (
    MAX_SWELLING,
    SHORT,
    Archive,
    Stored,
    verify,
)
from keras_pyconv.weights.torch_pickle import open_torch


def _given(array):
    """An array that is there already."""
    return Stored(array.shape, array.dtype, lambda: array)


# Archives of NumPy ------------------------------------------------------------

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST_HEADER = 4096
_PLAIN = "biufcSU"  # kinds of NumPy's dtypes that are no records or objects
_SMALL = 1 << 24


def _npy_header(stream):
    """(shape, order, dtype) of a member."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"it is of version {version[0]} of the format")
    try:
        found = _HEADERS[version](stream, max_header_size=_LONGEST_HEADER)
    except (MemoryError, RecursionError):
        raise ValueError("its header nests too deep") from None
    shape, is_fortran, dtype = found
    if dtype.hasobject:
        raise ValueError("it holds Python objects, and reading could run code")
    if dtype.kind not in _PLAIN:
        raise ValueError(f"it holds {short(dtype)}")
    return shape, "F" if is_fortran else "C", dtype


def _npy(archive, name):
    """A member of an archive, whose size must be that of its bytes."""
    info = archive.find(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is compressed in a way that NumPy does not write")
    with archive.open(info) as stream:
        shape, order, dtype = _npy_header(stream)
        used = stream.tell()
    size = math.prod(shape) * dtype.itemsize
    if info.file_size != used + size:
        raise ValueError(
            f"it has {info.file_size} bytes, and {used + size} by its header"
        )

    def read():
        with archive.open(info) as stream:
            stream.read(used)
            content = stream.read()
        if len(content) != size:
            raise ValueError(f"its member {short(name)} is cut short")
        return np.frombuffer(content, dtype).reshape(shape, order=order)

    return Stored(shape, dtype, read)


@contextlib.contextmanager
def _open_npz(path):
    with Archive(path) as archive:
        members, content = archive.members.values(), {}
        if sum(one.compress_size for one in members) > archive.size:
            raise ValueError(SHORT)
        size = sum(one.file_size for one in members)
        if size > max(_SMALL, MAX_SWELLING * archive.size):
            raise ValueError(f"its {archive.size} bytes swell to {size}")
        for name in archive.members:
            told = f"its member {short(name)} cannot be read"
            with explained(told, ValueError):
                array = _npy(archive, name)
            if content.setdefault(name.removesuffix(".npy"), array) != array:
                raise ValueError(f"it holds {short(name)} twice")
        yield content


# Safetensors ------------------------------------------------------------------

_SAFETENSORS = {
    **{f"F{size}": f"f{size // 8}" for size in (16, 32, 64)},
    **{f"I{size}": f"i{size // 8}" for size in (8, 16, 32, 64)},
    **{f"U{size}": f"u{size // 8}" for size in (8, 16, 32, 64)},
    "BF16": "f4",
    "BOOL": "?",
}


@contextlib.contextmanager
def _open_safetensors(path):
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise ImportError(
            f"Reading {path!r} needs safetensors, which is not installed: "
            "pip install safetensors"
        ) from error
    # It compares what its header says with the bytes that are there.
    with safe_open(path, "np") as file:
        content = {}
        for name in file.keys():
            entry = file.get_slice(name)
            kind = entry.get_dtype()
            if kind not in _SAFETENSORS:
                raise ValueError(f"its array {short(name)} holds {kind}")
            # bfloat16, which NumPy does not know by itself, becomes float32.
            dtype = np.dtype(_SAFETENSORS[kind])
            read = partial(_safetensor, file, name, dtype)
            content[name] = Stored(tuple(entry.get_shape()), dtype, read)
        yield content


def _safetensor(file, name, dtype):
    return file.get_tensor(name).astype(dtype, copy=False)


# All kinds --------------------------------------------------------------------


def _entry(name, value):
    """An entry of a file of PyTorch, which holds numbers beside tensors."""
    if isinstance(value, Stored):
        return value
    if type(value) not in (int, float, bool):
        raise ValueError(
            f"its entry {short(name)} is no tensor but {type(value).__name__}"
        )
    # Larger ones would become Python objects in an array.
    if not abs(value) < 2**63:
        raise ValueError(f"its entry {short(name)} holds {short(value)}")
    return _given(np.asarray(value))


OPENERS = {
    ".npz": _open_npz,
    ".safetensors": _open_safetensors,
    ".pth": open_torch,
    ".pt": open_torch,
    ".pth.tar": open_torch,
}
# Endings of what `read_arrays` reads.
TORCH_FILES = tuple(OPENERS)


def _opener(path):
    for suffix, opener in OPENERS.items():
        if path.lower().endswith(suffix):
            return opener
    raise ValueError(
        f"The name of a checkpoint must end in one of {', '.join(OPENERS)}. "
        f"Received: source={short(path)}"
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
    return one_line(error)


@contextlib.contextmanager
def _refused(path):
    """Turns any reader's error into one line."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path!r} is not a readable checkpoint: {_cause(path, error)}."
        ) from error


def _array(name, value):
    """`value` as a NumPy array; PyTorch's tensors are converted."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no bfloat16.
        value = value.float() if value.is_floating_point() else value
        value = value.numpy()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{short(name)} in the mapping is no array: {one_line(error)}."
        ) from None


def _unwrapped(content):
    """The state dict inside the wrappers that training scripts add."""
    if isinstance(content, Mapping) and "state_dict" in content:
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        kind = np.ndarray if isinstance(content, Stored) else type(content)
        raise ValueError(
            f"it holds no mapping from names to arrays but {kind.__name__}"
        )
    prefix, names = "module.", [str(name) for name in content]
    if all(name.startswith(prefix) for name in names):
        names = [name[len(prefix) :] for name in names]
    if len(set(names)) < len(names):
        raise ValueError("it holds two arrays of one name")
    return dict(zip(names, content.values()))


def read_arrays(
    source: PathLike | Mapping[str, Any],
    check: Callable[[Mapping[str, Any]], Any] | None = None,
) -> dict[str, np.ndarray]:
    """Arrays by name, from a mapping or from the path of a checkpoint.

    A wrapper `{"state_dict": ...}` and the prefix `module.` on every name,
    as training scripts leave them, are taken off. Where a `.sha256` stands
    beside the file, it must be the file's.

    Args:
        source: Mapping from names to arrays or tensors, or a path that ends
            in `.npz`, `.safetensors`, `.pth`, `.pt` or `.pth.tar`.
        check: Function of what has a `shape` and a `dtype` by name, which
            raises where the file is not the expected one, before a number is
            read; None takes any file.

    Raises:
        FileNotFoundError, OSError: no such file, a folder, a pipe or the like.
        ImportError: if the file needs a package that is not installed.
        ValueError: if it is no checkpoint; the message gives the cause.
    """
    arguments.function("check", check, optional=True)
    if isinstance(source, Mapping):
        try:
            content = _unwrapped(source)
        except ValueError as error:
            raise ValueError(f"The mapping cannot be taken: {error}.") from None
        content = {n: _given(_array(n, value)) for n, value in content.items()}
        return _read(content, check, contextlib.nullcontext)
    path = os.fspath(arguments.path("source", source))
    opener = _opener(path)
    arguments.file("source", path)
    verify(path)
    refused = partial(_refused, path)
    with contextlib.ExitStack() as stack:
        with refused():
            content = _unwrapped(stack.enter_context(opener(path)))
            content = {n: _entry(n, value) for n, value in content.items()}
        return _read(content, check, refused)


def _read(content, check, refused):
    if check is not None:
        check(content)
    with refused():
        return {name: stored.read() for name, stored in content.items()}
