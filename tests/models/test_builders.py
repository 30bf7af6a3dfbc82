"""The builders keep the contract of `keras.applications`, and check more."""

import inspect
import pickle

import keras
import numpy as np
import pytest

import keras_pyconv.models as models
from keras_pyconv.architectures import ARCHITECTURES, Architecture
from keras_pyconv.models import build_classifier
from keras_pyconv.weights import torch_names

MINIS = ["ResNetMini", "PyConvResNetMini"]
BUILDERS = sorted(set(ARCHITECTURES) & set(dir(models)))
# Names that users may have in their code: a change is a breaking one.
BOTTLENECK = [
    *("1_conv", "1_bn", "1_relu", "2_pyconv", "2_bn", "2_relu"),
    *("3_conv", "3_bn", "0_pool", "0_conv", "0_bn", "add", "out"),
]


def mini(row="PyConvResNetMini", **options):
    return build_classifier(row, **{"input_shape": (40, 33, 3), **options})


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "name, record",
    [
        ("SEResNet50", []),
        ("PyConvResNet3D50", []),
        ("PyConvSegNet", []),
        ("SSD", []),
        ("build_classifier", ["ResNetMini"]),
    ],
)
def test_a_wrong_argument_is_told_by_its_function_with_the_nearest(
    name, record
):
    said = f"^{name} got .* 'klasses'. Did you mean classes.$"
    with pytest.raises(TypeError, match=said):
        getattr(models, name)(*record, klasses=5)


def test_every_network_of_the_family_has_a_builder():
    others = ("NLResNet", "PreActResNet", "ResNeXt", "SEResNet")
    assert {f"{name}{n}" for name in others for n in (50, 101, 152)} == (
        {name for name in BUILDERS if name.startswith(others)}
    )
    assert [name for name in BUILDERS if not name.startswith(others)] == [
        *("PyConvHGResNet101", "PyConvHGResNet152", "PyConvHGResNet50"),
        *("PyConvResNet101", "PyConvResNet152", "PyConvResNet18"),
        *("PyConvResNet34", "PyConvResNet50"),
        *("ResNet101", "ResNet152", "ResNet50"),
    ]


@pytest.mark.parametrize("name", BUILDERS)
def test_the_signature_is_kerass_and_two_arguments(name):
    builder = getattr(models, name)
    ours = inspect.signature(builder).parameters
    keras_s = inspect.signature(keras.applications.ResNet50).parameters
    assert list(ours) == [*keras_s, "output_stride", "dropout"]
    for argument in set(keras_s) - {"weights", "name"}:
        assert ours[argument].default == keras_s[argument].default
    assert ours["weights"].default is None
    assert ours["output_stride"].default is None
    assert ours["name"].default == name.lower()


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_is_an_ordinary_function(name):
    builder = getattr(models, name)
    assert builder.__name__ == builder.__qualname__ == name
    assert builder.__doc__.startswith(f"{name} (")
    for argument in inspect.signature(builder).parameters:
        assert f"\n    {argument}: " in builder.__doc__
    assert pickle.loads(pickle.dumps(builder)) is builder


def test_arguments_may_be_given_by_position():
    model = models.PyConvResNet18(
        False, None, None, (32, 32, 3), "avg", 1000, None, "mine", 16
    )
    assert model.name == "mine"
    assert model.output_shape == (None, 512)


def test_the_layers_names_are_stable():
    names = [layer.name for layer in mini().layers]
    assert [name for name in names if not name.startswith("conv")][1:] == [
        *("avg_pool", "predictions")
    ]
    assert {"conv1_conv", "conv1_bn", "conv1_relu"} < set(names)
    for stage in range(2, 6):
        found = {n for n in names if n.startswith(f"conv{stage}_block1_")}
        wanted = {f"conv{stage}_block1_{part}" for part in BOTTLENECK}
        if stage == 5:
            wanted ^= {"conv5_block1_2_pyconv", "conv5_block1_2_conv"}
        assert found == wanted


