"""Networks of every task cost what the ledger says, to the last unit."""

import json
from pathlib import Path

import pytest

import keras_pyconv
from keras_pyconv.architectures import (
    COMPARISONS,
    DETECTORS,
    INCEPTIONS,
    SEGMENTERS,
    VIDEO_ARCHITECTURES,
)
from keras_pyconv.complexity import Cost, complexity

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
FAMILIES = {
    "comparison": COMPARISONS,
    "segmentation": SEGMENTERS,
    "detection": DETECTORS,
    "inception": INCEPTIONS,
    "video": VIDEO_ARCHITECTURES,
}
# Nothing but its parameters was ever counted elsewhere.
UNCOUNTED = {f"PreActResNet{depth}" for depth in (50, 101, 152)}
UNCOUNTED |= {f"PSPNetResNet{depth}" for depth in (152, 269)}
ROWS = [
    pytest.param(row, id=f"{row['network']}-{number}")
    for family in FAMILIES
    for number, row in enumerate(LEDGER[family])
]
SEGMENTER = "PyConvSegNetPyConvResNet50"


def figures(row):
    keys = ("parameters", "non_trainable", "multiply_adds", "paper_ops")
    return Cost(**{key: row[key] for key in keys})


@pytest.mark.parametrize("row", ROWS)
def test_counts_equal_the_ledger_to_the_last_unit(row):
    found = complexity(row["network"], classes=row.get("classes"))
    assert found.cost == figures(row)
    assert found.input_shape == tuple(row["input_shape"])


@pytest.mark.parametrize("family, rows", FAMILIES.items(), ids=FAMILIES)
def test_the_ledger_has_every_row(family, rows):
    found = {row["network"] for row in LEDGER[family]}
    assert found == set(rows) - UNCOUNTED


def test_pre_activation_saves_normalizations_and_nothing_else():
    plain = complexity("ResNeXt50").stages[0].output_shape
    count = complexity("PreActResNet50")
    assert count.parameters == 25549480
    assert count.multiply_adds == 4089184256
    assert count.stages[0].output_shape == plain


def test_a_pyramid_in_time_spans_more_frames_where_it_is_wider():
    first = complexity("PyConvResNet3D50").stages[0]
    kernels = [level.kernel for level in first.levels]
    assert kernels == [(3, 3, 3), (3, 5, 5), (5, 7, 7), (7, 9, 9)]


def test_the_detector_predicts_8732_boxes():
    row = DETECTORS["SSDResNet50"]
    count = complexity(row)
    layers = [x for x in count.layers if x.name.endswith("_boxes")]
    sides = [layer.output_shape[0] for layer in layers]
    assert sides == [38, 19, 10, 5, 3, 1]
    boxes = [box_map.boxes for box_map in row.box_maps]
    assert sum(n * side**2 for n, side in zip(boxes, sides)) == 8732


def test_the_auxiliary_head_is_counted_unless_told_otherwise():
    whole = complexity(SEGMENTER)
    served = complexity(SEGMENTER, auxiliary=False)
    assert whole.parameters - served.parameters == 2398358
    assert whole.parts[:-1] == served.parts


def test_inception_shrinks_the_map_as_its_paper_says():
    count = complexity("InceptionResNetV2")
    sizes = {part.name: part.output_shape for part in count.parts}
    assert sizes["block35"] == (35, 35, 320)
    assert sizes["block17"] == (17, 17, 1088)
    assert sizes["block8last"] == (8, 8, 2080)
    bare = complexity("InceptionResNetV2", include_top=False)
    assert bare.parts == count.parts[:-1]


@pytest.mark.parametrize("rows", FAMILIES.values(), ids=FAMILIES)
def test_a_record_serves_as_well_as_its_name(rows):
    name, row = next(iter(rows.items()))
    assert complexity(row) == complexity(name)
    assert str(complexity(row)).startswith(f"{name} at ")
    with pytest.raises(ValueError, match=f"'Nothing'. Known: .*{name}"):
        complexity("Nothing")


def test_one_number_is_the_height_and_the_width():
    assert complexity("ResNet3D50", 112).input_shape == (16, 112, 112, 3)
    assert complexity("ResNet50", 320) == complexity("ResNet50", (320, 320, 3))


@pytest.mark.parametrize(
    "former, arguments, options",
    [
        ("comparison_complexity", ("SEResNet50",), {}),
        ("detection_complexity", ("SSDResNetMini", 3), {"classes": 3}),
        ("inception_complexity", ("InceptionResNetV2",), {}),
        (
            "segmentation_complexity",
            (SEGMENTER, (65, 65, 3), 5, False),
            {"input_shape": 65, "classes": 5, "auxiliary": False},
        ),
        ("video_complexity", ("ResNet3DMini",), {}),
    ],
)
def test_former_names_work_and_say_what_to_use(former, arguments, options):
    with pytest.warns(DeprecationWarning, match=f"{former}.*use `complexity`"):
        count = getattr(keras_pyconv.complexity, former)
    assert count(*arguments) == complexity(arguments[0], **options)
    with pytest.raises(AttributeError, match="no attribute 'count'"):
        keras_pyconv.complexity.count
