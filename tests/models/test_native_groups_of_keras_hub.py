"""Classifiers of KerasHub with grouped convolutions, without a download."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.layers.native_groups import NATIVE

pytestmark = pytest.mark.slow
SHAPE = (64, 64, 3)


@pytest.fixture(scope="module")
def models():
    hub = pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    return hub.models


def csp_resnext(models):
    backbone = models.CSPNetBackbone(
        stem_filters=16,
        stem_kernel_size=7,
        stem_strides=4,
        stackwise_depth=[1, 1],
        stackwise_strides=[1, 2],
        stackwise_num_filters=[32, 64],
        block_type="bottleneck_block",
        groups=8,
        stage_type="csp",
        expand_ratio=2.0,
        stem_pooling="max",
        cross_linear=True,
        image_shape=SHAPE,
    )
    return models.CSPNetImageClassifier(backbone=backbone, num_classes=5)


def hgnet(models):
    backbone = models.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=16,
        hidden_sizes=[32, 64],
        stem_channels=[3, 8, 16],
        hidden_act="relu",
        use_learnable_affine_block=False,
        stackwise_stage_filters=[(16, 8, 32, 1, 2, 3), (32, 16, 64, 1, 2, 5)],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, True],
        image_shape=SHAPE,
    )
    return models.HGNetV2ImageClassifier(
        backbone=backbone, preprocessor=None, num_classes=5
    )


def mobilenet(models):
    backbone = models.MobileNetBackbone(
        stackwise_expansion=[[40, 56], [64, 144]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[16, 16], [24, 24]],
        stackwise_kernel_size=[[3, 3], [5, 5]],
        stackwise_num_strides=[[2, 1], [1, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish"] * 2],
        stackwise_padding=[[1, 1], [2, 2]],
        output_num_filters=64,
        input_activation="hard_swish",
        output_activation="hard_swish",
        input_num_filters=16,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=96,
        squeeze_and_excite=0.5,
        image_shape=SHAPE,
    )
    return models.MobileNetImageClassifier(
        backbone=backbone, preprocessor=None, num_classes=5
    )


def mobilenet_v5(models):
    none = [[0], [0, 0]]
    backbone = models.MobileNetV5Backbone(
        stackwise_block_types=[["er"], ["uir", "uir"]],
        stackwise_num_blocks=[1, 2],
        stackwise_num_filters=[[24], [48, 48]],
        stackwise_strides=[[2], [2, 1]],
        stackwise_act_layers=[["relu"], ["relu", "relu"]],
        stackwise_exp_ratios=[[4.0], [6.0, 6.0]],
        stackwise_se_ratios=none,
        stackwise_dw_kernel_sizes=[[0], [5, 5]],
        stackwise_dw_start_kernel_sizes=none,
        stackwise_dw_end_kernel_sizes=none,
        stackwise_exp_kernel_sizes=[[3], [0, 0]],
        stackwise_pw_kernel_sizes=[[1], [0, 0]],
        stackwise_num_heads=none,
        stackwise_key_dims=none,
        stackwise_value_dims=none,
        stackwise_kv_strides=none,
        stackwise_use_cpe=[[False], [False, False]],
        use_msfa=False,
        image_shape=SHAPE,
    )
    return models.MobileNetV5ImageClassifier(backbone, 5)


def efficientnet(models):
    backbone = models.EfficientNetBackbone(
        width_coefficient=0.5,
        depth_coefficient=0.5,
        stackwise_kernel_sizes=[3, 5],
        stackwise_num_repeats=[1, 2],
        stackwise_input_filters=[32, 16],
        stackwise_output_filters=[16, 24],
        stackwise_expansion_ratios=[1, 6],
        stackwise_strides=[1, 2],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_block_types=["v1", "v1"],
        image_shape=SHAPE,
    )
    return models.EfficientNetImageClassifier(
        backbone=backbone, preprocessor=None, num_classes=5
    )


@pytest.mark.parametrize(
    "make, count",
    [(csp_resnext, 3), (hgnet, 3), (mobilenet, 5), (mobilenet_v5, 2)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_classifier_answers_trains_and_is_served(
    models, make, count, tmp_path
):
    keras.utils.set_random_seed(1)
    model = make(models)
    native = keras_pyconv.native_groups(model)
    kinds = tuple(NATIVE.values())
    found = [x for x in native._flatten_layers() if isinstance(x, kinds)]
    assert len(found) == count
    images = np.random.default_rng(0).normal(size=(4, *SHAPE))
    images, answers = images.astype("float32"), []
    for one in (model, native):
        one.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        before = one.predict(images, verbose=0)
        losses = [one.train_on_batch(images, np.arange(4)) for _ in range(2)]
        answers.append([before, losses])
    for theirs, ours in zip(*answers):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    native.export(tmp_path, verbose=False)
    assert not keras_pyconv.export.audit(tmp_path)


def test_an_efficientnet_has_nothing_to_do(models):
    with pytest.warns(UserWarning, match="nothing to do"):
        keras_pyconv.native_groups(efficientnet(models))
