"""Reads PyTorch's two kinds of checkpoint, without PyTorch.

Since version 1.6 a checkpoint is a zip archive: `data.pkl` says which tensors
there are, and each storage is a member of raw numbers. Before, it was a chain
of pickles with the storages behind them; the authors' files are of that time.

A pickle is read first, into records of where each tensor's numbers stand,
which are compared with the bytes that are there. Numbers are read later, when
the names and shapes have been found to be the expected ones.
"""

import contextlib
import functools
import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from keras_pyconv.reading import one_line, plain, short
from keras_pyconv.weights.pickles import (
    MAX_BYTES,
    Machine,
    UnsafeError,
    check_key,
    inert,
)

__all__ = ["Tensor", "UnsafeError", "open_torch", "read_torch"]

# What a chain begins with: a number that PyTorch chose, and its version.
_HEADERS = (0x1950A86A20F9469CFC6C, 1001)
_ARCHIVE = b"PK\x03\x04"
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
# NumPy's own bound is 64; no kernel has more than five.
_MAX_AXES = 16
# Of a tensor without numbers, whose sizes nothing else bounds.
_MAX_SIZE = 1 << 31


@dataclass(frozen=True)
class Storage:
    """A run of numbers in a checkpoint.

    Attributes:
        key: by which the checkpoint names it.
        kind: of numbers, by PyTorch's name.
        count: of numbers.
    """

    key: str
    kind: str
    count: int

    @property
    def bytes(self) -> int:
        return self.count * np.dtype(_DTYPES[self.kind]).itemsize


@dataclass(frozen=True)
class Tensor:
    """A tensor of a checkpoint, whose numbers were not read yet.

    Attributes:
        storage: where they stand.
        offset: of the first one, in numbers.
        shape: its sizes.
        strides: from one number to the next along each axis, in numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """Of the array it becomes; bfloat16 becomes float32."""
        kind = self.storage.kind
        return np.dtype("f4" if kind == _BFLOAT16 else _DTYPES[kind])

    def view(self, numbers):
        """The array that it shows of its storage's numbers."""
        if 0 in self.shape:
            return np.empty(self.shape, self.dtype)
        steps = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, steps, writeable=False
        )


# What the names in a checkpoint stand for --------------------------------


def _sizes(values):
    values = _size(values)
    if len(values) > _MAX_AXES:
        raise ValueError(f"it holds a tensor with {len(values)} axes")
    return values


def _tensor(storage, offset, size, stride, *_):
    """The record of a tensor, all of which lies in its storage."""
    if not isinstance(storage, Storage):
        raise TypeError
    size, stride = _sizes(size), _sizes(stride)
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or any(
        type(number) is not int or number < 0 for number in numbers
    ):
        raise ValueError("it holds a tensor with sizes that are no counts")
    count = math.prod(size)
    if max(size, default=0) > _MAX_SIZE:
        raise ValueError(f"it holds a tensor of size {short(size)}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if count and (last >= storage.count or count > storage.count):
        raise ValueError(
            f"it holds a tensor of size {short(size)} that exceeds its storage"
        )
    return Tensor(storage, offset, size, stride)


def _parameter(data, *_):
    if not isinstance(data, Tensor):
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
    **{("torch", name): _no_function for name in _DTYPES},
    **{("torch", name): _no_function for name in _PRECISIONS.split()},
    ("torch", "bool"): _no_function,
}


class _Bounded:
    """A file that is asked for no more bytes than it has."""

    def __init__(self, file, size):
        self._file, self.left = file, size

    def read(self, count):
        if count > self.left:
            raise EOFError
        self.left -= count
        content = self._file.read(count)
        if len(content) != count:
            raise EOFError
        return content


