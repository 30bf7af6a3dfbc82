"""Keras's own files of weights: read and checked, then loaded.

Everything in the file is found to be finite real numbers, which stand in the
file itself, before the model is touched. It numbers its layers by their kind,
`conv2d_7`; the names that we know are attributes of the groups.
"""

import contextlib
import io
import itertools
import math
import mmap
import os
from typing import NamedTuple

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.reading import check_file, plain, short
from keras_pyconv.typing import PathLike
from keras_pyconv.weights import sources

ENDINGS = (".weights.h5", ".keras", ".h5", ".hdf5")
_IN_ARCHIVE = "model.weights.h5"
# Networks in networks, each with its layers, are a few groups deep.
_MAX_DEPTH = 32
_MAX_ATTRIBUTES = 100_000
_LONGEST_NAME = 1024
# Bytes of a small chunk; a larger one is no larger than its dataset.
_SMALL = 1 << 20


def load_keras_weights(model: keras.Model, path) -> keras.Model:
    """`model.load_weights`, after a look at all that the file holds.

    The model is made of layers, none of which is a model itself.
    """
    arguments.model("model", model)
    with _opened(arguments.file("path", path)) as file:
        datasets = _datasets(file)
        _check_layers(model, _shapes(datasets))
        largest = _largest(model)
        for one in datasets:
            _values(one, largest)
    with _unchanged_on_error(model), sources.refused(path):
        model.load_weights(os.fspath(path))
    return model


def layer_shapes(path):
    """The shapes of each layer's variables in a file, by the layer's name."""
    with _opened(path) as file:
        return _shapes(_datasets(file))


def load_layers(model, layers, path):
    """Loads some layers from a file of any network that has their names."""
    own = own_shapes(layers)
    found = {name: [] for name in own}
    with _opened(path) as file:
        datasets = [one for one in _datasets(file) if one.layer in own]
        held = _shapes(datasets)
        wrong = [name for name in own if held.get(name) != own[name]]
        if wrong:
            raise ValueError(
                f"it is of another network; {len(wrong)} layers are not in "
                f"it. Missing or of other shapes: {', '.join(wrong[:20])}"
            )
        for one in datasets:
            found[one.layer].append(_values(one))
    for layer in layers:
        layer.set_weights(found.get(layer.name, []))
    return model


def save_keras_weights(model: keras.Model, path: PathLike) -> None:
    """`model.save_weights`, whole or not at all, with a `.sha256` beside it.

    Args:
        model: whose weights to write.
        path: of the file, ending in `.weights.h5`.
    """
    arguments.instance("model", model, keras.Model)
    arguments.check("model", model, model.built, "a model that is built")
    file = arguments.new_file("path", path, anywhere=True)
    good = str(file).endswith(".weights.h5")
    rule = "a file whose name ends in .weights.h5"
    arguments.check("path", path, good, rule)
    with sources.replacing_with_checksum(path) as beside:
        model.save_weights(beside)


# Opening ----------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path):
    """The HDF5 file, which in a `.keras` file is a member of an archive."""
    import h5py

    name = check_file(path)
    sources.verify(name)
    with sources.refused(name):
        if name.endswith(".keras"):
            content = _member(name)
            _check_heaps(content)
            source = io.BytesIO(content)
        else:
            source = _hdf5(name)
        with h5py.File(source, "r") as file:
            yield file


def _member(name):
    with sources.Archive(name) as archive:
        info = archive.find(_IN_ARCHIVE)
        if info.file_size > sources.MAX_SWELLING * archive.size:
            raise ValueError(f"{_IN_ARCHIVE} in it swells to {info.file_size}")
        with archive.open(info) as stream:
            return stream.read()


def _hdf5(name):
    import h5py

    with open(name, "rb") as file:
        begin, endings = file.read(12), ", ".join(ENDINGS)
        if not h5py.is_hdf5(name):
            raise ValueError(
                f"it is no HDF5 file, for it begins with {begin!r}"
            )
        if not name.endswith(ENDINGS):
            told = f"the name of a file of Keras must end in one of {endings}"
            raise ValueError(told)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _check_heaps(content)
    return name


# Heaps of text ----------------------------------------------------------------

