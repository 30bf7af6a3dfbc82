"""Reads PyTorch's two kinds of checkpoint, without PyTorch.

Since version 1.6 it is a zip archive: `data.pkl` says which tensors there are,
and each storage is a member. Before, as the authors' files, it was a chain of
pickles with the storages behind them.
"""

import contextlib
import functools
import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_pyconv.reading import plain, short
from keras_pyconv.weights.pickles import (
    MAX_BYTES,
    UnsafeError,
    check_key,
    inert,
    unpickle,
)
from keras_pyconv.weights.sources import SHORT, Archive, Stored, from_bfloat16

# What a chain begins with: a number that PyTorch chose, and its version.
_HEADERS = [0x1950A86A20F9469CFC6C, 1001]
_NO_CHECKPOINT = "it is no checkpoint of PyTorch"
_LONG = f"its pickle has more than {MAX_BYTES:,} bytes"
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
# NumPy's own bound is 64; no kernel has more than five.
_MAX_AXES = 16
# Of a tensor without numbers, whose sizes nothing else bounds.
_MAX_SIZE = 1 << 31


@dataclass(frozen=True)
class _Storage:
    """A run of numbers in a checkpoint, by PyTorch's name of their kind."""

    kind: str
    count: int
    read: Callable[[], bytes]
    order: str

    @property
    def size(self):
        """In bytes."""
        return self.count * np.dtype(_DTYPES[self.kind]).itemsize

    @property
    def dtype(self):
        """Of its numbers in NumPy; bfloat16 becomes float32."""
        return np.dtype("f4" if self.kind == _BFLOAT16 else _DTYPES[self.kind])

    @functools.cached_property
    def numbers(self):
        array = np.frombuffer(self.read(), self.order + _DTYPES[self.kind])
        if self.kind == _BFLOAT16:
            return from_bfloat16(array)
        return array.astype(self.dtype, copy=False)


# What the names in a checkpoint stand for --------------------------------


