"""Reads PyTorch's two kinds of checkpoint, without PyTorch.

Since version 1.6 a checkpoint is a zip archive: `data.pkl` says which tensors
there are, and each storage is a member of raw numbers. Before, it was a chain
of pickles with the storages behind them; the authors' files are of that time.

The fact a reader would get wrong: a pickle is a program that calls what it
names. Here a name stands for one of the few inert things in `_NAMES`, and any
other ends the reading, so that nothing of the file's choosing can be called.
"""

import io
import os
import pickle
import zipfile

import numpy as np

# What a chain begins with: a number that PyTorch chose, and its version.
_HEADERS = (0x1950A86A20F9469CFC6C, 1001)
_NO_CHECKPOINT = "it is no checkpoint of PyTorch"
SHORT = "it is cut short"
# Storages by PyTorch's names; NumPy has no bfloat16, and reads its bits.
_BFLOAT16 = "BFloat16Storage"
_DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    _BFLOAT16: "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class UnsafeError(ValueError):
    """A file that names something other than tensors and plain containers."""


class _Dictionary(dict):
    """An `OrderedDict` of the file; attributes set on it are dropped."""

    def __setstate__(self, state):
        pass


class _Ignored:
    """Stands for what a checkpoint may hold and nobody here reads."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


def _tensor(storage, offset, size, stride, *_):
    """The array that a tensor shows of its storage."""
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(
        type(number) is not int or number < 0 for number in numbers
    ):
        raise ValueError(f"a tensor has size {size} and stride {stride}")
    count = 1
    for side in size:
        count *= side
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if count and (last >= len(storage) or count > len(storage)):
        raise ValueError(f"a tensor of size {size} exceeds its storage")
    if not count:
        return np.empty(size, storage.dtype)
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(
        storage[offset:], size, steps, writeable=False
    )


def _parameter(data, *_):
    return data


# All that a checkpoint may name; what is not needed becomes `_Ignored`.
_NAMES = {
    ("collections", "OrderedDict"): _Dictionary,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("torch", "device"): _Ignored,
    ("_codecs", "encode"): _Ignored,
    ("numpy", "dtype"): _Ignored,
    ("numpy.core.multiarray", "scalar"): _Ignored,
    ("numpy._core.multiarray", "scalar"): _Ignored,
}


class _Bounded:
    """A file that is asked for no more bytes than it has."""

    def __init__(self, file):
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.readline = file.readline

    def read(self, count):
        if count > self._size - self._file.tell():
            raise EOFError
        return self._file.read(count)


# Written in Python, this unpickler keeps its memo in a dict. That in C makes
# a list, as long as the largest number that the file chooses.
class _Reader(pickle._Unpickler):
    """Unpickles with the names of `_NAMES` and no others.

    Args:
        file: Where the pickle begins.
        load: Function `(key, name of the kind, count)` to a flat array.
    """

    def __init__(self, file, load=None):
        super().__init__(file, encoding="utf-8")
        self._load = load

    def find_class(self, module, name):
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) not in _NAMES:
            raise UnsafeError(
                f"it holds the Python object {module}.{name} beside tensors, "
                "and loading that could run code; save `model.state_dict()` "
                "instead"
            )
        return _NAMES[module, name]

    def persistent_load(self, pid):
        kind, storage, key, _, count, *view = pid
        known = kind == "storage" and storage in _DTYPES
        if not known or type(count) is not int or count < 0:
            raise ValueError(_NO_CHECKPOINT)
        if self._load is None or any(view):
            raise ValueError("it holds a storage that shows part of another")
        return self._load(str(key), storage, count)


def _numbers(content, storage, order="<"):
    """Raw bytes as a flat array; bfloat16 becomes float32."""
    array = np.frombuffer(content, order + _DTYPES[storage])
    if storage == _BFLOAT16:
        return (array.astype("u4") << 16).view("f4")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


# Archives, since PyTorch 1.6 ------------------------------------------------


def _member(archive, name, size=None):
    """The bytes of a member, which must be stored as it is."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it lacks {name}") from None
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is compressed, which PyTorch never is")
    if size is not None and info.file_size != size:
        raise ValueError(
            f"{name} in it has {info.file_size} bytes instead of {size}"
        )
    return archive.read(info)


def _read_archive(path):
    with zipfile.ZipFile(path) as archive:
        found = [n for n in archive.namelist() if n.endswith("data.pkl")]
        if len(found) != 1:
            raise ValueError(_NO_CHECKPOINT)
        root = found[0].removesuffix("data.pkl")
        order = "<"
        if f"{root}byteorder" in archive.namelist():
            big = _member(archive, f"{root}byteorder").strip() == b"big"
            order = ">" if big else "<"
        storages = {}

        def load(key, storage, count):
            if key not in storages:
                size = count * np.dtype(_DTYPES[storage]).itemsize
                content = _member(archive, f"{root}data/{key}", size)
                storages[key] = _numbers(content, storage, order)
            return storages[key]

        file = io.BytesIO(_member(archive, found[0]))
        return _Reader(_Bounded(file), load).load()


# Chains of pickles, before --------------------------------------------------


def _fill(file, array, storage):
    """Reads the numbers of one storage, which stand behind the pickles."""
    if int.from_bytes(file.read(8), "little") != len(array):
        raise ValueError("a storage has another size than its tensors")
    size = len(array) * np.dtype(_DTYPES[storage]).itemsize
    array[:] = _numbers(file.read(size), storage)


def _is_chain(file):
    try:
        return (_Reader(file).load(), _Reader(file).load()) == _HEADERS
    except (UnsafeError, EOFError):
        raise
    # Anything can be in the file, and pickle fails in as many ways.
    except Exception:
        return False


def _read_chain(path):
    limit = os.path.getsize(path)
    storages = {}

    def load(key, storage, count):
        if key not in storages:
            size = count * np.dtype(_DTYPES[storage]).itemsize
            if size > limit:
                raise EOFError
            kind = "f4" if storage == _BFLOAT16 else _DTYPES[storage]
            # Tensors are views of it, so that it can be filled later.
            storages[key] = np.zeros(count, kind), storage
        return storages[key][0]

    with open(path, "rb") as raw:
        file = _Bounded(raw)
        if not _is_chain(file):
            raise ValueError(_NO_CHECKPOINT)
        if not _Reader(file).load().get("little_endian", True):
            raise ValueError("its numbers are big-endian")
        content = _Reader(file, load).load()
        for key in _Reader(file).load():
            _fill(file, *storages[str(key)])
    return content


def read_torch(path):
    """What a checkpoint of PyTorch holds, its tensors as NumPy arrays.

    Args:
        path: A file by `torch.save`, of the present kind or of that before
            version 1.6. bfloat16 becomes float32.

    Raises:
        UnsafeError: if the file names Python objects other than tensors and
            plain containers.
        ValueError: if it is no such file or a damaged one; the message has
            one line.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        return _read_chain(path)
    except EOFError:
        raise ValueError(SHORT) from None
    except pickle.UnpicklingError as error:
        cut = "truncated" in str(error) or "exhausted" in str(error)
        raise ValueError(SHORT if cut else _NO_CHECKPOINT) from None
