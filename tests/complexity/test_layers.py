"""Every layer is counted as it was when each kind of network stood alone."""

import pytest

from keras_pyconv.architectures import (
    ARCHITECTURES,
    DETECTORS,
    INCEPTIONS,
    SEGMENTERS,
    VIDEO_ARCHITECTURES,
)
from keras_pyconv.complexity import (
    complexity,
    detection_complexity,
    inception_complexity,
    segmentation_complexity,
    video_complexity,
)
from tests.kept import networks
from tests.reference import layers

FAMILIES = (
    (ARCHITECTURES, complexity),
    (DETECTORS, detection_complexity),
    (INCEPTIONS, inception_complexity),
    (SEGMENTERS, segmentation_complexity),
    (VIDEO_ARCHITECTURES, video_complexity),
)
COUNTS = {name: count for rows, count in FAMILIES for name in rows}
KEPT = {
    "classifier": complexity,
    "basic": complexity,
    "video": video_complexity,
    "inception": inception_complexity,
    "segmenter": segmentation_complexity,
}


@pytest.mark.parametrize("name", COUNTS)
def test_layers_shapes_costs_and_levels_are_the_recorded_ones(name):
    assert layers.counted(COUNTS[name](name)) == (
        layers.RECORDED["counted"][name]
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dilated_networks_of_odd_sizes_are_too(name):
    count = complexity(name, (97, 65, 4), classes=7, output_stride=8)
    assert layers.counted(count) == layers.RECORDED["counted"][f"{name} 8"]


@pytest.mark.parametrize("name", KEPT)
def test_networks_of_ones_own_are_too(name):
    shape = networks.SHAPES[name]
    count = KEPT[name](networks.RECORDS[name], shape, networks.CLASSES)
    assert layers.counted(count) == layers.RECORDED["counted"][name]


def test_the_record_has_no_other_network():
    known = {*COUNTS, *KEPT, "detector"}
    assert {n.removesuffix(" 8") for n in layers.RECORDED["counted"]} == known
