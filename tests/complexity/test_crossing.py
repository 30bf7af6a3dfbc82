"""What crosses between devices, against counts by hand.

`tests/layers/divided.py` compares it with what TensorFlow moves.
"""

from pathlib import Path

import pytest

from keras_pyconv.complexity import (
    CROSSING_RULE,
    Counter,
    Crossing,
    complexity,
    crossing,
    crossing_table,
)
from keras_pyconv.complexity.__main__ import main


def layer(rank=2, **options):
    """Levels of 288, 200, 392 and 648 weights, over 8 channels."""
    net = Counter((10,) * rank + (8,))
    sizes = (4,) * 4, (3, 5, 7, 9), (1, 4, 4, 4)
    if rank == 1:
        sizes = (4, 2), (3, 5), (1, 2)
    return net.conv(net.input, *sizes, name="c", **options)


def test_two_devices_share_four_levels():
    # 648 to the first, 392 and 288 to the second, 200 to the first.
    count = crossing([layer()])
    costs = [9 * 8 * 4, 25 * 2 * 4, 49 * 2 * 4, 81 * 2 * 4]
    assert [level.parameters for level in layer().levels] == costs
    alone = costs[3] + costs[1]
    assert count == Crossing(
        forward=4 * (100 * 8 + 100 * 8),
        backward=4 * (100 * 8 + 100 * 8),
        saved=100 * (sum(costs) - alone),
        kernels=4 * (costs[2] + costs[0]),
    )


def test_each_device_gets_the_input_once():
    count = crossing([layer(strides=2)], devices=3, batch_size=5)
    # The most costly level is on the first, the two least on the third.
    assert count.forward == 5 * 4 * (2 * 100 * 8 + 25 * 12)
    assert crossing([layer(strides=2)], 9, 5).forward == 5 * 4 * (
        3 * 100 * 8 + 25 * 12
    )


def test_sixteen_bits_are_half_and_kernels_are_not():
    whole, half = crossing([layer(1)]), crossing([layer(1)], number_bytes=2)
    assert whole.forward == 4 * (10 * 8 + 10 * 2) == 2 * half.forward
    assert whole.kernels == half.kernels == 4 * 5 * 4 * 2


def test_only_pyramids_of_several_levels_are_divided():
    assert crossing(complexity("ResNet50").layers) == Crossing()
    count = complexity("PyConvResNet50")
    stage = crossing(count.stages[3].layers)
    assert stage == Crossing()
    parts = [crossing(part.layers) for part in count.parts]
    assert tuple(map(sum, zip(*parts))) == crossing(count.layers)


def test_the_figures_of_the_page_are_these():
    page = Path(__file__).parents[2] / "docs" / "layers.md"
    text = " ".join(page.read_text().split())
    count = crossing(complexity("PyConvResNet50").layers)
    assert f"save {count.saved / count.forward:.0f} multiply-adds" in text
    net = Counter((56, 56, 256))
    heavy = net.conv(net.input, (64,) * 4, (3, 5, 7, 9), name="c")
    count = crossing([heavy])
    assert f"`groups=1`: {count.saved / count.forward:.0f}." in text


def test_the_command_shows_it(capsys):
    main(["PyConvResNetMini", "--devices", "2", "--batch-size", "3"])
    printed = capsys.readouterr().out
    count = complexity("PyConvResNetMini")
    assert crossing_table(count, devices=2, batch_size=3) in printed
    assert f"{crossing(count.layers, batch_size=3).saved:,}" in printed
    assert printed.endswith(CROSSING_RULE + "\n")


def test_one_device_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["PyConvResNetMini", "--devices", "1"])
    assert "`devices` must be an integer of at least 2" in (
        capsys.readouterr().err
    )