class _Storages(dict):
    """The storages that a pickle names, by key.

    Args:
        left: Function that gives how many bytes there can be of them all.
        check: Function of a new storage, which refuses it where its own
            bytes are not there.
    """

    def __init__(self, left, check=inert):
        super().__init__()
        self._left, self._check, self._total = left, check, 0

    def add(self, pid):
        """The storage of a persistent id."""
        kind, storage, key, _, count, *view = (*pid, *[None] * (5 - len(pid)))
        name = getattr(storage, "name", None)
        known = kind == "storage" and name in _DTYPES
        if not (known and type(key) is str and type(count) is int):
            raise ValueError(_NO_CHECKPOINT)
        if count < 0 or any(part is not None for part in view):
            raise ValueError("it holds a storage that shows part of another")
        made = Storage(key, name, count)
        if key not in self:
            self._total += made.bytes
            if self._total > self._left():
                raise EOFError
            self._check(made)
        if self.setdefault(key, made) != made:
            raise ValueError(f"it says two things of its storage {short(key)}")
        return made


def _numbers(content, storage, order="<"):
    """Raw bytes as a flat array; bfloat16 becomes float32."""
    array = np.frombuffer(content, order + _DTYPES[storage.kind])
    if storage.kind == _BFLOAT16:
        return (array.astype("u4") << 16).view("f4")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


# Archives, since PyTorch 1.6 ------------------------------------------------


