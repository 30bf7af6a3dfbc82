"""Weights of other file systems are read as strictly as those of this one."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv import storage, weights
from tests.elsewhere import copied

tf = pytest.importorskip("tensorflow")


def build(**options):
    return keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=3, input_shape=(32, 32, 3), **options
    )


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return build()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """The model's files, here and elsewhere."""
    here = tmp_path_factory.mktemp("weights")
    weights.save_keras_weights(model, here / "a.weights.h5")
    model.save(here / "a.keras")
    return copied(here)


def assert_equal(one, other):
    for mine, wanted in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.keras"])
def test_each_kind_of_file_loads_from_elsewhere(model, folder, name):
    other = weights.load(build(), f"{folder}/{name}")
    assert_equal(other, model)


def test_a_builder_takes_them_and_a_backbone_too(model, folder):
    path = f"{folder}/a.weights.h5"
    assert_equal(build(weights=path), model)
    weights.load(build(), path, part="backbone")


def test_what_is_saved_elsewhere_has_its_checksum_beside_it(model, folder):
    path = f"{folder}/new/b.weights.h5"
    weights.save_keras_weights(model, path)
    assert sorted(tf.io.gfile.listdir(f"{folder}/new")) == [
        "b.weights.h5",
        "b.weights.h5.sha256",
    ]
    assert_equal(weights.load(build(), path), model)


@pytest.mark.parametrize(
    "content, said",
    [(b"no weights", "is damaged"), (None, "no such file|nothing")],
)
def test_errors_name_the_file_and_not_its_copy(model, folder, content, said):
    path = f"{folder}/{'bad' if content else 'gone'}.weights.h5"
    if content:
        weights.save_keras_weights(model, path)
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content)
    for load in (
        lambda: weights.load(model, path),
        lambda: build(weights=path),
    ):
        with pytest.raises((ValueError, OSError), match=said) as caught:
            load()
        told = str(caught.value)
        assert repr(path) in told and "\n" not in told and "/tmp" not in told


def test_a_broken_copy_leaves_the_old_file(model, folder, monkeypatch):
    path = f"{folder}/kept.weights.h5"
    weights.save_keras_weights(model, path)
    before = storage.read(path)

    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "read only\nbucket")

    monkeypatch.setattr(tf.io.gfile, "rename", refuse)
    with pytest.raises(PermissionError, match="written: read only bucket$"):
        weights.save_keras_weights(model, path)
    assert storage.read(path) == before
    assert not [n for n in tf.io.gfile.listdir(folder) if n.startswith(".")]
