"""Every network gives its feature maps by stride, at any output stride."""

import keras
import numpy as np
import pytest

from keras_pyconv.models import build_classifier, features

CHANNELS = [32, 128, 256, 512, 1024]
STRIDES = {
    32: [2, 4, 8, 16, 32],
    16: [2, 4, 8, 16, 16],
    8: [2, 4, 8, 8, 8],
}


def build(name, output_stride, **options):
    return build_classifier(
        name,
        include_top=False,
        input_shape=(64, 128, 3),
        output_stride=output_stride,
        **options,
    )


@pytest.mark.parametrize("output_stride", STRIDES)
@pytest.mark.parametrize("name", ["ResNetMini", "PyConvResNetMini"])
def test_strides_and_channels_are_those_of_the_maps(name, output_stride):
    found = features(build(name, output_stride))
    names = ["stem", "stage1", "stage2", "stage3", "stage4"]
    assert [feature.name for feature in found] == names
    assert [feature.stride for feature in found] == STRIDES[output_stride]
    assert [feature.channels for feature in found] == CHANNELS
    for _, stride, channels, output in found:
        shape = (None, 64 // stride, 128 // stride, channels)
        assert output.shape == shape


@pytest.mark.parametrize(
    "output_stride, dilations", [(32, [1, 1]), (16, [1, 2]), (8, [2, 4])]
)
def test_dilation_replaces_stride_from_the_first_block_on(
    output_stride, dilations
):
    model = build("PyConvResNet18", output_stride)
    for block in (1, 2):
        third = model.get_layer(f"conv4_block{block}_1_pyconv")
        fourth = model.get_layer(f"conv5_block{block}_1_conv")
        found = [third.dilation_rate[0], fourth.dilation_rate[0]]
        assert found == dilations
    pool = model.get_layer("conv5_block1_0_pool")
    assert tuple(pool.strides) == ((2, 2) if output_stride == 32 else (1, 1))


def test_weights_do_not_depend_on_the_output_stride():
    shapes = [
        [(v.path.split("/", 1)[-1], tuple(v.shape)) for v in model.variables]
        for model in (build("ResNetMini", stride) for stride in STRIDES)
    ]
    assert shapes[0] == shapes[1] == shapes[2]


def test_a_backbone_needs_no_surgery_after_loading(tmp_path):
    model = build("PyConvResNetMini", 16)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outputs = [feature.output for feature in features(loaded)]
    maps = keras.Model(loaded.input, outputs)(np.ones((1, 64, 128, 3)))
    assert [m.shape[-1] for m in maps] == CHANNELS
    np.testing.assert_array_equal(maps[-1], model(np.ones((1, 64, 128, 3))))


def test_a_model_of_another_kind_is_refused():
    images = keras.Input((4,))
    other = keras.Model(images, keras.layers.Dense(2)(images))
    with pytest.raises(ValueError, match="needs a residual network"):
        features(other)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 152])
@pytest.mark.parametrize("family", ["ResNet", "PyConvResNet", "PyConvHGResNet"])
def test_deep_networks_have_the_same_maps(family, depth):
    model = build(f"{family}{depth}", 8)
    found = [feature.stride for feature in features(model)]
    assert found == STRIDES[8]
    assert model.output_shape == (None, 8, 16, 2048)
