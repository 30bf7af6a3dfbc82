"""A file of Keras that is damaged or hostile changes nothing of a model."""

import io
import random
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_pyconv.weights import load
from keras_pyconv.weights.keras_files import load_layers
from tests.weights import forked
from tests.weights.hostile import ESCAPES
from tests.weights.test_hostile_checkpoints import assert_sentence
from tests.weights.test_keras_files import mini

DENSE = "layers/dense/vars"
STEM = "layers/py_conv/vars"


@pytest.fixture(scope="module")
def source():
    return mini()


@pytest.fixture(scope="module")
def model():
    """The model that every file is refused for."""
    return mini()


@pytest.fixture
def path(source, tmp_path):
    source.save_weights(tmp_path / "w.weights.h5")
    return tmp_path / "w.weights.h5"


def replaced(place, make):
    """A change of a file: what `make` of the group and name puts there."""

    def change(file):
        group, name = place.rsplit("/", 1)
        array = np.array(file[place])
        del file[place]
        make(file[group], name, array)

    return change


def stored(dtype=None, change=lambda array: array, **options):
    """A dataset with other numbers, or stored in another way."""

    def make(group, name, array):
        data = np.asarray(change(array), dtype)
        group.create_dataset(name, data=data, **options)

    return make


def external(group, name, array):
    """Numbers in another file, which is there."""
    other = f"{group.file.filename}.raw"
    array.tofile(other)
    places = [(other, 0, array.nbytes)]
    group.create_dataset(name, array.shape, array.dtype, external=places)


def virtual(group, name, array):
    """Numbers that another file's dataset shows."""
    other = f"{group.file.filename}.other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = array
    layout = h5py.VirtualLayout(array.shape, array.dtype)
    layout[...] = h5py.VirtualSource(other, "x", array.shape)
    group.create_virtual_dataset(name, layout)


def external_link(group, name, array):
    other = f"{group.file.filename}.other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = array
    group[name] = h5py.ExternalLink(other, "/x")


def soft_link(group, name, array):
    group.file["elsewhere"] = array
    group[name] = h5py.SoftLink("/elsewhere")


def lost_link(group, name, array):
    group[name] = h5py.SoftLink("/lost")


def never_written(group, name, array):
    group.create_dataset(name, array.shape, "f4")


def huge(group, name, array):
    group.create_dataset(name, (10**6, 10**6), "f4")


def huge_chunks(group, name, array):
    group.create_dataset(
        name,
        array.shape,
        "f4",
        chunks=(1 << 14, 1 << 14),
        maxshape=(None, None),
        compression="gzip",
    )


def zeros(group, name, array):
    data = np.zeros((1 << 13, 1 << 13), "f4")
    chunks = {"chunks": (512, 512), "compression": "gzip"}
    group.create_dataset(name, data=data, **chunks)


def one(array, value):
    """The array with one other number."""
    array = array.astype(type(value))
    array.flat[0] = value
    return array


def named(value):
    def change(file):
        file[DENSE].attrs["name"] = value

    return change


def deep(file):
    group = file["layers"]
    for _ in range(100):
        group = group.create_group("x")


def in_itself(file):
    # No numbers of a model, and no way without an end either.
    file["layers/dense"]["again"] = file["layers"]
    file[f"{DENSE}/1"][...] = np.nan


def moved(file):
    file.move(DENSE, "layers/other")


