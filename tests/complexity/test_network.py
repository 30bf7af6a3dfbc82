"""The closed forms give the ledger's figures and those of built models."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keras_pyconv.architectures import ARCHITECTURES, DEPTHS
from keras_pyconv.complexity import Cost, complexity
from keras_pyconv.models.classifiers import build_classifier

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
NETWORKS = [
    pytest.param(row, id=f"{row['network']}@{row['input_shape'][0]}")
    for row in LEDGER["networks"]
]
MINI = "PyConvResNetMini"


def figures(row):
    keys = ("parameters", "non_trainable", "multiply_adds", "paper_ops")
    return Cost(**{key: row[key] for key in keys})


@pytest.mark.parametrize("row", NETWORKS)
def test_counts_equal_the_ledger_to_the_last_unit(row):
    count = complexity(row["network"], tuple(row["input_shape"]))
    assert count.cost == figures(row)


def test_the_ledger_has_every_network_of_the_paper():
    rows = LEDGER["networks"] + LEDGER["comparison"]
    of_the_paper = {
        name
        for name, row in ARCHITECTURES.items()
        if row.source.startswith(("Table", "authors"))
        and not name.startswith("PreActResNet")  # printed as another's
    }
    assert {row["network"] for row in rows} == of_the_paper


@pytest.mark.parametrize("name", LEDGER["stages"])
@pytest.mark.parametrize("figure", ["parameters", "multiply_adds"])
def test_stages_equal_the_ledger(name, figure):
    stages = complexity(name).stages
    found = [getattr(stage, figure) for stage in stages]
    assert found == LEDGER["stages"][name][figure]


def test_levels_add_up_to_their_layer_and_layers_to_the_whole():
    count = complexity("PyConvHGResNet50")
    layers = [layer for layer in count.layers if layer.levels]
    assert len(layers) == sum(DEPTHS[50])
    for layer in layers:
        levels = sum((level.cost for level in layer.levels), Cost())
        assert levels == layer.cost
    assert sum((layer.cost for layer in count.layers), Cost()) == count.cost


@pytest.mark.parametrize("name", ["ResNet50", "PyConvResNet18", MINI])
@pytest.mark.parametrize("output_stride", [32, 16, 8])
def test_output_stride_moves_operations_but_no_parameters(name, output_stride):
    count = complexity(name, (96, 64, 3), output_stride=output_stride)
    whole = complexity(name, (96, 64, 3))
    assert count.parameters == whole.parameters
    assert count.stages[-1].output_shape[:2] == (
        96 // output_stride,
        64 // output_stride,
    )
    assert (count.multiply_adds > whole.multiply_adds) == (output_stride < 32)


def test_without_the_top_the_classifier_is_missing():
    top, bare = complexity(MINI), complexity(MINI, include_top=False)
    assert bare.parts == top.parts[:-1]
    assert top.parameters - bare.parameters == 1024 * 1000 + 1000


def test_a_record_of_ones_own_can_be_counted():
    twice = replace(ARCHITECTURES[MINI], name="Twice", stem_width=64)
    more = complexity(twice).parts[0].parameters
    assert more == 2 * complexity(MINI).parts[0].parameters


def compare(name, **options):
    """Every layer of the built model against the closed form."""
    model = build_classifier(name, weights=None, **options)
    count = complexity(name, **options)
    assert model.count_params() == count.total_parameters
    trainable = sum(w.shape.num_elements() for w in model.trainable_weights)
    assert trainable == count.parameters
    for layer in count.layers:
        built = model.get_layer(layer.name)
        assert built.count_params() == layer.total_parameters, layer.name
        assert built.output.shape[1:] == layer.output_shape, layer.name
    counted = {layer.name for layer in count.layers}
    rest = {layer.name for layer in model.layers} - counted
    assert not any(model.get_layer(name).weights for name in rest)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_shape": (97, 65, 4), "classes": 7},
        {"output_stride": 16, "input_shape": (96, 96, 1)},
        {"output_stride": 8, "include_top": False},
    ],
    ids=str,
)
def test_a_built_model_has_these_layers_shapes_and_parameters(options):
    compare(MINI, **{"input_shape": (64, 64, 3), **options})


@pytest.mark.parametrize(
    "name", ["ResNetMini", "PyConvResNet18", "PyConvResNet18BasicBlock1"]
)
def test_each_kind_of_block_is_built_as_it_is_counted(name):
    compare(name, input_shape=(64, 64, 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_network_is_built_as_it_is_counted(name):
    compare(name, input_shape=(224, 224, 3))
