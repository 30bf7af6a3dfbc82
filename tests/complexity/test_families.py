"""Networks of every task cost what the ledger says, to the last unit."""

import json
from pathlib import Path

import pytest

from keras_pyconv.architectures import (
    COMPARISONS,
    DETECTORS,
    INCEPTIONS,
    SEGMENTERS,
    VIDEO_ARCHITECTURES,
)
from keras_pyconv.complexity import (
    Cost,
    complexity,
    detection_complexity,
    inception_complexity,
    segmentation_complexity,
    video_complexity,
)

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
COUNTS = {
    "comparison": (complexity, COMPARISONS),
    "segmentation": (segmentation_complexity, SEGMENTERS),
    "detection": (detection_complexity, DETECTORS),
    "inception": (inception_complexity, INCEPTIONS),
    "video": (video_complexity, VIDEO_ARCHITECTURES),
}
# Nothing but its parameters was ever counted elsewhere.
UNCOUNTED = {f"PreActResNet{depth}" for depth in (50, 101, 152)}
UNCOUNTED |= {f"PSPNetResNet{depth}" for depth in (152, 269)}
ROWS = [
    pytest.param(family, row, id=f"{row['network']}-{number}")
    for family in COUNTS
    for number, row in enumerate(LEDGER[family])
]
SEGMENTER = "PyConvSegNetPyConvResNet50"


def figures(row):
    keys = ("parameters", "non_trainable", "multiply_adds", "paper_ops")
    return Cost(**{key: row[key] for key in keys})


@pytest.mark.parametrize("family, row", ROWS)
def test_counts_equal_the_ledger_to_the_last_unit(family, row):
    count, _ = COUNTS[family]
    options = {key: row[key] for key in ("classes",) if key in row}
    found = count(row["network"], **options)
    assert found.cost == figures(row)
    assert found.input_shape == tuple(row["input_shape"])


@pytest.mark.parametrize("family", COUNTS)
def test_the_ledger_has_every_row(family):
    _, rows = COUNTS[family]
    found = {row["network"] for row in LEDGER[family]}
    assert found == set(rows) - UNCOUNTED


def test_pre_activation_saves_normalizations_and_nothing_else():
    plain = complexity("ResNeXt50").stages[0].output_shape
    count = complexity("PreActResNet50")
    assert count.parameters == 25549480
    assert count.multiply_adds == 4089184256
    assert count.stages[0].output_shape == plain


def test_a_pyramid_in_time_spans_more_frames_where_it_is_wider():
    first = video_complexity("PyConvResNet3D50").stages[0]
    kernels = [level.kernel for level in first.levels]
    assert kernels == [(3, 3, 3), (3, 5, 5), (5, 7, 7), (7, 9, 9)]


def test_the_detector_predicts_8732_boxes():
    row = DETECTORS["SSDResNet50"]
    count = detection_complexity(row)
    layers = [x for x in count.layers if x.name.endswith("_boxes")]
    sides = [layer.output_shape[0] for layer in layers]
    assert sides == [38, 19, 10, 5, 3, 1]
    boxes = [box_map.boxes for box_map in row.box_maps]
    assert sum(n * side**2 for n, side in zip(boxes, sides)) == 8732


def test_the_auxiliary_head_is_counted_unless_told_otherwise():
    whole = segmentation_complexity(SEGMENTER)
    served = segmentation_complexity(SEGMENTER, auxiliary=False)
    assert whole.parameters - served.parameters == 2398358
    assert whole.parts[:-1] == served.parts


def test_inception_shrinks_the_map_as_its_paper_says():
    count = inception_complexity("InceptionResNetV2")
    sizes = {part.name: part.output_shape for part in count.parts}
    assert sizes["block35"] == (35, 35, 320)
    assert sizes["block17"] == (17, 17, 1088)
    assert sizes["block8last"] == (8, 8, 2080)
    bare = inception_complexity("InceptionResNetV2", include_top=False)
    assert bare.parts == count.parts[:-1]


@pytest.mark.parametrize("family", COUNTS)
def test_an_unknown_name_lists_the_known_ones(family):
    count, rows = COUNTS[family]
    first = "ResNet50" if family == "comparison" else list(rows)[0]
    with pytest.raises(ValueError, match=f"'Nothing'. Known: {first}"):
        count("Nothing")


@pytest.mark.parametrize("family", COUNTS)
def test_a_record_serves_as_well_as_its_name(family):
    count, rows = COUNTS[family]
    name, row = next(iter(rows.items()))
    assert count(row) == count(name)
    assert str(count(row)).startswith(f"{name} at ")