KERNEL, BIAS = f"{DENSE}/0", f"{DENSE}/1"
CHANGES = {
    "numbers in another file": (replaced(KERNEL, external), "in another file"),
    "numbers of another file": (replaced(KERNEL, virtual), "in another file"),
    "a link to a file": (replaced(KERNEL, external_link), "is a link"),
    "a link": (replaced(KERNEL, soft_link), "is a link"),
    "a link to nothing": (replaced(KERNEL, lost_link), "is a link"),
    "a late NaN": (
        replaced(BIAS, stored(None, lambda a: one(a, np.nan))),
        "variable 1 of its layer 'predictions' holds NaN",
    ),
    "an early infinity": (
        replaced(f"{STEM}/0", stored("f4", lambda a: one(a, np.inf))),
        "variable 0 of its layer 'stem' holds NaN, infinity",
    ),
    "a number beyond float32": (
        replaced(BIAS, stored("f8", lambda a: one(a, 1e300))),
        "too large numbers",
    ),
    "complex numbers": (replaced(BIAS, stored("c8")), "no real numbers"),
    "text": (replaced(BIAS, stored("S4")), "no real numbers"),
    "records": (
        replaced(
            BIAS,
            stored(None, lambda a: np.zeros(4, [(ESCAPES.strip(), "f4")])),
        ),
        "no real numbers",
    ),
    "bytes": (replaced(BIAS, stored("V4", lambda a: a.view("V4"))), "no real"),
    "numbers that were never written": (
        replaced(KERNEL, never_written),
        "are not there",
    ),
    "4 TB that are not there": (replaced(KERNEL, huge), "are not there"),
    "chunks of 1 GB": (replaced(KERNEL, huge_chunks), "says it has"),
    "256 MB of zeros": (replaced(KERNEL, zeros), "says it has"),
    "another shape": (
        replaced(KERNEL, stored(None, lambda a: a.T)),
        "'predictions' has variables of shapes",
    ),
    "a scalar": (replaced(BIAS, stored(None, lambda a: a[0])), "shapes"),
    "nothing": (
        replaced(
            BIAS, lambda g, n, a: g.create_dataset(n, data=h5py.Empty("f4"))
        ),
        "shapes",
    ),
    "a group": (replaced(BIAS, lambda g, n, a: g.create_group(n)), "shapes"),
    "no bias": (replaced(BIAS, lambda g, n, a: None), "shapes"),
    "one more": (
        replaced(BIAS, lambda g, n, a: g.update({"1": a, "2": a})),
        "shapes",
    ),
    "no number": (
        replaced(BIAS, lambda g, n, a: g.update({f"x\x1b[2J{n}": a})),
        "no number of a variable",
    ),
    "a long number": (
        replaced(BIAS, lambda g, n, a: g.update({"1" * 5000: a})),
        "no number of a variable",
    ),
    "a name that is a number": (named(7), "a name that is none"),
    "a name of names": (named(["a", "b"]), "a name that is none"),
    "a name of 60 kB": (named("x" * 60_000), "a name that is none"),
    "another name": (named(f"x{ESCAPES}"), "holds no layer 'predictions'"),
    "no layer": (moved, "holds no layer 'predictions'"),
    "groups deep in each other": (deep, "more groups than a network has"),
    "a group in itself": (in_itself, "holds NaN"),
}


def weights(model):
    return [np.array(value) for value in model.get_weights()]


def assert_refused(model, path, words, load=load):
    before = weights(model)
    with pytest.raises(ValueError, match=words) as caught:
        load(model, path)
    assert_sentence(path, str(caught.value))
    for now, then in zip(weights(model), before):
        np.testing.assert_array_equal(now, then)


def by_layers(model, path):
    load_layers(model, [layer for layer in model.layers if layer.weights], path)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused_and_nothing_is_loaded(path, model, change):
    change, words = CHANGES[change]
    with h5py.File(path, "r+") as file:
        change(file)
    assert_refused(model, path, words)
    with pytest.raises(ValueError) as caught:
        by_layers(model, path)
    assert_sentence(path, str(caught.value))


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e300, 1e39])
def test_what_is_too_large_is_refused_in_every_kind(
    source, model, tmp_path, ending, value
):
    path = tmp_path / f"w{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(source, "save_weights" if "weights" in ending else "save")(path)
    content, place = path, "model_weights/predictions/predictions/bias"
    if ending == ".keras":
        with zipfile.ZipFile(path) as archive:
            content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r+") as file:
        place = BIAS if ending != ".h5" else _bias_of(file)
        replaced(place, stored("f8", lambda a: one(a, value)))(file)
    if ending == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model.weights.h5", content.getvalue())
    assert_refused(model, path, "holds NaN, infinity, or too large numbers")


def _bias_of(file):
    """Where a file of the older kind has the classifier's bias."""
    found = []
    file.visit(found.append)
    (place,) = [p for p in found if p.endswith("predictions/bias")]
    return place


