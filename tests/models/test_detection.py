"""Detectors are the paper's, layer by layer, and go at other sizes too."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_pyconv.architectures import DETECTORS, get_detector
from keras_pyconv.complexity import complexity
from keras_pyconv.models import (
    SSD,
    PyConvSSD,
    build_classifier,
    build_detector,
)
from keras_pyconv.weights import load

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
MINI = "PyConvResNetMini"
MINIS = [name for name in DETECTORS if "Mini" in name]
PAPERS = [name for name in DETECTORS if name not in MINIS]


@pytest.fixture(scope="module")
def mini():
    keras.utils.set_random_seed(3)
    return PyConvSSD(MINI, input_shape=(64, 64, 3), classes=4)


def _cost_by_layer(model):
    return {
        layer.name: sum(v.shape.num_elements() for v in layer.weights)
        for layer in model.layers
        if layer.weights
    }


@pytest.mark.parametrize(
    "name",
    [
        *MINIS,
        *(pytest.param(name, marks=pytest.mark.slow) for name in PAPERS),
    ],
)
def test_every_layer_has_the_name_and_weights_of_the_count(name):
    model = build_detector(name)
    counted = {
        layer.name: layer.cost.parameters + layer.cost.non_trainable
        for layer in complexity(name).layers
    }
    found = _cost_by_layer(model)
    assert found == {name: n for name, n in counted.items() if n}
    (row,) = [r for r in LEDGER["detection"] if r["network"] == name]
    trainable = sum(v.shape.num_elements() for v in model.trainable_variables)
    assert trainable == row["parameters"]
    assert model.count_params() - trainable == row["non_trainable"]
    maps = [tensor.shape[1] for tensor in model.get_layer("offsets").input]
    assert (
        maps
        == {300: [38, 19, 10, 5, 3, 1], 128: [16, 8, 4, 2]}[
            row["input_shape"][0]
        ]
    )
    boxes = {300: 8732, 128: 1520}[row["input_shape"][0]]
    assert model.output["offsets"].shape == (None, boxes, 4)
    assert model.output["logits"].shape == (None, boxes, 81)


@pytest.mark.parametrize("shape", [(96, 160), (33, 57)])
def test_other_sizes_have_the_boxes_of_the_record(shape):
    record = DETECTORS[f"PyConvSSD{MINI}"]
    model = PyConvSSD(MINI, input_shape=(*shape, 3), classes=3)
    maps = [tuple(x.shape[1:3]) for x in model.get_layer("offsets").input]
    assert maps == list(record.map_sizes(*shape))
    assert model.output["logits"].shape[1] == record.num_boxes(*shape)


@pytest.mark.parametrize("size", [257, 300, 301, 512, 1000])
def test_map_sizes_of_the_papers_head_follow_padding_and_stride(size):
    def shape(x, layer):
        levels = [level.kernel for level in layer.levels]
        gone = 0 if layer.padding == "same" else max(levels) - 1
        return (x - gone - 1) // layer.stride + 1

    record = DETECTORS["PyConvSSDPyConvResNet50"]
    sides = [-(-size // 8)]
    for layer in record.extra_layers:
        sides.append(shape(sides[-1], layer))
    assert record.map_sizes(size, 300)[0] == (sides[0], 38)
    assert [rows for rows, _ in record.map_sizes(size, 300)] == sides


def test_an_open_size_takes_any_image(mini):
    model = PyConvSSD(MINI, input_shape=(None, None, 3), classes=4)
    model.set_weights(mini.get_weights())
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3))
    wanted, found = mini(images), model(images)
    for name in ("offsets", "logits"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-6)
    assert model(images[:, :40])["offsets"].shape[1] < 84 * 4


def test_boxes_stand_position_by_position(mini):
    logits = mini.get_layer("logits")
    maps = [
        np.arange(int(np.prod(x.shape[1:])), dtype="float32").reshape(
            (1, *x.shape[1:])
        )
        for x in logits.input
    ]
    joined = np.array(logits(maps))[0]
    assert joined.shape == (8 * 8 * 4 + 4 * 4 * 6 + 2 * 2 * 6 + 4, 4)
    # The second position's first box follows the first position's last.
    np.testing.assert_array_equal(joined[4], maps[0][0, 0, 1, :4])
    np.testing.assert_array_equal(joined[256], maps[1][0, 0, 0, :4])


def test_the_third_stage_keeps_the_resolution_and_its_pooling():
    record = DETECTORS["PyConvSSDPyConvResNet50"]
    assert [stage.stride for stage in record.backbone.stages] == [2, 2, 1]
    assert record.backbone.stages[2].shortcut == "pool"


def test_convolutions_begin_as_the_reference_does(mini):
    kernel, bias = mini.get_layer("map1_classes").get_weights()
    bound = (6 / (9 * kernel.shape[2] + 9 * kernel.shape[3])) ** 0.5
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    assert 0 < np.abs(bias).max() <= (9 * kernel.shape[2]) ** -0.5
    (kernel,) = mini.get_layer("extra2_1_conv").get_weights()
    assert np.abs(kernel).max() <= (6 / sum(kernel.shape[2:])) ** 0.5


def test_predictions_stay_float32_in_half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = SSD("ResNetMini", input_shape=(32, 32, 3), classes=2)
    finally:
        keras.config.set_dtype_policy(before)
    assert {x.dtype for x in model.output.values()} == {"float32"}


@pytest.mark.parametrize(
    "whole",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["model", "file"],
)
def test_a_classifier_gives_the_backbone_its_weights(whole, tmp_path):
    classes = 5 if whole else 1000
    classifier = build_classifier(
        MINI, input_shape=(32, 32, 3), classes=classes
    )
    source = classifier
    if not whole:
        source = tmp_path / "classifier.weights.h5"
        classifier.save_weights(source)
    model = PyConvSSD(
        MINI, input_shape=(32, 32, 3), classes=3, backbone_weights=source
    )
    name = "conv4_block1_2_pyconv"
    for mine, other in zip(
        model.get_layer(name).get_weights(),
        classifier.get_layer(name).get_weights(),
    ):
        np.testing.assert_array_equal(mine, other)


def test_weights_of_another_network_are_refused(mini):
    other = build_classifier("ResNetMini", include_top=False)
    with pytest.raises(ValueError, match="conv2_block1_2_pyconv"):
        load(mini, other, part="backbone")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"classes": 1}, "at least 2"),
        ({"classes": 2.5}, "classes=2.5"),
        ({"weights": "no.weights.h5"}, "no such file"),
        ({"backbone": "ResNet51"}, "Unknown architecture 'ResNet51'"),
        ({"backbone": "ResNet50", "input_shape": (256, 300, 3)}, "is 257"),
    ],
)
def test_what_no_detector_can_be_made_from_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        SSD(**options)


def test_a_checkpoint_of_the_whole_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "ssd.npz"
    path.touch()
    with pytest.raises(ValueError, match="backbone_weights"):
        SSD("ResNetMini", weights=path)


def test_any_row_of_three_stages_is_a_backbone():
    record = get_detector("PyConvSSD", "PyConvHGResNet101")
    assert record.num_boxes(300, 300) == 8732
    assert complexity(record).parts[0].name == "stem"


@pytest.mark.parametrize(
    "head, backbone, words",
    [("YOLO", "ResNet50", "'YOLO'"), ("SSD", "none", "'none'")],
)
def test_an_unknown_head_or_backbone_is_named(head, backbone, words):
    with pytest.raises(ValueError, match=words):
        get_detector(head, backbone)


def test_help_shows_the_whole_signature():
    assert PyConvSSD.__name__ == "PyConvSSD" and "classes: " in SSD.__doc__
    with pytest.raises(TypeError):
        PyConvSSD(MINI, colour="red")
