"""The records hold the paper's digits and refuse ones that cannot be."""

from dataclasses import FrozenInstanceError, replace

import pytest

from keras_pyconv.architectures import (
    ARCHITECTURES,
    COMPARISONS,
    DEPTHS,
    PYRAMIDS,
    Architecture,
    Level,
    Stage,
    get_architecture,
    residual,
)

# kernel:groups:filters of every level, one string a stage.
TABLE_1 = {
    "ResNet50": ("3:1:64", "3:1:128", "3:1:256", "3:1:512"),
    "PyConvResNet50": (
        "3:1:16 5:4:16 7:8:16 9:16:16",
        "3:1:32 5:4:32 7:8:64",
        "3:1:128 5:4:128",
        "3:1:512",
    ),
    "PyConvHGResNet50": (
        "3:32:32 5:32:32 7:32:32 9:32:32",
        "3:32:64 5:64:64 7:64:128",
        "3:32:256 5:64:256",
        "3:32:1024",
    ),
}
TABLE_2 = {
    "Ablation1111": TABLE_1["ResNet50"],
    "Ablation2221": (
        "3:1:32 5:4:32",
        "3:1:64 5:4:64",
        "3:1:128 5:4:128",
        "3:1:512",
    ),
    "Ablation3321": (
        "3:1:16 5:4:16 7:8:32",
        *TABLE_1["PyConvResNet50"][1:],
    ),
    "Ablation4321": TABLE_1["PyConvResNet50"],
    "Ablation4321Max": TABLE_1["PyConvResNet50"],
    "Ablation4321Final": TABLE_1["PyConvResNet50"],
    "AblationTop4321": ("9:16:64", "7:8:128", "5:4:256", "3:1:512"),
    "Ablation5432": (
        "3:1:8 5:4:8 7:8:16 9:16:16 11:16:16",
        "3:1:32 5:4:32 7:8:32 9:16:32",
        "3:1:64 5:4:64 7:8:128",
        "3:1:256 5:4:256",
    ),
}
STAGE = Stage(64, 3, PYRAMIDS[4])
RECORD = ARCHITECTURES["PyConvResNet50"]
BASIC = ARCHITECTURES["PyConvResNet18"]
HALVES = (Level(3, 1, "1/2"), Level(5, 1, "1/4"))


def named(*cases):
    return [pytest.param(*case, id=case[-1]) for case in cases]


def written(stage):
    levels = zip(stage.kernels, stage.groups, stage.filters)
    return " ".join(":".join(map(str, level)) for level in levels)


@pytest.mark.parametrize("name", [*TABLE_1, *TABLE_2])
def test_levels_are_those_of_the_paper(name):
    expected = {**TABLE_1, **TABLE_2}[name]
    assert tuple(map(written, ARCHITECTURES[name].stages)) == expected


@pytest.mark.parametrize("family", ["ResNet", "PyConvResNet", "PyConvHGResNet"])
@pytest.mark.parametrize("depth", [101, 152])
def test_depths_differ_in_their_blocks_alone(family, depth):
    big, small = (ARCHITECTURES[f"{family}{d}"] for d in (depth, 50))
    assert tuple(stage.blocks for stage in big.stages) == DEPTHS[depth]
    for deep, shallow in zip(big.stages, small.stages):
        assert replace(deep, blocks=shallow.blocks) == shallow


def test_only_the_networks_of_others_pool_in_the_stem():
    pooled = {name for name, row in ARCHITECTURES.items() if row.stem_pool}
    plain = {f"ResNet{depth}" for depth in (50, 101, 152)} | {"ResNetMini"}
    plain |= {
        *COMPARISONS,
        "SEResNet50_biased",
        "ResNeXt101_32x8d",
        "ResNet269",
    }
    final = {"Ablation4321Max", "Ablation4321Final"}
    assert pooled == plain | set(TABLE_2) - final


SOURCES = (
    "Table",
    "authors' code",
    "ours: ",
    "torchvision: ",
    "timm: ",
    "PSPNet",
)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_row_names_its_source(name):
    row = ARCHITECTURES[name]
    assert row.name == name
    assert row.source.startswith(SOURCES)


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="PyConvResNet50: two rows"):
        residual._by_name((RECORD, RECORD))


def test_rows_have_different_contents():
    twins = {"ResNet50", "PyConvResNet50"}  # Table 2 begins and ends with them
    rows = [row for name, row in ARCHITECTURES.items() if name not in twins]
    bare = {replace(row, name="same", source="same") for row in rows}
    assert len(bare) == len(rows)


