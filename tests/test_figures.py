"""Figures are shown in one way, whatever measured them."""

import pytest

from keras_pyconv import figures

SHOWN = {
    ("val_top1_error", 0.345): "34.5 %",
    ("accuracy", 0.871): "87.1 %",
    ("mean_iou", 0.4208): "42.1 %",
    ("val_AP", 0.2916): "29.2 %",
    ("val_AP50", 0.5): "50.0 %",
    ("val_AP S", -1.0): "none",
    ("val_AR 100", float("nan")): "none",
    ("loss", 1.23456): "1.235",
    ("mean_squared_error", 0.5): "0.5",
    ("offsets_loss", 12345.0): "1.234e+04",
}


@pytest.mark.parametrize("figure", SHOWN)
def test_shares_are_per_cent_and_what_is_missing_is_none(figure):
    assert figures.shown(*figure) == SHOWN[figure]


def test_a_line_has_the_validation_behind_the_training():
    logs = {"loss": 1.5, "val_top1_error": 0.25, "top1_error": 0.5}
    assert figures.line(logs) == (
        "loss 1.5, top-1 error 50.0 %; validation: top-1 error 25.0 %"
    )
    assert figures.line({"val_mean_iou": 0.1}) == "validation: mean IoU 10.0 %"
