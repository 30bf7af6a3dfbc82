"""Every layer is counted as it was when each kind of network stood alone."""

import pytest

from keras_pyconv.architectures import ARCHITECTURES, RECORDS
from keras_pyconv.complexity import complexity
from tests.kept import networks
from tests.reference import layers

# Described after the record was made.
LATER = ("ResNet3DTiny", "PyConvResNet3DTiny")
KEPT = ("classifier", "basic", "video", "inception", "segmenter")


@pytest.mark.parametrize("name", sorted({*RECORDS} - {*LATER}))
def test_layers_shapes_costs_and_levels_are_the_recorded_ones(name):
    recorded = layers.RECORDED["counted"][name]
    assert layers.counted(complexity(name)) == recorded


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dilated_networks_of_odd_sizes_are_too(name):
    count = complexity(name, (97, 65, 4), classes=7, output_stride=8)
    assert layers.counted(count) == layers.RECORDED["counted"][f"{name} 8"]


@pytest.mark.parametrize("name", KEPT)
def test_networks_of_ones_own_are_too(name):
    shape = networks.SHAPES[name]
    count = complexity(networks.RECORDS[name], shape, networks.CLASSES)
    assert layers.counted(count) == layers.RECORDED["counted"][name]


def test_the_record_has_no_other_network():
    known = {*RECORDS, *KEPT, "detector"} - {*LATER}
    assert {n.removesuffix(" 8") for n in layers.RECORDED["counted"]} == known