# HDF5 (seen in 1.14.6) walks a damaged heap for ever, and takes as much memory
# as a reference into one says. So both are looked at before it is.
_HEAP = b"GCOL\x01"
_HEAP_HEADER = 16
_WORD = 1 << 64
_ATTRIBUTES = (b"name\0", b"dtype\0")
_PART = 1 << 24
# Bytes between the name of an attribute and its reference.
_NEAR = 96


def _number(content, place, size):
    return int.from_bytes(content[place : place + size], "little")


def _places(content, needle):
    """The places of some bytes; part by part, for `mmap.find` is slow."""
    for begin in range(0, len(content), _PART):
        part = content[begin : begin + _PART + len(needle) - 1]
        place = part.find(needle)
        while place >= 0:
            yield begin + place
            place = part.find(needle, place + 1)


def _check_heaps(content):
    """Refuses heaps and references that would make HDF5 hang or crash."""
    heaps, steps = {}, 0
    for begin in _places(content, _HEAP):
        # As a reference has it.
        heap = heaps[begin.to_bytes(8, "little")] = _heap(content, begin)
        # Whole heaps have no part in common.
        steps += 1 + len(heap)
        if steps > 1000 + len(content) // _HEAP_HEADER:
            raise ValueError("it is damaged: its heaps of text overlap")
    attributes = (_places(content, name) for name in _ATTRIBUTES)
    for count, begin in enumerate(itertools.chain(*attributes)):
        if count > _MAX_ATTRIBUTES:
            raise ValueError("it has more attributes than a network has layers")
        for place in range(begin, begin + _NEAR):
            heap = heaps.get(content[place + 4 : place + 12], {})
            there = heap.get(_number(content, place + 12, 4), math.inf)
            if _number(content, place, 4) > there:
                raise ValueError(
                    "it is damaged: a text in it is shorter than said"
                )


