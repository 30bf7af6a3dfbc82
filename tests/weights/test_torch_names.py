"""Weights of the authors' networks load by name, strictly."""

import keras
import numpy as np
import pytest

from keras_pyconv.models import build_classifier
from keras_pyconv.weights import from_torch, torch_names
from tests.reference import rule


def build(architecture="PyConvResNetMini", **options):
    options = {"input_shape": (None, None, 3), "classes": 5, **options}
    return build_classifier(architecture, **options)


def source_for(model):
    """Weights in the authors' names and axes that fit `model`."""
    names = torch_names(model)
    shapes = {}
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            shape = (shape[-1], shape[-2], *shape[:-2])
        shapes[names[variable.path]] = shape
    return rule.weights(shapes)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture
def source(model):
    return source_for(model)


def snapshot(model):
    return [np.array(value) for value in model.get_weights()]


def assert_untouched(model, before):
    for value, old in zip(model.get_weights(), before):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize(
    "path, name",
    [
        ("conv1_conv/kernel_1", "conv1.weight"),
        ("conv1_bn/moving_variance", "bn1.running_var"),
        ("conv2_block1_1_conv/kernel", "layer1.0.conv1.weight"),
        ("conv2_block1_2_pyconv/kernel_4", "layer1.0.conv2.conv2_4.weight"),
        ("conv5_block1_2_conv/kernel_1", "layer4.0.conv2.weight"),
        ("conv3_block1_3_bn/gamma", "layer2.0.bn3.weight"),
        ("conv2_block1_0_conv/kernel", "layer1.0.downsample.1.weight"),
        ("conv2_block1_0_bn/beta", "layer1.0.downsample.2.bias"),
        ("predictions/kernel", "fc.weight"),
    ],
)
def test_names_follow_from_the_layers_names(model, path, name):
    assert torch_names(model)[path] == name


def test_a_projection_without_pooling_is_the_first_of_its_kind():
    names = torch_names(build("ResNetMini"))
    name = names["conv3_block1_0_conv/kernel"]
    assert name == "layer2.0.downsample.0.weight"


def test_both_convolutions_of_a_basic_block_have_levels():
    names = torch_names(build("PyConvResNet18BasicBlock1"))
    name = names["conv3_block2_2_pyconv/kernel_3"]
    assert name == "layer2.1.conv2.conv2_3.weight"
    assert len(set(names.values())) == len(names)


def test_axes_move_and_values_do_not(model, source):
    assert from_torch(model, source) is model
    kernel = model.get_layer("conv2_block1_2_pyconv").kernels[1]
    np.testing.assert_array_equal(
        kernel, source["layer1.0.conv2.conv2_2.weight"].transpose(2, 3, 1, 0)
    )
    dense = model.get_layer("predictions").kernel
    np.testing.assert_array_equal(dense, source["fc.weight"].T)


def test_all_that_does_not_fit_is_listed_and_nothing_is_loaded(model, source):
    before = snapshot(model)
    del source["bn1.weight"]
    source["layer9.0.conv1.weight"] = np.zeros(3)
    source["fc.weight"] = source["fc.weight"].T
    with pytest.raises(ValueError) as caught:
        from_torch(model, source)
    message = str(caught.value)
    assert "Missing in the source (1):\n  bn1.weight" in message
    assert "Left over in the source (1):\n  layer9.0.conv1.weight" in message
    assert "fc.weight: shape (1024, 5), expected (5, 1024)" in message
    assert_untouched(model, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300, 1j, "a", None])
def test_what_is_no_finite_number_is_refused(model, source, value):
    before = snapshot(model)
    source["fc.bias"] = np.array([0, 0, 0, 0, value])
    with pytest.raises(ValueError, match=r"Unusable \(1\):\n  fc.bias"):
        from_torch(model, source)
    assert_untouched(model, before)


def test_counters_of_batches_carry_nothing(model, source):
    from_torch(model, {**source, "bn1.num_batches_tracked": np.array(7)})


def test_the_wrappers_of_training_scripts_are_taken_off(model, source):
    wrapped = {f"module.{name}": array for name, array in source.items()}
    from_torch(model, {"epoch": 90, "state_dict": wrapped})


def test_float64_and_float16_arrays_are_numbers_too(model, source):
    source["fc.bias"] = source["fc.bias"].astype("float64")
    source["fc.weight"] = source["fc.weight"].astype("float16")
    from_torch(model, source)


def test_a_classifier_may_be_left_over_where_the_model_has_none(source):
    headless = build(include_top=False)
    from_torch(headless, source)
    with pytest.raises(ValueError, match="Left over"):
        from_torch(headless, {**source, "head.weight": np.zeros(3)})


def test_layers_that_the_authors_do_not_have_keep_their_weights(source):
    images = keras.Input((None, None, 3))
    scaled = keras.layers.Normalization(mean=2.0, variance=4.0)(images)
    from_torch(build(input_tensor=scaled), source)


def test_a_model_of_another_kind_is_refused():
    images = keras.Input((4,))
    top = keras.layers.Dense(2, name="predictions")
    other = keras.Model(images, top(images))
    # A file of the classifier alone would fit.
    classifier = {"fc.weight": np.zeros((2, 4)), "fc.bias": np.zeros(2)}
    with pytest.raises(ValueError, match="'conv1_conv'.*made by a builder"):
        from_torch(other, classifier)


def test_a_mixed_precision_model_keeps_float32_variables(source):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = from_torch(build(), source)
    finally:
        keras.config.set_dtype_policy("float32")
    dense = model.get_layer("predictions").kernel
    np.testing.assert_array_equal(dense, source["fc.weight"].T)