@pytest.mark.parametrize(
    "make, message",
    named(
        (lambda: Level(4), "Level: `kernel` must be odd; got 4"),
        (lambda: Level(0), "Level: `kernel` must be a positive .* got 0"),
        (lambda: Level("3"), "Level: `kernel` must be .* got '3'"),
        (lambda: Level(3, 0), "Level: `groups` must be .* got 0"),
        (lambda: Level(3, 1.0), "Level: `groups` must be .* got 1.0"),
        (lambda: Level(3, 1, 0), "Level: `share` must lie in .* got 0"),
        (lambda: Level(3, 1, "3/2"), "Level: `share` must lie in .* got '3/2'"),
    ),
)
def test_a_corrupted_level_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "change, message",
    named(
        ({"blocks": 0}, "width 64: `blocks` must be a positive .* got 0"),
        ({"width": 64.5}, "width 64.5: `width` must be .* got 64.5"),
        ({"stride": 3}, "width 64: `stride` must be one of .1, 2.; got 3"),
        ({"shortcut": "skip"}, "width 64: `shortcut` must be .* got 'skip'"),
        ({"levels": ()}, "width 64: the shares must sum to 1; got 0"),
        ({"levels": HALVES}, "width 64: the shares must sum to 1; got 3/4"),
        ({"width": 66}, "width 66, level 1: share 1/4 of 66 is no whole"),
        (
            {"width": 32},
            "width 32, level 4: groups=16 must divide the 32 input channels "
            "and the 8 filters",
        ),
        (
            {"levels": (Level(3, 3),)},
            "width 64, level 1: groups=3 must divide the 64",
        ),
    ),
)
def test_a_corrupted_stage_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(STAGE, **change)


@pytest.mark.parametrize(
    "row, change, message",
    named(
        (RECORD, {"name": "PyConv-50"}, "'PyConv-50': the name must be"),
        (RECORD, {"source": ""}, "PyConvResNet50: `source` is empty"),
        (RECORD, {"stages": ()}, "PyConvResNet50: `stages` is empty"),
        (RECORD, {"block": "wide"}, "PyConvResNet50: `block` .* got 'wide'"),
        (RECORD, {"expansion": 0}, "PyConvResNet50: `expansion` .* got 0"),
        (RECORD, {"stem_width": -1}, "PyConvResNet50: `stem_width` .* got -1"),
        (RECORD, {"stem_pool": True}, "strides multiply to 64, .*stride=32"),
        (BASIC, {"expansion": 4}, "PyConvResNet18: basic .* expansion=4"),
        (
            BASIC,
            {"stem_width": 24},
            "level 4: groups=16 does not divide the 24",
        ),
    ),
)
def test_a_corrupted_architecture_is_refused(row, change, message):
    with pytest.raises(ValueError, match=message):
        replace(row, **change)


def test_records_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        RECORD.expansion = 2


@pytest.mark.parametrize(
    "output_stride, dilations",
    [(32, (1, 1, 1, 1)), (16, (1, 1, 1, 2)), (8, (1, 1, 2, 4))],
)
@pytest.mark.parametrize("name", ["ResNet50", "PyConvResNet50"])
def test_late_stages_trade_stride_for_dilation(name, output_stride, dilations):
    row = ARCHITECTURES[name]
    strides, found = zip(*row.strides(output_stride))
    assert found == dilations
    for stage, stride, dilation in zip(row.stages, strides, dilations):
        assert stride == (1 if dilation > 1 else stage.stride)


def test_an_unreachable_output_stride_is_refused():
    with pytest.raises(ValueError, match=r"PyConvResNet50: .*16, 8\]; got 4"):
        RECORD.strides(4)


def test_the_stages_bound_what_can_be_traded():
    own = Architecture("Own", (STAGE,), "a test", total_stride=4)
    assert own.strides() == own.strides(4) == ((2, 1),)
    assert own.strides(2) == ((1, 2),)
    with pytest.raises(ValueError, match=r"Own: .* one of \[4, 2\]; got 1"):
        own.strides(1)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'Some'. Known: ResNet50, "):
        get_architecture("Some")
    with pytest.raises(ValueError, match="mean PyConvResNet50. Known"):
        get_architecture("PyConvResnet50")


def test_a_record_of_ones_own_serves_as_well_as_a_name():
    own = Architecture("Own", (STAGE,), "a test", total_stride=4)
    assert get_architecture(own) is own
    assert get_architecture("PyConvResNet50") is RECORD
