"""A new kind of block is one function; every reader of it follows."""

from dataclasses import replace

import keras
import pytest

import keras_pyconv
from keras_pyconv.architectures import (
    ARCHITECTURES,
    PYRAMIDS,
    VIDEO_ARCHITECTURES,
    get_detector,
    make_segmenter,
)
from keras_pyconv.complexity import complexity
from keras_pyconv.networks import classifier
from keras_pyconv.networks.residual import bottleneck
from keras_pyconv.weights import from_torch, torch_names, torch_shapes
from tests.networks.built import (
    assert_built_as_counted,
    assert_computed_as_in_pytorch,
)

REDUCTION = 16


def gated_bottleneck(net, x, stage, strides, *, name):
    """A bottleneck whose channels are weighted (squeeze and excitation)."""
    x = bottleneck(net, x, stage, strides, name=name)
    y = net.global_pool(x, name=f"{name}_gate_pool")
    width = stage.channels // REDUCTION
    y = net.dense(y, width, name=f"{name}_gate_1", use_bias=False)
    y = net.relu(y, name=f"{name}_gate_relu")
    y = net.dense(y, stage.channels, name=f"{name}_gate_2", use_bias=False)
    return net.gate(x, y, name=f"{name}_gate")


def gated(row, **changes):
    return replace(row, name="Gated", block=gated_bottleneck, **changes)


SMALL = gated(
    ARCHITECTURES["PyConvResNetMini"],
    stages=tuple(
        replace(stage, width=16, levels=PYRAMIDS[2])
        for stage in ARCHITECTURES["PyConvResNetMini"].stages
    ),
)
CLIPS = replace(VIDEO_ARCHITECTURES["PyConvResNet3DMini"], base=SMALL)
SHAPE = (33, 40, 3)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_it_costs_what_the_papers_table_3_has_for_it(depth):
    count = complexity(gated(ARCHITECTURES[f"ResNet{depth}"]))
    assert count.cost == complexity(f"SEResNet{depth}").cost


def test_keras_layers_are_made_of_it():
    model = keras_pyconv.build_classifier(SMALL, input_shape=SHAPE, classes=3)
    assert_built_as_counted(model, complexity(SMALL, SHAPE, 3))
    assert len(keras_pyconv.features(model)) == 5
    keras.models.Model.from_config(model.get_config())


def test_clips_segmentation_and_detection_have_it_too():
    clip = (3, 17, 20, 3)
    model = keras_pyconv.build_video_classifier(
        CLIPS, input_shape=clip, classes=3
    )
    assert_built_as_counted(model, complexity(CLIPS, clip, 3))
    row = make_segmenter(SMALL, "conv", head_width=16)
    model = keras_pyconv.build_segmenter(row, input_shape=SHAPE, classes=3)
    assert_built_as_counted(model, complexity(row, SHAPE, 3))
    row = get_detector("SSD", SMALL)
    model = keras_pyconv.build_detector(row, classes=3)
    assert_built_as_counted(model, complexity(row, classes=3))


def test_stock_keras_layers_make_the_same_network():
    from benchmarks.keras_networks import stock_network

    model, count = stock_network(SMALL, 64), complexity(SMALL, (64, 64, 3))
    assert model.count_params() == count.total_parameters
    assert model.get_layer("conv5_block1_gate").output.shape[1:] == (2, 2, 64)


def test_its_parameters_have_names_in_pytorch():
    model = keras_pyconv.build_classifier(SMALL, input_shape=SHAPE, classes=3)
    names = torch_names(model)
    assert names["conv2_block1_gate_1/kernel"] == "layer1.0.se.fc1.weight"
    assert sorted(names) == sorted(v.path for v in model.weights)
    assert set(names.values()) == set(torch_shapes(SMALL, classes=3))


@pytest.mark.parametrize(
    "row, shape", [(SMALL, SHAPE), (CLIPS, (3, 17, 20, 3))], ids=["2d", "3d"]
)
def test_pytorch_computes_what_keras_does(row, shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from keras_pyconv.parity.modules import torch_module

    make = keras_pyconv.build_classifier
    options = {"classes": 3, "classifier_activation": None, "dropout": 0.0}
    if row is CLIPS:
        make = keras_pyconv.build_video_classifier
    model = make(row, input_shape=shape, **options)
    torch.manual_seed(1)
    module = torch_module(classifier, row, 3, rank=len(shape) - 1)
    from_torch(model, module.state_dict())
    assert_computed_as_in_pytorch(model, module, shape)
