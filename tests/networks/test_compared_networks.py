"""The blocks of the networks that Table 3 compares with, by every reader."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.architectures import ARCHITECTURES, VIDEO_ARCHITECTURES
from keras_pyconv.complexity import complexity
from keras_pyconv.networks import classifier
from keras_pyconv.weights import from_torch, torch_names, torch_shapes
from tests.kept.networks import inputs
from tests.networks.built import (
    assert_built_as_counted,
    assert_computed_as_in_pytorch,
)

SHAPE = (65, 40, 3)
# Pyramids and pooled shortcuts too, which none of the paper's rows has.
ROWS = {
    "plain": ("ResNetMini", {"block": "squeezed"}),
    "gates": ("PyConvResNetMini", {"block": "squeezed"}),
    "biased": ("PyConvResNetMini", {"block": "squeezed_biased"}),
    "preactivated": ("ResNetMini", {"block": "preactivated"}),
    "pooled": ("PyConvResNetMini", {"block": "preactivated"}),
    "non_local": ("PyConvResNetMini", {"non_local": True}),
    "both": ("ResNetMini", {"block": "preactivated", "non_local": True}),
}


def row(kind):
    base, changes = ROWS[kind]
    return replace(ARCHITECTURES[base], name="Small", **changes)


def built(kind, **options):
    options = {"input_shape": SHAPE, "classes": 3, **options}
    return keras_pyconv.build_classifier(row(kind), **options)


@pytest.mark.parametrize("kind", ROWS)
def test_layers_and_names_are_those_that_are_counted(kind):
    model = built(kind)
    assert_built_as_counted(model, complexity(row(kind), SHAPE, 3))
    assert set(torch_names(model).values()) == set(torch_shapes(row(kind), 3))
    maps = keras_pyconv.features(model)
    assert [feature.stride for feature in maps][-1] == 32
    last = keras_pyconv.build_classifier(
        row(kind), include_top=False, input_shape=SHAPE
    )
    assert maps[-1].output.shape == last.output.shape


@pytest.mark.parametrize("kind", ["gates", "pooled", "non_local"])
def test_clips_have_them_too(kind):
    clips = replace(VIDEO_ARCHITECTURES["PyConvResNet3DMini"], base=row(kind))
    shape = (17, 65, 65, 3)
    model = keras_pyconv.build_video_classifier(
        clips, input_shape=shape, classes=3
    )
    assert_built_as_counted(model, complexity(clips, shape, 3))


@pytest.mark.parametrize("kind", ROWS)
def test_pytorch_computes_what_keras_does(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from keras_pyconv.parity.modules import torch_module

    torch.manual_seed(1)
    module = torch_module(classifier, row(kind), 3)
    for name, tensor in module.state_dict().items():
        if name.endswith("output_bn.weight"):
            tensor.fill_(0.5)
    model = built(kind, classifier_activation=None)
    from_torch(model, module.state_dict())
    assert_computed_as_in_pytorch(model, module, SHAPE)


def test_a_non_local_block_starts_as_its_shortcut():
    keras.utils.set_random_seed(1)
    model = built("non_local")
    images = inputs(SHAPE)
    before = model.predict(images, verbose=0)
    for layer in model.layers:
        if "nonlocal" in layer.name and layer.name.endswith("_conv"):
            layer.set_weights([3 * w for w in layer.get_weights()])
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)
    scales = [
        layer.gamma
        for layer in model.layers
        if layer.name.endswith("nonlocal_output_bn")
    ]
    assert len(scales) == 4
    assert not np.any([np.any(gamma) for gamma in scales])


def test_images_that_a_non_local_block_cannot_pool_are_refused():
    with pytest.raises(ValueError, match="at least 33 x 33 .*32, 64, 3"):
        built("non_local", input_shape=(32, 64, 3))
    assert built("non_local", input_shape=(33, 33, 3)).output_shape[1] == 3


@pytest.mark.parametrize("kind", ["gates", "pooled", "non_local"])
def test_a_saved_network_answers_alike(kind, tmp_path):
    model = built(kind, input_shape=(None, None, 3))
    images = inputs(SHAPE)
    wanted = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(twin.predict(images, verbose=0), wanted)


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["gates", "pooled", "non_local"])
def test_an_export_answers_alike(kind, tmp_path):
    model = built(kind)
    folder = keras_pyconv.export.saved_model(model, tmp_path / "model")
    report = keras_pyconv.export.check(folder, model)
    assert report