def test_a_pooled_shortcut_of_unchanged_channels_has_no_weights():
    model = mini("PyConvResNet18")
    names = {layer.name for layer in model.layers}
    assert "conv2_block1_0_pool" in names
    assert "conv2_block1_0_conv" not in names
    assert {"conv3_block1_0_pool", "conv3_block1_0_conv"} < names


def test_dropout_stands_before_the_classifier():
    layers = mini(dropout=0.3).layers
    assert [layer.name for layer in layers[-2:]] == ["dropout", "predictions"]
    assert layers[-2].rate == 0.3


@pytest.mark.parametrize(
    "shape, size",
    [
        ((None, None, 3), (1, 1)),
        ((1, 7, 3), (1, 7)),
        ((None, 50, 1), (31, 50)),
        ((33, 65, 4), (33, 65)),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", MINIS)
def test_any_size_and_number_of_channels_is_classified(name, shape, size):
    model = mini(name, input_shape=shape, classes=3)
    assert model.output_shape == (None, 3)
    outputs = np.asarray(model(images(2, *size, shape[-1])))
    np.testing.assert_allclose(outputs.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "pooling, shape",
    [(None, (None, 2, 2, 1024)), ("avg", (None, 1024)), ("max", (None, 1024))],
    ids=str,
)
def test_without_the_top_pooling_says_what_comes_out(pooling, shape):
    model = mini(include_top=False, pooling=pooling)
    assert model.output_shape == shape


def test_pooling_is_for_networks_without_the_top():
    assert mini(pooling="max", classes=7).output_shape == (None, 7)


def test_default_sizes_are_kerass():
    assert build_classifier("ResNetMini").input_shape == (None, 224, 224, 3)
    headless = build_classifier("ResNetMini", include_top=False)
    assert headless.input_shape == (None, None, None, 3)


def test_the_model_starts_where_the_input_tensor_starts():
    pixels = keras.Input((40, 40, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(pixels)
    model = mini(input_shape=None, input_tensor=scaled)
    assert model.input is pixels
    assert model.layers[1].name.startswith("rescaling")


def test_the_name_is_the_records_unless_given():
    assert mini().name == "pyconvresnetmini"
    assert mini(name="mine").name == "mine"


def test_logits_and_probabilities_differ_by_the_softmax():
    model = mini(classes=4)
    logits = mini(classes=4, classifier_activation=None)
    logits.set_weights(model.get_weights())
    x = images(2, 40, 33, 3)
    np.testing.assert_allclose(
        keras.activations.softmax(logits(x)), model(x), rtol=1e-5
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_under_mixed_precision_the_answers_are_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = mini(classes=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("conv5_block1_out").compute_dtype == policy[6:]
    assert model(images(1, 40, 33, 3)).dtype == "float32"


def test_channels_first_computes_the_same():
    last = mini(classes=4)
    keras.config.set_image_data_format("channels_first")
    try:
        first = mini(classes=4, input_shape=(3, 40, 33))
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    x = images(2, 40, 33, 3)
    np.testing.assert_allclose(
        first(x.transpose(0, 3, 1, 2)), last(x), rtol=1e-4
    )


@pytest.mark.parametrize("name", MINIS)
def test_a_saved_model_loads_and_computes_the_same(name, tmp_path):
    model = mini(name, classes=4, output_stride=16, dropout=0.1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = images(2, 40, 33, 3)
    np.testing.assert_array_equal(loaded(x), model(x))


def npz(model, path):
    names = torch_names(model)
    arrays = {names[v.path]: np.asarray(v) for v in model.variables}
    np.savez(
        path,
        **{
            name: np.moveaxis(a, (-1, -2), (0, 1)) if a.ndim > 1 else a
            for name, a in arrays.items()
        },
    )


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".npz"])
def test_weights_come_from_a_file(ending, tmp_path):
    model, path = mini(classes=4), tmp_path / f"saved{ending}"
    save = {".weights.h5": model.save_weights, ".keras": model.save}
    save.get(ending, lambda path: npz(model, path))(path)
    loaded = mini(classes=4, weights=str(path))
    for value, other in zip(loaded.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(value, other)


def test_kernels_start_with_the_spread_of_their_fan_out():
    model = mini()
    kernel = np.asarray(model.get_layer("conv5_block1_2_conv").kernels[0])
    assert kernel.std() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)
    # A normal distribution that is not cut off at two deviations.
    assert abs(kernel).max() > 4 * kernel.std()
    for kernel in model.get_layer("conv2_block1_2_pyconv").kernels:
        fan_out = kernel.shape[0] ** 2 * kernel.shape[-1]
        spread = np.asarray(kernel).std()
        assert spread == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)


def test_no_two_kernels_start_alike():
    kernels = [
        np.asarray(variable)
        for variable in mini().trainable_variables
        if "kernel" in variable.path
    ]
    first = [kernel.ravel()[:8] / kernel.std() for kernel in kernels]
    distances = [
        np.abs(a - b).max() for i, a in enumerate(first) for b in first[:i]
    ]
    assert min(distances) > 1e-3


def test_the_classifier_starts_uniform_in_its_fan_in():
    dense = mini().get_layer("predictions")
    for values in (np.asarray(dense.kernel), np.asarray(dense.bias)):
        assert abs(values).max() <= 1024**-0.5
        assert abs(values).max() > 0.9 * 1024**-0.5


def test_misspelt_weights_are_told_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean imagenet?"):
        models.PyConvResNet50(weights="imagnet")


MISTAKES = {
    "architecture": ({"row": "PyConvResNet51"}, "Known: .*PyConvResNet50"),
    "weights": (
        {"weights": "imagenet"},
        "No weights set_name='imagenet' are published",
    ),
    "weights_path": ({"weights": "lost.pth"}, "no such file: .*lost.pth"),
    "weights_type": (
        {"weights": 3},
        "`weights` must be None, one of .*, or the path",
    ),
    "pooling": ({"pooling": "mean"}, r"one of \[None, 'avg', 'max'\]"),
    "classes": ({"classes": 0}, "positive integer.*classes=0"),
    "classes_type": ({"classes": 2.5}, "positive integer.*classes=2.5"),
    "activation": ({"classifier_activation": "softmin"}, "softmin"),
    "activation_type": ({"classifier_activation": 3}, "activation=3"),
    "dropout": ({"dropout": 1.0}, r"\[0, 1\).*dropout=1.0"),
    "dropout_type": ({"dropout": "half"}, r"\[0, 1\).*dropout='half'"),
    "stride": ({"output_stride": 4}, r"one of \[32, 16, 8\]; got 4"),
    "rank": ({"input_shape": (32, 32)}, r"height, width, channels.*\(32, 32\)"),
    "batch": ({"input_shape": (1, 8, 8, 3)}, "without the batch"),
    "shape_type": ({"input_shape": 224}, "channels\\), without .*_shape=224"),
    "size": ({"input_shape": (0, 32, 3)}, "at least 1"),
    "channels": ({"input_shape": (32, 32, None)}, "channels .* positive"),
    "tensor": ({"input_tensor": np.ones((1, 8, 8, 3))}, "must be a Keras t"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_what_was_received(mistake):
    options, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        mini(**options)


def test_the_integers_of_numpy_are_integers():
    ten, sizes = np.int64(10), tuple(np.array([40, 33, 3]))
    model = mini(classes=ten, input_shape=sizes, dropout=np.float32(0.5))
    assert model.output_shape == (None, 10)
    assert model.input_shape == (None, 40, 33, 3)
    assert keras.Model.from_config(model.get_config()).built


def test_a_record_of_ones_own_has_its_own_output_stride():
    stages = ARCHITECTURES["PyConvResNetMini"].stages[:1]
    own = Architecture("Own", stages, "a test", total_stride=4)
    maps = build_classifier(own, False, input_shape=(32, 32, 3))
    assert maps.output_shape[1:3] == (8, 8)
    finer = build_classifier(
        own, False, input_shape=(32, 32, 3), output_stride=2
    )
    assert finer.output_shape[1:3] == (16, 16)


def test_two_shapes_that_disagree_are_refused():
    tensor = keras.Input((40, 40, 3))
    with pytest.raises(ValueError, match="says otherwise"):
        mini(input_tensor=tensor, input_shape=(32, 32, 3))


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="num_classes"):
        models.PyConvResNet50(num_classes=10)
