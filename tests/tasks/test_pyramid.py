"""Levels are shown as they are, and one call draws them."""

import sys

import keras
import numpy as np
import pytest

from keras_pyconv import PyConv
from keras_pyconv.models import build_classifier
from keras_pyconv.tasks import level_responses, show_pyramid

IMAGE = np.random.default_rng(3).normal(size=(64, 64, 3))


@pytest.fixture(scope="module")
def model():
    return build_classifier(
        "PyConvResNetMini", include_top=False, input_shape=(64, 64, 3)
    )


def test_each_response_is_that_of_the_level_alone(model):
    layer = model.get_layer("conv3_block1_2_pyconv")
    entry = keras.Model(model.input, layer.input)(IMAGE[np.newaxis])
    levels = level_responses(model, IMAGE, layer.name)
    assert [one.kernel_size for one in levels] == [(3, 3), (5, 5), (7, 7)]
    for level in levels:
        filters = level.kernel.shape[-1]
        alone = PyConv(
            filters,
            (level.kernel_size,),
            groups=level.groups,
            strides=2,
            use_bias=False,
        )
        alone.build(entry.shape)
        alone.set_weights([level.kernel])
        np.testing.assert_allclose(
            level.response, alone(entry)[0], rtol=1e-4, atol=1e-4
        )


def test_the_first_pyramid_is_the_default(model):
    first = level_responses(model, IMAGE)
    named = level_responses(model, IMAGE, "conv2_block1_2_pyconv")
    assert len(first) == len(named) == 4
    np.testing.assert_array_equal(first[3].response, named[3].response)


def test_an_unknown_layer_lists_the_pyramids(model):
    with pytest.raises(ValueError, match="'conv9'.*conv2_block1_2_pyconv"):
        level_responses(model, IMAGE, "conv9")


def test_a_model_without_pyramids_is_refused():
    plain = build_classifier("ResNetMini", include_top=False)
    with pytest.raises(
        ValueError, match="no PyConv layer with two or more levels"
    ):
        level_responses(plain, IMAGE)


def test_a_wrong_image_is_refused_with_its_shape(model):
    with pytest.raises(ValueError, match=r"\(64, 64, 3\).*\(64, 64, 1\)"):
        level_responses(model, IMAGE[..., :1])


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside"])
def test_one_call_draws_levels_and_fields(model, tmp_path, alone):
    plain = build_classifier("ResNetMini", include_top=False)
    path = tmp_path / "pyramid.png"
    figure = show_pyramid(model, IMAGE, path, beside=None if alone else plain)
    assert path.read_bytes().startswith(b"\x89PNG")
    titles = [axis.get_title() for axis in figure.get_axes()]
    assert any("9x9, depth 4\n8 filters" in title for title in titles)
    network = "pyconvresnetmini: 23 px" if alone else "resnetmini: 19 px"
    (title,) = [title for title in titles if title.startswith(network)]
    assert "\n0.0 % of the gradient outside" in title


def test_a_network_without_stages_shows_its_levels_alone(tmp_path):
    images = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(8, 3, 2, "same", name="entry")(images)
    maps = PyConv(8, (3, 5), name="middle")(maps)
    other = keras.Model(images, maps, name="other")
    path = tmp_path / "other.png"
    figure = show_pyramid(other, IMAGE[:32, :32], path)
    assert path.exists()
    titles = [axis.get_title() for axis in figure.get_axes()]
    assert [t for t in titles if t][-1].startswith("5x5 responses\n0 to ")
    with pytest.raises(ValueError, match="no layer named `conv2_block1_out`"):
        show_pyramid(other, IMAGE[:32, :32], stage="stage1")
    with pytest.raises(ValueError, match="no layer named `conv2_block1_out`"):
        show_pyramid(other, IMAGE[:32, :32], beside=other)


def test_matplotlib_is_asked_for_before_anything_is_computed(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        show_pyramid(None, None)
