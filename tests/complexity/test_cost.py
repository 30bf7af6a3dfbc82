"""Each layer is counted by its rule; the rules reach beyond our networks."""

import json
from pathlib import Path

import pytest

from keras_pyconv.architectures import (
    DEPTHS,
    WIDTHS,
    Architecture,
    Level,
    Stage,
)
from keras_pyconv.complexity import (
    Cost,
    Walk,
    complexity,
    conv_cost,
    cost,
    pyconv_cost,
)

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
COMPARISON = {row["network"]: row for row in LEDGER["comparison"]}


def figures(row):
    keys = ("parameters", "non_trainable", "multiply_adds", "paper_ops")
    return Cost(**{key: row[key] for key in keys})


def test_equation_1_of_the_paper_level_by_level():
    levels = pyconv_cost(64, (16, 16), (3, 5), (1, 4), positions=56 * 56)
    assert [level.parameters for level in levels] == [
        3 * 3 * 64 * 16,
        5 * 5 * 64 // 4 * 16,
    ]
    for level in levels:
        assert level.multiply_adds == level.parameters * 56 * 56


def test_by_the_papers_rule_every_level_costs_about_as_much():
    levels = pyconv_cost(64, (16,) * 4, (3, 5, 7, 9), (1, 4, 8, 16), 1)
    dense = conv_cost(64, 64, (3, 3), 1)
    assert sum(levels, Cost()).parameters < dense.parameters
    assert all(4 * lv.parameters > dense.parameters / 2 for lv in levels)


@pytest.mark.parametrize(
    "found, parameters, paper_ops",
    [
        (conv_cost(8, 4, (3, 3), 10), 288, 2880),
        (conv_cost(8, 4, (3, 3), 10, groups=2), 144, 1440),
        (conv_cost(8, 4, (1, 1), 10, use_bias=True), 36, 2 * 320),
        (conv_cost(8, 4, (3, 3, 3), 10), 864, 8640),
        (conv_cost(8, 4, (5,), 10), 160, 1600),
        (cost.dense_cost(8, 4), 36, 60),
        (cost.dense_cost(8, 4, use_bias=False), 32, 60),
        (cost.batch_norm_cost(8, 10), 16, 320),
        (cost.relu_cost(80), 0, 80),
        (cost.max_pool_cost(80, 3), 0, 240),
        (cost.max_pool_cost(80, (3, 3)), 0, 720),
        (cost.average_pool_cost(80, 3), 0, 320),
        (cost.adaptive_pool_cost(8, (7, 7), (1, 1)), 0, 400),
        (cost.adaptive_pool_cost(8, (60, 60), (9, 9)), 0, 37 * 648),
    ],
    ids=[
        "conv",
        "grouped_conv",
        "biased_conv",
        "conv_3d",
        "conv_1d",
        "dense",
        "dense_without_bias",
        "batch_norm",
        "relu",
        "max_pool_written_as_3",
        "max_pool_written_as_3_by_3",
        "average_pool",
        "global_pool",
        "adaptive_pool",
    ],
)
def test_a_layer_is_counted_by_its_rule(found, parameters, paper_ops):
    assert (found.parameters, found.paper_ops) == (parameters, paper_ops)


def resnext(depth):
    """ResNeXt 32x4d as a record: grouped 3x3 at twice the width."""
    rows = zip(WIDTHS, DEPTHS[depth], (1, 2, 2, 2))
    stages = tuple(
        Stage(2 * width, blocks, (Level(3, 32),), stride, "conv")
        for width, blocks, stride in rows
    )
    return Architecture("ResNeXt", stages, "Table 3", 2, stem_pool=True)


def squeeze_excitation(channels, sizes):
    """Global pooling, two dense layers without bias, reduction 16."""
    return (
        cost.adaptive_pool_cost(channels, sizes, (1, 1))
        + cost.dense_cost(channels, channels // 16, use_bias=False)
        + cost.relu_cost(channels // 16)
        + cost.dense_cost(channels // 16, channels, use_bias=False)
    )


def non_local(shape):
    """Embedded non-local block of half the width, phi and g on pooled maps."""
    query, total = Walk(shape), Cost()
    query.conv("theta", shape[-1] // 2, use_bias=True)
    for name in ("phi", "g"):
        branch = Walk(shape)
        branch.max_pool(name, 2, 2, padding="valid")
        branch.conv(name, shape[-1] // 2, use_bias=True)
        total = sum((layer.cost for layer in branch.layers), total)
    query.conv("output", shape[-1], use_bias=True)
    query.batch_norm("bn")
    return sum((layer.cost for layer in query.layers), total)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_primitives_give_the_papers_comparison_networks(depth):
    base = complexity(f"ResNet{depth}")
    squeezed = attended = base.cost
    for stage, blocks in zip(base.stages, DEPTHS[depth]):
        *sizes, channels = stage.output_shape
        gates = [squeeze_excitation(channels, sizes)] * blocks
        squeezed = sum(gates, squeezed)
        attended += non_local(stage.output_shape)
    assert squeezed == figures(COMPARISON[f"SEResNet{depth}"])
    assert attended == figures(COMPARISON[f"NLResNet{depth}"])
    grouped = complexity(resnext(depth)).cost
    assert grouped == figures(COMPARISON[f"ResNeXt{depth}"])


def test_a_walk_counts_in_three_dimensions():
    walk = Walk((16, 224, 224, 3))
    walk.conv("stem", 64, kernel=(5, 7, 7), stride=(1, 2, 2))
    walk.max_pool("pool", (1, 3, 3), (1, 2, 2))
    stem, pool = walk.layers
    assert pool.output_shape == (16, 56, 56, 64)
    assert stem.parameters == 5 * 7 * 7 * 3 * 64
    assert stem.multiply_adds == stem.parameters * 16 * 112 * 112
    assert pool.paper_ops == 9 * 16 * 56 * 56 * 64