def _heap(content, begin):
    """The sizes of a heap's objects by number, walked as HDF5 does."""
    found, place = {}, begin + _HEAP_HEADER
    end = begin + _number(content, begin + 8, 8)
    if end > len(content):
        # HDF5 refuses it.
        return found
    while place + _HEAP_HEADER <= end:
        index = _number(content, place, 2)
        size = step = _number(content, place + 8, 8)
        # Only free space, which has the number 0, counts its own header. Sums
        # wrap, as they do there.
        if index:
            step = (_HEAP_HEADER + (size + 7) % _WORD // 8 * 8) % _WORD
            found[index] = size
        if step < _HEAP_HEADER or place + step > end:
            raise ValueError("it is damaged: a heap of text in it has no end")
        place += step
    return found


# What is in a file ------------------------------------------------------------


class _Dataset(NamedTuple):
    """A dataset of a file, and the layer whose variable it is."""

    place: str
    layer: str | None
    number: int
    content: object


def _datasets(file):
    """All datasets, in the order of their layers' variables."""
    import h5py

    # Errors do not come through the visits of HDF5.
    problem = file.visititems_links(_wrong_link)
    if problem:
        raise ValueError(problem)
    items, found, layers = [], [], {}
    file.visititems(lambda *item: items.append(item))
    for place, item in items:
        group, _, name = place.rpartition("/")
        if isinstance(item, h5py.Group) and name == "vars":
            layers[place] = _layer_name(item)
        if isinstance(item, h5py.Dataset):
            layer = layers.get(group)
            number = 0 if layer is None else _variable_number(name, place)
            found.append(_Dataset(f"/{place}", layer, number, item))
            _check_storage(f"/{place}", item)
    return sorted(found, key=lambda one: one.number)


def _wrong_link(place, link):
    import h5py

    if place.count("/") > _MAX_DEPTH:
        return "it holds more groups than a network has"
    if not isinstance(link, h5py.HardLink):
        return f"{short(place)} in it is a link to somewhere else"
    return None


def _layer_name(group):
    """The name that Keras wrote for a layer, or None."""
    if "name" not in group.attrs:
        return None
    name = _text(group.attrs, "name")
    if name is None:
        raise ValueError(f"{short(group.name)} in it has a name that is none")
    return name


def _text(attributes, name):
    """A short text attribute, or None for anything else."""
    import h5py

    # HDF5 crashes on reading some that are no text.
    attribute = attributes.get_id(name)
    text = isinstance(attribute.get_type(), h5py.h5t.TypeStringID)
    if not text or attribute.shape != ():
        return None
    if attribute.get_storage_size() > _LONGEST_NAME:
        return None
    found = attributes[name]
    is_short = isinstance(found, str) and len(found) <= _LONGEST_NAME
    return found if is_short else None


def _variable_number(name, place):
    if not (name.isascii() and name.isdigit() and len(name) < 9):
        raise ValueError(f"{short(place)} in it is no number of a variable")
    return int(name)


def _check_storage(place, dataset):
    """Refuses numbers in other files, and sizes that the file does not have."""
    place = short(place)
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the numbers of {place} are in another file")
    kind = plain(dataset.dtype)
    if dataset.dtype.kind not in sources.REAL and not _is_bfloat16(dataset):
        raise ValueError(f"{place} holds no real numbers but {kind}")
    size = math.prod(dataset.shape or (0,)) * dataset.dtype.itemsize
    there = dataset.id.get_storage_size()
    whole = dataset.file.id.get_filesize()
    told = f"{place} says it has {size} bytes"
    if dataset.chunks:
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize
        swells = size > sources.MAX_SWELLING * there or there > whole
        if swells or chunk > max(size, _SMALL):
            raise ValueError(f"{told}; {there} are there")
        return
    offset = dataset.id.get_offset() or 0
    if dataset.shape is not None and (there < size or offset + there > whole):
        raise ValueError(f"{told}, which are not there")


def _is_bfloat16(dataset):
    """Whether it holds the bits of bfloat16, as Keras writes it."""
    bits = dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2
    if not bits or dataset.dtype.names or "dtype" not in dataset.attrs:
        return False
    return _text(dataset.attrs, "dtype") == "bfloat16"


def _values(one, largest=np.finfo("float32").max):
    """The numbers of a dataset, all of them finite."""
    array = np.asarray(one.content[()])
    if array.dtype.kind == "V":
        array = sources.from_bfloat16(array.view("u2"))
    if not sources.is_finite(array, largest):
        where = f"variable {one.number} of its layer {short(one.layer)}"
        where = short(one.place) if one.layer is None else where
        raise ValueError(f"{where} holds NaN, infinity, or too large numbers")
    return array


def _shapes(datasets):
    """The shapes of each layer's variables by the layer's name."""
    found = {}
    for one in datasets:
        if one.layer is not None:
            found.setdefault(one.layer, []).append(one.content.shape)
    return found


# The model --------------------------------------------------------------------


def _check_layers(model, held):
    """Refuses a file of another network than the model."""
    own = own_shapes(x for x in model.layers if not hasattr(x, "layers"))
    if not held:
        # Keras alone knows what is in files without such names.
        return
    if not set(own) & set(held):
        raise ValueError(f"it holds no layer of {model.name!r}")
    for name, shapes in own.items():
        if name not in held:
            raise ValueError(
                f"it holds no layer {name!r}, which {model.name!r} has"
            )
        if held[name] != shapes:
            raise ValueError(
                f"its layer {name!r} has variables of shapes "
                f"{_short(held[name])}; in {model.name!r} they are "
                f"{_short(shapes)}. With part='backbone' "
                "`keras_pyconv.weights.load` takes over all but the classifier"
            )


def own_shapes(layers):
    """The shapes of each layer's variables, if it has any, by its name."""
    return {
        layer.name: [tuple(variable.shape) for variable in layer.weights]
        for layer in layers
        if layer.weights
    }


def _short(shapes):
    listed = ", ".join(map(short, shapes[:9]))
    return f"[{listed}{', ...' if shapes[9:] else ''}]"


def _largest(model):
    """The largest number that all of the model's variables can hold."""
    kinds = {keras.backend.standardize_dtype(v.dtype) for v in model.weights}
    narrowest = "float16" if "float16" in kinds else "float32"
    return float(np.finfo(narrowest).max)


@contextlib.contextmanager
def _unchanged_on_error(model):
    variables = list(model.variables)
    if getattr(model, "optimizer", None) is not None:
        variables += model.optimizer.variables
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    try:
        yield
    except BaseException:
        for variable, value in zip(variables, before):
            variable.assign(value)
        raise