def archived(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


ARCHIVES = {
    "without weights": (
        archived({"config.json": b"{}"}),
        "lacks model.weights",
    ),
    "with other weights": (
        archived({"model.weights.h5": b"PK"}),
        "cut short or damaged",
    ),
    "cut short": (
        archived({"model.weights.h5": b"x" * 999})[:-40],
        "no archive",
    ),
    "that swells": (
        archived({"model.weights.h5": bytes(10**8)}, zipfile.ZIP_DEFLATED),
        "swells to 100000000",
    ),
    "encrypted": (
        archived({"model.weights.h5": b"x"}).replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),
        "is encrypted",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_keras_that_is_none_is_refused(tmp_path, model, name):
    content, words = ARCHIVES[name]
    path = tmp_path / "w.keras"
    path.write_bytes(content)
    assert_refused(model, path, words)


def test_an_older_file_without_its_names_is_refused(source, model, tmp_path):
    path = tmp_path / "w.h5"
    source.save_weights(tmp_path / "w.weights.h5")
    (tmp_path / "w.weights.h5").rename(path)
    # It is of the present kind, under a name of the older one.
    assert_refused(model, path, "is refused")


def test_what_keras_refuses_later_is_refused_before(path, model, monkeypatch):
    def fail(*_):
        model.get_layer("stem").set_weights(
            [w * 0 for w in model.get_layer("stem").get_weights()]
        )
        raise RuntimeError("of another version\nof Keras")

    monkeypatch.setattr(keras.Model, "load_weights", fail)
    assert_refused(model, path, "of another version of Keras")


def test_a_layer_of_half_precision_takes_only_what_it_can_hold(tmp_path):
    path = tmp_path / "w.weights.h5"
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="d")]
    large = keras.Sequential(layers)
    large.layers[-1].bias.assign([7e4, 0])
    large.save_weights(path)
    narrow = keras.layers.Dense(2, name="d", dtype="float16")
    narrow = keras.Sequential([keras.Input((3,)), narrow])
    assert_refused(narrow, path, "too large numbers")


def read(path):
    """Whether a damaged file was read, or refused in words."""
    from keras_pyconv.weights import keras_files

    try:
        with keras_files._opened(path) as file:
            for one in keras_files._datasets(file):
                keras_files._values(one)
        return None
    except ValueError as error:
        return str(error)


def assert_damage_is_survived(source, folder, count):
    path = folder / "w.weights.h5"
    source.save_weights(path)
    whole, rng = path.read_bytes(), random.Random(3)

    def run():
        answers = []
        for _ in range(count):
            damaged = bytearray(whole)
            for _ in range(rng.choice([1, 3])):
                # The numbers are at the end; their place is in what precedes.
                place = int(len(whole) * rng.random() ** 2)
                damaged[place] = rng.choice([0, 255, rng.randrange(256)])
            path.write_bytes(damaged)
            answers.append(read(path))
        return answers

    ending = forked.outcome(run, seconds=300)
    assert ending[0] == "returned", ending
    for message in filter(None, ending[1]):
        assert_sentence(path, message)
    assert any(ending[1]) and not all(ending[1])


@forked.here
def test_damaged_bytes_are_survived(source, tmp_path):
    assert_damage_is_survived(source, tmp_path, 150)


@pytest.mark.ci
@forked.here
def test_damaged_bytes_of_many_kinds_are_survived(source, tmp_path):
    assert_damage_is_survived(source, tmp_path, 3000)


def patched_heap(content, changes):
    """A file with bytes of its heap of names changed, from its begin."""
    content = bytearray(content)
    begin = content.index(b"GCOL\x01")
    for offset, value in changes.items():
        content[begin + offset : begin + offset + len(value)] = value
    return bytes(content)


def patched_reference(content):
    """A file whose first layer says that its name has 4 GB."""
    content = bytearray(content)
    place = content.index(b"GCOL\x01").to_bytes(8, "little")
    attribute = content.index(b"name\0")
    begin = content.index(place, attribute)
    content[begin - 1] = 0xFF
    return bytes(content)


HEAPS = {
    # Each made HDF5 walk for ever, crash, or fill the memory.
    "an object of no size": lambda c: patched_heap(c, {16: bytes(16)}),
    "an object of 2 ** 64": lambda c: patched_heap(c, {24: b"\xff" * 8}),
    "an object of 2 ** 64 - 16": lambda c: patched_heap(
        c, {24: b"\xf0" + b"\xff" * 7}
    ),
    "a heap of other bytes too": lambda c: patched_heap(c, {8: b"\xff"}),
    "a name of 4 GB": patched_reference,
    "a heap in each heap": lambda c: (
        c + (b"GCOL\x01\0\0\0" + b"\x00\x08\0\0\0\0\0\0") * 10**4
    ),
}


@forked.here
@pytest.mark.parametrize("heap", HEAPS)
@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_a_damaged_heap_of_names_is_refused(source, tmp_path, heap, ending):
    path = tmp_path / "w.weights.h5"
    source.save_weights(path)
    content = HEAPS[heap](path.read_bytes())
    if ending == ".keras":
        content = archived({"model.weights.h5": content})
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    kind, message = forked.outcome(lambda: read(path))
    assert kind == "returned" and "it is damaged" in message
    assert_sentence(path, message)
