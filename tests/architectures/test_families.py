"""Records of segmentation, detection and video refuse what cannot be."""

from dataclasses import replace

import pytest

from keras_pyconv.architectures import (
    ARCHITECTURES,
    BOX_MAPS,
    DETECTORS,
    INCEPTIONS,
    PYRAMIDS,
    SEGMENTERS,
    VIDEO_ARCHITECTURES,
    AtrousHead,
    Conv,
    ParsingHead,
    Pool,
    PoolingHead,
    Pyramid,
    Residuals,
)

SEGMENTER = SEGMENTERS["PyConvSegNetResNet50"]
DETECTOR = DETECTORS["PyConvSSDPyConvResNet50"]
VIDEO = VIDEO_ARCHITECTURES["PyConvResNet3D50"]
FRAMES = VIDEO.frames_by_side
INCEPTION = INCEPTIONS["PyConvInceptionResNetV2"]
BLOCK = INCEPTION.parts[2]
TABLES = (
    SEGMENTERS,
    DETECTORS,
    INCEPTIONS,
    VIDEO_ARCHITECTURES,
)


def misfit():
    """A block whose pyramid's groups do not divide its input."""
    return Residuals("odd", 1, ((Pyramid(64, PYRAMIDS[2]),),))


@pytest.mark.parametrize("rows", TABLES)
def test_every_row_has_its_name_and_source(rows):
    for name, row in rows.items():
        assert row.name == name
        assert row.source.startswith(("Table", "supplement, Table", "ours"))


def test_a_reconstruction_says_that_it_is_one():
    ours = {n for n, row in INCEPTIONS.items() if "our recon" in row.source}
    assert ours == set(INCEPTIONS) - {"InceptionResNetV2"}


def test_names_are_unique_over_all_tasks():
    names = [name for rows in (ARCHITECTURES, *TABLES) for name in rows]
    assert len(set(names)) == len(names)


def test_the_extra_layers_are_those_of_the_supplement():
    levels = [len(layer.levels) for layer in DETECTOR.extra_layers]
    assert levels == [4, 3, 2, 1, 1]
    assert [box_map.boxes for box_map in BOX_MAPS] == [4, 6, 6, 6, 4, 4]
    strides = [stage.stride for stage in DETECTOR.backbone.stages]
    assert strides == [2, 2, 1]


def test_time_is_halved_late_and_pooled_only_there():
    strides = [VIDEO.strides(number) for number in range(4)]
    assert strides == [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]
    windows = [VIDEO.pool_window(number)[0] for number in range(4)]
    assert windows == [1, 1, 3, 3]


@pytest.mark.parametrize(
    "row, change, message",
    [
        (SEGMENTER, {"name": "a b"}, "'a b': the name must be"),
        (SEGMENTER, {"source": ""}, "`source` is empty"),
        (SEGMENTER, {"output_stride": 4}, "16, 8.; got 4"),
        (SEGMENTER, {"dropout": 1}, "`dropout` must be .* got 1"),
        (SEGMENTER, {"auxiliary_width": 0}, "`auxiliary_width` .* got 0"),
        (ParsingHead(), {"width": 520}, "width 520, level 2: groups=4"),
        (ParsingHead(), {"bins": 0}, "`bins` .* got 0"),
        (PoolingHead(), {"bins": (1, -2)}, "`bins` .* got .1, -2."),
        (AtrousHead(), {"rates": (6, 0)}, "`rates` .* got .6, 0."),
        (DETECTOR, {"name": "1"}, "'1': the name must be"),
        (DETECTOR, {"source": ""}, "`source` is empty"),
        (DETECTOR, {"box_maps": BOX_MAPS[1:]}, "6 feature maps .* got 5"),
        (DETECTOR, {"input_size": 200}, "nothing for extra layer 5; .* 257"),
        (
            DETECTOR,
            {"box_maps": (replace(BOX_MAPS[0], step=9), *BOX_MAPS[1:])},
            "map 1: `step` must be 8; got 9",
        ),
        (DETECTOR.extra_layers[0], {"padding": "full"}, "got 'full'"),
        (DETECTOR.extra_layers[0], {"bottleneck": 250}, "groups=4 must"),
        (DETECTOR.extra_layers[3], {"levels": PYRAMIDS[4][:2]}, "got 1/2"),
        (BOX_MAPS[0], {"next_size": 20}, "must exceed 21; got 20"),
        (VIDEO, {"name": ""}, "the name must be"),
        (VIDEO, {"source": ""}, "`source` is empty"),
        (VIDEO, {"frames_strides": (1, 2)}, "4 stages .* got .1, 2."),
        (VIDEO, {"frames_by_side": ((3, 3),)}, "side .5, 7, 9."),
        (VIDEO, {"frames_by_side": ((3, 0), *FRAMES)}, "side` .* got ..3, 0."),
        (
            VIDEO,
            {"frames_strides": (1, 1, 2, 0)},
            "strides` .* got .1, 1, 2, 0.",
        ),
        (VIDEO, {"stem_kernel": (7, 7)}, "`stem_kernel` .* got .7, 7."),
        (VIDEO, {"stem_kernel": (5, 7, -7)}, "`stem_kernel` .* got .5, 7, -7."),
        (VIDEO, {"dropout": 1.0}, "`dropout` must .* got 1.0"),
        (VIDEO, {"base": ARCHITECTURES["PyConvResNet18"]}, "got 'basic2'"),
        (INCEPTION, {"name": "a-b"}, "'a-b': the name must be"),
        (INCEPTION, {"source": ""}, "`source` is empty"),
        (INCEPTION, {"parts": (misfit(),)}, "level 2: groups=4 must"),
        (BLOCK, {"blocks": 0}, "block35: `blocks` .* got 0"),
        (BLOCK, {"scale": 2.0}, "`scale` must .* got 2.0"),
        (Conv(8), {"stride": 2}, "only a 'valid' convolution may stride"),
        (Conv(8), {"padding": "full"}, "got 'full'"),
        (Conv(8), {"kernel": (3, 0)}, "`kernel` .* got .3, 0."),
        (Pool("max"), {"kind": "least"}, "got 'least'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_corrupted_row_is_refused(row, change, message):
    with pytest.raises(ValueError, match=message):
        replace(row, **change)