def _tensor(storage, offset, size, stride, *_):
    """A tensor that is still to be read; refuses one beyond its storage."""
    if not isinstance(storage, _Storage):
        raise TypeError
    size, stride = _size(size), _size(stride)
    if max(len(size), len(stride)) > _MAX_AXES:
        raise ValueError(f"it holds a tensor with {len(size)} axes")
    if len(size) != len(stride) or any(
        type(number) is not int or number < 0
        for number in (offset, *size, *stride)
    ):
        raise ValueError("it holds a tensor with sizes that are no counts")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    reaches = count and (last >= storage.count or count > storage.count)
    if reaches or max(size, default=0) > _MAX_SIZE:
        raise ValueError(
            f"it holds a tensor of size {short(size)} that exceeds its storage"
        )

    def read():
        if not count:
            return np.empty(size, storage.dtype)
        # Tensors of one storage are views of the same numbers.
        steps = [step * storage.dtype.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(
            storage.numbers[offset:], size, steps, writeable=False
        )

    return Stored(size, storage.dtype, read)


def _parameter(data, *_):
    if not isinstance(data, Stored):
        raise TypeError
    return data


def _dictionary(items=()):
    """An `OrderedDict` of pairs, as Python 2 wrote one, or a `Counter`."""
    if isinstance(items, dict):
        return dict(items)
    if not all(
        type(pair) in (list, tuple) and len(pair) == 2 for pair in items
    ):
        raise TypeError
    return {check_key(key): value for key, value in items}


def _size(sizes=()):
    if not isinstance(sizes, (tuple, list)):
        raise TypeError
    return tuple(sizes)


def _no_function(*_):
    raise TypeError


_PRECISIONS = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8"
# All that a checkpoint may name.
_NAMES = {
    ("collections", "OrderedDict"): _dictionary,
    ("collections", "Counter"): _dictionary,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _size,
    ("torch", "device"): inert,
    ("_codecs", "encode"): inert,
    ("numpy", "dtype"): inert,
    ("numpy.core.multiarray", "scalar"): inert,
    ("numpy._core.multiarray", "scalar"): inert,
    **{
        ("torch", name): _no_function
        for name in (*_DTYPES, *_PRECISIONS.split(), "bool")
    },
}


class _Storages(dict):
    """The storages that a pickle names, by key.

    All have `most` bytes together. `read` gives those of a key, and `check`
    takes a key and their number; `order` is that of the bytes of a number.
    """

    def __init__(self, most, read, check=inert, order="<"):
        super().__init__()
        self._left, self._read = most, read
        self._check, self._order = check, order

    def load(self, pid):
        """The storage of a persistent id."""
        given = (*pid, *[None] * (5 - len(pid)))
        kind, storage, key, _, count, *view = given
        name = getattr(storage, "name", None)
        known = kind == "storage" and name in _DTYPES
        if not (known and type(key) is str and type(count) is int):
            raise ValueError(_NO_CHECKPOINT)
        if count < 0 or any(part is not None for part in view):
            raise ValueError("it holds a storage that shows part of another")
        if key not in self:
            read = functools.partial(self._read, key)
            self[key] = made = _Storage(name, count, read, self._order)
            self._left -= made.size
            if self._left < 0:
                raise ValueError(SHORT)
            self._check(key, made.size)
        if (self[key].kind, self[key].count) != (name, count):
            raise ValueError(f"it says two things of its storage {short(key)}")
        return self[key]


# The two kinds ----------------------------------------------------------------


def _open_archive(archive):
    found = [name for name in archive.members if name.endswith("data.pkl")]
    if len(found) != 1:
        raise ValueError(_NO_CHECKPOINT)
    root = found[0].removesuffix("data.pkl")
    if not archive.read(f"{root}version").strip().isdigit():
        raise ValueError(_NO_CHECKPOINT)
    if archive.find(found[0]).file_size > MAX_BYTES:
        raise ValueError(_LONG)
    # PyTorch before 2.0 wrote none.
    named = f"{root}byteorder" in archive.members
    is_big = named and archive.read(f"{root}byteorder").strip() == b"big"

    def check(key, size):
        info = archive.stored(f"{root}data/{key}")
        if info.file_size != size:
            raise ValueError(
                f"{plain(info.filename)} in it has {info.file_size} bytes "
                f"instead of {size}"
            )

    def read(key):
        return archive.read(f"{root}data/{key}")

    storages = _Storages(archive.size, read, check, ">" if is_big else "<")
    pickled = io.BytesIO(archive.read(found[0]))
    return unpickle(pickled, _NAMES, storages.load)


def _begins_chain(pickled):
    try:
        return [unpickle(pickled, _NAMES) for _ in _HEADERS] == _HEADERS
    except UnsafeError:
        raise
    # Anything can be in a file that is none.
    except ValueError:
        return False


def _places(file, storages, keys):
    """The place in the file of the numbers of each storage."""
    places, size = {}, os.fstat(file.fileno()).st_size
    if not isinstance(keys, (list, tuple)):
        raise ValueError(_NO_CHECKPOINT)
    for key in keys:
        storage = storages.get(key) if type(key) is str else None
        if storage is None or key in places:
            raise ValueError("its list of storages is not that of its tensors")
        count = file.read(8)
        places[key] = file.tell()
        file.seek(storage.size, os.SEEK_CUR)
        if len(count) < 8 or file.tell() > size:
            raise ValueError(SHORT)
        if int.from_bytes(count, "little") != storage.count:
            raise ValueError("a storage has another size than its tensors")
    if len(places) != len(storages):
        raise ValueError(SHORT)
    return places


def _open_chain(file):
    pickled = io.BytesIO(file.read(MAX_BYTES))
    if not _begins_chain(pickled):
        raise ValueError(_NO_CHECKPOINT)
    system = unpickle(pickled, _NAMES)
    if not isinstance(system, dict):
        raise ValueError(_NO_CHECKPOINT)
    if system.get("little_endian", True) is not True:
        raise ValueError("its numbers are big-endian")
    places = {}

    def read(key):
        file.seek(places[key])
        return file.read(storages[key].size)

    storages = _Storages(os.fstat(file.fileno()).st_size, read)
    content = unpickle(pickled, _NAMES, storages.load)
    keys = unpickle(pickled, _NAMES)
    file.seek(pickled.tell())
    places.update(_places(file, storages, keys))
    return content


@contextlib.contextmanager
def open_torch(path):
    """What a checkpoint of PyTorch holds, a `Stored` for every tensor.

    Any other file is a ValueError; an `UnsafeError` if it names Python objects
    other than tensors and containers.
    """
    with open(path, "rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        if not is_archive:
            yield _open_chain(file)
            return
    with Archive(path) as archive:
        yield _open_archive(archive)
