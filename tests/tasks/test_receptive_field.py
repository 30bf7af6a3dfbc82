"""PyConv units see farther than plain ones: by arithmetic and by gradient."""

import keras
import numpy as np
import pytest

from keras_pyconv.architectures import ARCHITECTURES, Architecture
from keras_pyconv.models import build_classifier
from keras_pyconv.tasks import (
    effective_receptive_field,
    share_outside,
    theoretical_receptive_field,
)

# Stem and first stage, cut from the rows of the paper's Table 1.
NAMES = ("ResNet50", "PyConvResNet50")
IMAGES = np.random.default_rng(7).normal(size=(3, 128, 128, 3))


def first_stage(name):
    row = ARCHITECTURES[name]
    cut = Architecture(
        f"{name}Stage1",
        row.stages[:1],
        "a test",
        stem_pool=row.stem_pool,
        total_stride=4,
    )
    keras.utils.set_random_seed(1)
    return build_classifier(cut, include_top=False, output_stride=4)


@pytest.fixture(scope="module")
def models():
    return {name: first_stage(name) for name in NAMES}


@pytest.fixture(scope="module")
def fields(models):
    return {
        name: effective_receptive_field(model, "stage1", IMAGES)
        for name, model in models.items()
    }


# By hand, twice the reach plus one. ResNet-50: stem 3, pooling 2, three 3x3
# at stride 4. PyConvResNet-50: stem 3, a 9x9 at stride 2, two at stride 4.
@pytest.mark.parametrize(
    "name, stage, side",
    [
        ("ResNet50", "stem", 7),
        ("ResNet50", "stage1", 2 * (3 + 2 + 3 * 4) + 1),
        ("PyConvResNet50", "stem", 7),
        ("PyConvResNet50", "stage1", 2 * (3 + 8 + 2 * 16) + 1),
    ],
)
def test_the_theoretical_field_is_that_of_the_arithmetic(
    models, name, stage, side
):
    assert theoretical_receptive_field(models[name], stage) == side


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_fills_the_theoretical_window_and_no_more(
    models, fields, name
):
    window = theoretical_receptive_field(models[name], "stage1")
    rows, columns = np.nonzero(fields[name])
    middle = fields[name].shape[0] // 2
    for places in (rows, columns):
        assert places.min() == middle - window // 2
        assert places.max() == middle + window // 2


def test_pyconv_sees_outside_of_the_plain_networks_window(models, fields):
    window = theoretical_receptive_field(models["ResNet50"], "stage1")
    assert share_outside(fields["ResNet50"], window) == 0
    assert share_outside(fields["PyConvResNet50"], window) > 0.05


@pytest.mark.parametrize("output_stride", [32, 8])
@pytest.mark.parametrize("name", ["ResNetMini", "PyConvResNetMini"])
def test_deeper_stages_and_dilation_stay_within_their_window(
    name, output_stride
):
    keras.utils.set_random_seed(2)
    model = build_classifier(
        name, include_top=False, output_stride=output_stride
    )
    field = effective_receptive_field(model, "stage3", IMAGES[:1])
    window = theoretical_receptive_field(model, "stage3")
    assert share_outside(field, window) == 0
    assert share_outside(field, window - 4) > 0


def test_the_field_sums_to_one_with_the_unit_in_the_middle(models):
    images = IMAGES[:1, :72, :80]
    field = effective_receptive_field(models["ResNet50"], "stem", images)
    # The unit of a 36 x 40 map at (18, 20) stands at pixel (36, 40).
    assert field.shape == (73, 81)
    assert field.sum() == pytest.approx(1)
    assert share_outside(field, 7) == 0


def test_an_unknown_stage_and_a_wrong_image_are_refused(models):
    model = models["ResNet50"]
    with pytest.raises(ValueError, match="'stage9'.*stem, stage1"):
        theoretical_receptive_field(model, "stage9")
    with pytest.raises(ValueError, match="stage9"):
        effective_receptive_field(model, "stage9", IMAGES)
    with pytest.raises(ValueError, match=r"shape \(128, 128, 3\)"):
        effective_receptive_field(model, "stage1", IMAGES[0])
    with pytest.raises(ValueError, match="window=4"):
        share_outside(np.ones((9, 9)), 4)


def test_any_layer_of_any_model_has_a_field():
    images = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(4, 3, padding="same", name="first")(images)
    maps = keras.layers.AveragePooling2D(2, name="halved")(maps)
    top = keras.layers.GlobalAveragePooling2D(name="top")(maps)
    other = keras.Model(images, top, name="other")
    pixels = IMAGES[:1, :32, :32]
    field = effective_receptive_field(other, "first", pixels)
    assert share_outside(field, 3) == 0 and share_outside(field, 1) > 0
    # Two by two units of the layer before, each of three by three pixels.
    halved = effective_receptive_field(other, "halved", pixels)
    rows, columns = np.nonzero(halved)
    assert np.ptp(rows) == np.ptp(columns) == 3
    with pytest.raises(ValueError, match="'firts'.*Known: first"):
        effective_receptive_field(other, "firts", pixels)
    with pytest.raises(
        ValueError, match="'top' of 'other' does not return a single"
    ):
        effective_receptive_field(other, "top", pixels)


def test_a_layer_by_its_name_sees_what_its_stage_sees(models):
    model = models["ResNet50"]
    stage, layer = (
        effective_receptive_field(model, name, IMAGES[:1, :72, :80])
        for name in ("stage1", "conv2_block3_out")
    )
    assert stage.max() == pytest.approx(layer.max())
    assert share_outside(layer, 35 + 4) == 0
