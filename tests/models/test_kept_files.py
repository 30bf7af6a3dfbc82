"""Files that an earlier commit wrote load, and their models answer alike."""

import keras
import numpy as np
import pytest

from tests.kept import networks

tf = pytest.importorskip("tensorflow")


def opened(name):
    """The model in the file, as a user would open it."""
    path = networks.FOLDER / networks.FILES[name]
    if path.suffix == ".h5":
        return networks.build(name, weights=path)
    if path.suffix == ".keras":
        return keras.saving.load_model(path)
    loaded = tf.saved_model.load(path)
    return lambda images, training: loaded.serve(images)


@pytest.mark.parametrize("name", networks.FILES)
def test_a_file_of_an_earlier_commit_answers_as_it_did(name):
    wanted = np.load(networks.FOLDER / "answers.npz")
    images = networks.inputs(networks.SHAPES[name])
    found = networks.answers(opened(name), images)
    assert {f"{name}/{output}" for output in found} == {
        key for key in wanted.files if key.startswith(f"{name}/")
    }
    for output, value in found.items():
        expected = wanted[f"{name}/{output}"]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(value, expected, atol=1e-5 * scale)


@pytest.mark.parametrize("name", networks.FILES)
def test_a_network_with_the_same_weights_answers_as_it_did(name):
    wanted = np.load(networks.FOLDER / "answers.npz")
    model = networks.fill(networks.build(name))
    images = networks.inputs(networks.SHAPES[name])
    for output, value in networks.answers(model, images).items():
        expected = wanted[f"{name}/{output}"]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(value, expected, atol=1e-5 * scale)
