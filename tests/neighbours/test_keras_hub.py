"""PyConv networks as backbones of KerasHub's tasks, and its presets of them."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_pyconv

SHAPE = (64, 64, 3)
ROW = "PyConvResNetMini"
pytestmark = [
    pytest.mark.ci,
    # DeepLabV3 reads P4, so that the last stage learns nothing.
    pytest.mark.filterwarnings("ignore:Gradients do not exist"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),
]
LOADED = """
import sys, keras_hub, numpy as np, keras_pyconv.neighbours.keras_hub
model = keras_hub.models.ImageClassifier.from_preset(sys.argv[1])
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="keras-hub is not installed")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((2, *SHAPE)).astype("float32")


def backbone(**options):
    return keras_pyconv.keras_hub_backbone(
        ROW, **{"input_shape": SHAPE, **options}
    )


def test_its_maps_are_our_features_on_the_same_weights(hub, images, tmp_path):
    path = tmp_path / "model.weights.h5"
    model = keras_pyconv.build_classifier(
        ROW, include_top=False, input_shape=SHAPE
    )
    model.save_weights(path)
    theirs = backbone(weights=path)
    assert isinstance(theirs, hub.models.FeaturePyramidBackbone)
    assert list(theirs.pyramid_outputs) == ["P1", "P2", "P3", "P4", "P5"]
    ours = keras.Model(
        model.input, [x.output for x in keras_pyconv.features(model)]
    )
    found = keras.Model(theirs.input, theirs.pyramid_outputs)
    found = found.predict(images, verbose=0)
    for one, other in zip(found.values(), ours.predict(images, verbose=0)):
        np.testing.assert_array_equal(one, other)


def test_it_is_made_again_with_its_number_type(hub):
    made = backbone(include_rescaling=True, name="mine")
    config = {**made.get_config(), "dtype": "mixed_bfloat16"}
    twin = type(made).from_config(config)
    assert twin.name == "mine"
    assert twin.layers[-1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_a_classifier_trains_and_comes_back_from_a_preset(
    hub, images, tmp_path
):
    from keras_pyconv.neighbours.keras_hub import PyConvImageClassifier

    model = PyConvImageClassifier(backbone=backbone(), num_classes=3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    before = np.array(model.trainable_weights[0])
    model.fit(images, np.array([0, 2]), verbose=0)
    assert not np.array_equal(before, model.trainable_weights[0])
    preset, given, found = (tmp_path / n for n in ("preset", "x.npy", "y.npy"))
    model.save_to_preset(str(preset))
    np.save(given, images)
    subprocess.run(
        [sys.executable, "-c", LOADED, preset, given, found], check=1
    )
    wanted = model.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(found), wanted, atol=1e-5)
    new = hub.models.ImageClassifier.from_preset(str(preset), num_classes=7)
    assert new.output_shape == (None, 7)


def test_a_segmenter_trains_and_comes_back_from_a_preset(hub, images, tmp_path):
    pyramid = hub.models.DeepLabV3Backbone(
        image_encoder=backbone(),
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        dilation_rates=[2, 4],
        low_level_feature_key="P2",
        projection_filters=8,
    )
    model = hub.models.DeepLabV3ImageSegmenter(backbone=pyramid, num_classes=3)
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(True), metrics=[]
    )
    model.fit(images, np.ones((2, *SHAPE[:2]), "int32"), verbose=0)
    model.save_to_preset(str(tmp_path / "preset"))
    twin = hub.models.ImageSegmenter.from_preset(str(tmp_path / "preset"))
    np.testing.assert_allclose(
        twin.predict(images, verbose=0),
        model.predict(images, verbose=0),
        atol=1e-5,
    )


def test_a_detector_finds_boxes(hub, images):
    pyramid = hub.models.RetinaNetBackbone(
        image_encoder=backbone(), min_level=3, max_level=5, use_p5=False
    )
    anchors = hub.layers.AnchorGenerator("xywh", 3, 5, 3, [0.5, 1.0, 2.0], 4.0)
    model = hub.models.RetinaNetObjectDetector(
        backbone=pyramid,
        num_classes=3,
        bounding_box_format="xywh",
        anchor_generator=anchors,
    )
    found = model.predict(images, verbose=0)
    assert found["boxes"].shape[::2] == (2, 4)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.delitem(
        sys.modules, "keras_pyconv.neighbours.keras_hub", raising=False
    )
    with pytest.raises(ImportError, match="pip install keras-hub"):
        backbone()
