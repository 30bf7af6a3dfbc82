"""Networks of Table 3 equal those of torchvision and timm, on their weights.

`pip install torch torchvision timm`, and `pytest -m slow` with this file.
"""

from functools import partial

import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.weights import find_variant, from_torch
from tests.kept.networks import inputs

pytestmark = pytest.mark.slow
SHAPE = (96, 96, 3)


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(1)
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pytest.skip("torchvision is not installed")
    except RuntimeError:
        # Built for another PyTorch: its networks work without its operators.
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor a, Tensor b, float c) -> Tensor")
        torch.torchvision_operators = library
    return torch


def settled(module, torch):
    """The module with statistics and scales as after training."""
    random = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var") or (
            tensor.ndim == 1 and name.endswith("weight")
        ):
            tensor.uniform_(0.5, 1.5, generator=random)
        elif name.endswith("running_mean"):
            tensor.normal_(0, 0.1, generator=random)
    return module.eval()


def assert_equal(module, model, torch):
    images = inputs(SHAPE)
    with torch.inference_mode():
        channels_first = np.moveaxis(images, -1, 1).copy()
        wanted = module(torch.from_numpy(channels_first)).numpy()
    found = model.predict(images, verbose=0)
    scale = np.abs(wanted).max()
    assert scale > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-4 * scale)


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("resnext50_32x4d", "ResNeXt50"),
        ("resnext101_32x8d", "ResNeXt101_32x8d"),
    ],
)
def test_resnext_is_torchvisions(torch, theirs, ours):
    models = pytest.importorskip("torchvision").models
    module = settled(getattr(models, theirs)(), torch)
    arrays = module.state_dict()
    assert find_variant(arrays) == ours
    model = keras_pyconv.build_classifier(
        ours, input_shape=SHAPE, classifier_activation=None
    )
    assert_equal(module, from_torch(model, arrays), torch)


def test_resnext_of_101_layers_is_timms(torch):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    module = settled(timm.create_model("resnext101_32x4d"), torch)
    model = keras_pyconv.ResNeXt101(
        input_shape=SHAPE, classifier_activation=None
    )
    keras_pyconv.weights.load(model, module.state_dict())
    assert_equal(module, model, torch)


@pytest.mark.parametrize("use_bias", [False, True])
def test_se_resnet_is_timms(torch, use_bias):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    gate = partial(timm.layers.SEModule, bias=use_bias)
    module = timm.create_model("seresnet50", block_args={"attn_layer": gate})
    module = settled(module, torch)
    arrays = module.state_dict()
    name = "SEResNet50_biased" if use_bias else "SEResNet50"
    assert find_variant(arrays) == name
    model = keras_pyconv.build_classifier(
        name, input_shape=SHAPE, classifier_activation=None
    )
    assert_equal(module, from_torch(model, arrays), torch)


def _from_timm(name):
    """Our name of a parameter of timm's pre-activation network."""
    name = name.replace("stem.conv.", "conv1.").replace("stem.norm.", "bn1.")
    name = name.replace("head.fc.", "fc.")
    if name.startswith("norm."):
        return name.replace("norm.", "post_bn.")
    if not name.startswith("stages."):
        return name
    _, stage, _, block, *rest = name.split(".")
    rest = ".".join(rest).replace("downsample.conv", "downsample.0")
    rest = rest.replace("norm1.", "preact_bn.").replace("norm2.", "bn1.")
    rest = rest.replace("norm3.", "bn2.")
    return f"layer{int(stage) + 1}.{block}.{rest}"


def test_the_pre_activation_network_is_timms_with_a_normalized_stem(torch):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    module = timm.create_model("resnetv2_50")
    stem = module.stem
    module.stem = torch.nn.Sequential()
    module.stem.add_module("conv", stem.conv)
    module.stem.add_module("norm", timm.layers.BatchNormAct2d(64))
    module.stem.add_module("pool", stem.pool)
    settled(module, torch)
    arrays = {_from_timm(n): t for n, t in module.state_dict().items()}
    assert find_variant(arrays) == "PreActResNet50"
    model = keras_pyconv.PreActResNet50(
        input_shape=SHAPE, classifier_activation=None
    )
    assert_equal(module, from_torch(model, arrays), torch)
