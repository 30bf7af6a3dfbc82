"""Each layer is counted by its rule."""

import pytest

from keras_pyconv.complexity import Cost, Counter, conv_cost, cost, pyconv_cost


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


def test_a_counter_counts_in_three_dimensions():
    net = Counter((16, 224, 224, 3))
    stem = net.conv(net.input, 64, ((5, 7, 7),), strides=(1, 2, 2), name="stem")
    pool = net.max_pool(stem, (1, 3, 3), (1, 2, 2), name="pool")
    assert net.layers == [stem, pool]
    assert pool.output_shape == (16, 56, 56, 64)
    assert stem.parameters == 5 * 7 * 7 * 3 * 64
    assert stem.multiply_adds == stem.parameters * 16 * 112 * 112
    assert stem.variables == (("kernel_1", (5, 7, 7, 3, 64)),)
    assert pool.paper_ops == 9 * 16 * 56 * 56 * 64