class Archive:
    """A zip archive that is asked for no more bytes than it has.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self._archive = zipfile.ZipFile(path)
        self.size = os.path.getsize(path)
        self.members = {}
        for info in self._archive.infolist():
            if info.filename in self.members:
                raise ValueError(f"it holds {short(info.filename)} twice")
            self.members[info.filename] = info

    def close(self):
        self._archive.close()

    def find(self, name):
        """What the archive says of a member, which is in the file whole."""
        info = self.members.get(name)
        if info is None:
            raise ValueError(f"it lacks {plain(name)}")
        if info.header_offset + info.compress_size > self.size:
            raise ValueError(SHORT)
        if info.flag_bits & 1:
            raise ValueError(f"{plain(name)} in it is encrypted")
        return info

    def stored(self, name):
        """`find`, for a member that is not compressed."""
        info = self.find(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(
                f"{plain(name)} in it is compressed, which PyTorch never is"
            )
        if info.compress_size != info.file_size:
            raise ValueError(f"{plain(name)} in it has two sizes")
        return info

    def read(self, name):
        """The bytes of a member that is not compressed."""
        info = self.stored(name)
        with self._archive.open(info) as stream:
            content = stream.read(info.file_size)
            # Here its checksum is compared.
            if stream.read(1) or len(content) != info.file_size:
                raise ValueError(f"{plain(name)} in it has another size")
        return content

    def open(self, info):
        return self._archive.open(info)


def _order(archive, root):
    """The order of bytes; PyTorch before 2.0 wrote none."""
    name = f"{root}byteorder"
    if name not in archive.members:
        return "<"
    return ">" if archive.read(name).strip() == b"big" else "<"


def _open_archive(archive):
    found = [name for name in archive.members if name.endswith("data.pkl")]
    if len(found) != 1:
        raise ValueError(_NO_CHECKPOINT)
    root = found[0].removesuffix("data.pkl")
    order = _order(archive, root)

    def check(storage):
        info = archive.stored(f"{root}data/{storage.key}")
        if info.file_size != storage.bytes:
            raise ValueError(
                f"{plain(info.filename)} in it has {info.file_size} bytes "
                f"instead of {storage.bytes}"
            )

    def load(storage):
        content = archive.read(f"{root}data/{storage.key}")
        return _numbers(content, storage, order)

    if not archive.read(f"{root}version").strip().isdigit():
        raise ValueError(_NO_CHECKPOINT)
    if archive.find(found[0]).file_size > MAX_BYTES:
        raise ValueError(f"its pickle has more than {MAX_BYTES:,} bytes")
    pickled = archive.read(found[0])
    file = _Bounded(io.BytesIO(pickled), len(pickled))
    storages = _Storages(lambda: archive.size, check)
    return Machine(file.read, _NAMES, storages.add).run(), load


# Chains of pickles, before --------------------------------------------------


def _is_chain(file):
    for header in _HEADERS:
        try:
            if Machine(file.read, _NAMES).run() != header:
                return False
        except UnsafeError:
            raise
        # Anything can be in a file that is none.
        except ValueError:
            return False
    return True


def _places(raw, file, storages, keys):
    """Where in the file the numbers of each storage begin."""
    places = {}
    for key in keys:
        storage = storages.get(key) if type(key) is str else None
        if storage is None or key in places:
            raise ValueError("its list of storages is not that of its tensors")
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError("a storage has another size than its tensors")
        if storage.bytes > file.left:
            raise EOFError
        places[key] = raw.tell()
        raw.seek(storage.bytes, os.SEEK_CUR)
        file.left -= storage.bytes
    if len(places) != len(storages):
        raise ValueError(SHORT)
    return places


def _open_chain(raw, size):
    file = _Bounded(raw, size)
    if not _is_chain(file):
        raise ValueError(_NO_CHECKPOINT)
    system = Machine(file.read, _NAMES).run()
    if not isinstance(system, dict):
        raise ValueError(_NO_CHECKPOINT)
    if system.get("little_endian", True) is not True:
        raise ValueError("its numbers are big-endian")

    storages = _Storages(lambda: file.left)
    content = Machine(file.read, _NAMES, storages.add).run()
    keys = Machine(file.read, _NAMES).run()
    if not isinstance(keys, (list, tuple)):
        raise ValueError(_NO_CHECKPOINT)
    places = _places(raw, file, storages, keys)

    def load(storage):
        raw.seek(places[storage.key])
        return _numbers(raw.read(storage.bytes), storage)

    return content, load


# Both -----------------------------------------------------------------------


@contextlib.contextmanager
def _one_error():
    """Whatever goes wrong in a file is a ValueError of one line."""
    try:
        yield
    except EOFError:
        raise ValueError(SHORT) from None
    except UnicodeDecodeError:
        raise ValueError("it holds text that is no UTF-8") from None
    except (ValueError, MemoryError):
        raise
    # The library of archives has many errors, and hostile files find all.
    except Exception as error:
        raise ValueError(f"it is damaged: {one_line(error)}") from error


@contextlib.contextmanager
def open_torch(path) -> Iterator[tuple]:
    """What a checkpoint of PyTorch holds, its numbers not yet read.

    Args:
        path: A file by `torch.save`, of the present kind or of that before
            version 1.6.

    Yields:
        The content, with a `Tensor` for every tensor; and a function from a
        `Tensor` to its array, while the file is open. Tensors of one storage
        become views of the same numbers.

    Raises:
        UnsafeError: if the file names Python objects other than tensors and
            plain containers.
        ValueError: if it is no such file or a damaged one; the message has
            one line.
    """
    with contextlib.ExitStack() as stack:
        with _one_error():
            raw = stack.enter_context(open(path, "rb"))
            begin = raw.read(len(_ARCHIVE))
            raw.seek(0)
            if begin == _ARCHIVE:
                if not zipfile.is_zipfile(path):
                    raise EOFError
                archive = stack.enter_context(contextlib.closing(Archive(path)))
                content, load = _open_archive(archive)
            else:
                content, load = _open_chain(raw, os.path.getsize(path))
        load = functools.cache(load)

        def read(tensor):
            with _one_error():
                return tensor.view(load(tensor.storage))

        yield content, read


def _filled(value, read, known):
    """`value` with arrays in the place of tensors; no deeper than a pickle."""
    if isinstance(value, Tensor):
        return read(value)
    if not isinstance(value, (dict, list, tuple)):
        return value
    # What stands in many places is filled once.
    if id(value) not in known:
        if isinstance(value, Mapping):
            made = {k: _filled(v, read, known) for k, v in value.items()}
        else:
            made = type(value)(_filled(v, read, known) for v in value)
        known[id(value)] = made
    return known[id(value)]


def read_torch(path):
    """What a checkpoint of PyTorch holds, its tensors as NumPy arrays.

    Args, raises: as `open_torch`. bfloat16 becomes float32.
    """
    with open_torch(path) as (content, read):
        return _filled(content, read, {})
