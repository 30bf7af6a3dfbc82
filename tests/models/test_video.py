"""The video networks are the supplement's, and compute what PyTorch does."""

import inspect

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.architectures import VIDEO_ARCHITECTURES
from keras_pyconv.complexity import complexity
from keras_pyconv.models import (
    build_classifier,
    build_video_classifier,
    features,
    inflate,
)
from keras_pyconv.weights import from_torch, torch_names

MINIS = ["ResNet3DMini", "PyConvResNet3DMini"]
BUILDERS = [
    *("PyConvResNet3D101", "PyConvResNet3D152", "PyConvResNet3D50"),
    *("ResNet3D101", "ResNet3D152", "ResNet3D50"),
]
SHAPE = (4, 40, 33, 3)


def mini(row="PyConvResNet3DMini", **options):
    return build_video_classifier(row, **{"input_shape": SHAPE, **options})


def clips(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def stirred(model):
    """`model` with other numbers than ones and zeros in its norms."""
    random = np.random.default_rng(5)
    for variable in model.weights:
        if variable.path.split("/")[0].endswith("_bn"):
            values = random.uniform(0.5, 1.5, variable.shape)
            variable.assign(values.astype("float32"))
    return model


@pytest.mark.parametrize("name", BUILDERS)
def test_the_signature_is_kerass_and_one_argument(name):
    builder = getattr(keras_pyconv, name)
    ours = inspect.signature(builder).parameters
    keras_s = inspect.signature(keras.applications.ResNet50).parameters
    assert list(ours) == [*keras_s, "dropout"]
    assert ours["classes"].default == 400
    assert ours["name"].default == builder.__name__.lower() == name.lower()
    for argument in ours:
        assert f"\n    {argument}: " in builder.__doc__


def counted(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_a_built_network_has_the_counted_parameters_and_layers():
    for name in MINIS:
        model, count = mini(name, classes=400), complexity(name, SHAPE)
        assert counted(model) == count.parameters
        assert model.count_params() - counted(model) == count.cost.non_trainable
        names = {layer.name for layer in model.layers[1:]} - {"dropout"}
        assert names == {layer.name for layer in count.layers}
        for layer in count.layers:
            found = model.get_layer(layer.name).output.shape[1:]
            assert tuple(found) == layer.output_shape[-len(found) :]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, classes, parameters",
    [
        ("ResNet3D50", 400, 46999760),
        ("PyConvResNet3D50", 400, 45373072),
        ("PyConvResNet3D50", 174, 44909998),
        ("ResNet3D152", 400, 118204624),
    ],
)
def test_the_papers_networks_have_these_parameters(name, classes, parameters):
    model = getattr(keras_pyconv, name)(classes=classes)
    assert model.input_shape == (None, 16, 224, 224, 3)
    assert counted(model) == parameters


def test_the_default_clip_is_sixteen_frames_of_224_pixels():
    assert mini(input_shape=None).input_shape == (None, 16, 224, 224, 3)
    headless = mini(input_shape=None, include_top=False)
    assert headless.input_shape == (None, None, None, None, 3)


@pytest.fixture(scope="module")
def any_size():
    shape = (None, None, None, 3)
    return [mini(name, input_shape=shape, classes=3) for name in MINIS]


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 33, 20)], ids=str)
def test_any_number_of_frames_and_size_is_classified(any_size, shape):
    for model in any_size:
        outputs = np.asarray(model(clips(2, *shape, 3)))
        assert outputs.shape == (2, 3)
        np.testing.assert_allclose(outputs.sum(axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "pooling, shape",
    [(None, (None, 1, 2, 2, 1024)), ("avg", (None, 1024))],
    ids=str,
)
def test_without_the_top_pooling_says_what_comes_out(pooling, shape):
    model = mini(include_top=False, pooling=pooling)
    assert model.output_shape == shape


def test_dropout_is_the_records_unless_given():
    assert mini().get_layer("dropout").rate == 0.5
    assert "dropout" not in [layer.name for layer in mini(dropout=0.0).layers]


def test_features_are_found_by_stride():
    found = features(mini(input_shape=(8, 64, 64, 3)))
    assert [feature.channels for feature in found] == [32, 128, 256, 512, 1024]
    assert [f.stride for f in found] == [2, 4, 8, 16, 32]
    assert [f.output.shape[1] for f in found] == [8, 8, 8, 4, 2]
    tiny = features(mini("PyConvResNet3DTiny", input_shape=(8, 64, 64, 3)))
    assert [f.output.shape[1:] for f in tiny] == [
        f.output.shape[1:] for f in found[:-1]
    ]


def test_a_saved_network_loads_and_computes_the_same(tmp_path):
    model, x = mini(classes=4), clips(1, *SHAPE)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


def test_channels_first_computes_the_same():
    last = mini(classes=4)
    keras.config.set_image_data_format("channels_first")
    try:
        first = mini(classes=4, input_shape=(3, 4, 40, 33))
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    x = clips(1, *SHAPE)
    np.testing.assert_allclose(
        first(x.transpose(0, 4, 1, 2, 3)), last(x), rtol=1e-4
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"row": "PyConvResNet50"}, "Known: ResNet3D50, PyConvResNet3D50"),
        ({"input_shape": (224, 224, 3)}, r"\(frames, height, width, chann"),
        ({"input_shape": (0, 8, 8, 3)}, "at least 1"),
        ({"dropout": 1.0}, r"\[0, 1\).*dropout=1.0"),
        ({"classes": 0}, "positive integer.*classes=0"),
    ],
    ids=str,
)
def test_a_mistake_is_refused_with_what_was_received(options, message):
    with pytest.raises(ValueError, match=message):
        mini(**options)


ONE_SLOW = [pytest.param(MINIS[0], marks=pytest.mark.slow), MINIS[1]]


@pytest.mark.parametrize("name", ONE_SLOW)
def test_a_still_clip_gives_the_pictures_features(name):
    base = VIDEO_ARCHITECTURES[name].base.name
    picture = stirred(build_classifier(base, input_shape=(40, 33, 3)))
    video = inflate(picture, mini(name, input_shape=(6, 40, 33, 3)))
    image = clips(1, 40, 33, 3)
    clip = np.repeat(image[:, None], 6, axis=1)
    for there, here in zip(features(picture), features(video)):
        wanted = keras.Model(picture.input, there.output)(image)
        found = np.asarray(keras.Model(video.input, here.output)(clip))
        scale = np.abs(wanted).max()
        for frame in range(found.shape[1]):
            np.testing.assert_allclose(
                found[:, frame], wanted, atol=1e-5 * scale
            )


def test_the_mean_rule_keeps_the_sum_over_time():
    picture = build_classifier("PyConvResNetMini", include_top=False)
    video = mini(include_top=False)
    inflate(picture, video, rule="mean")
    for kernel, wanted in zip(
        video.get_layer("conv2_block1_2_pyconv").kernels,
        picture.get_layer("conv2_block1_2_pyconv").kernels,
    ):
        frames = np.asarray(kernel)
        assert np.ptp(frames, axis=0).max() == 0
        np.testing.assert_allclose(frames.sum(0), wanted, rtol=1e-5)


def test_a_classifier_of_other_classes_keeps_its_start():
    picture = build_classifier("PyConvResNetMini", classes=7)
    video = mini(classes=5)
    before = np.asarray(video.get_layer("predictions").kernel)
    inflate(picture, video)
    after = np.asarray(video.get_layer("predictions").kernel)
    np.testing.assert_array_equal(before, after)
    same = inflate(picture)
    assert same.name == "pyconvresnet3dmini"
    np.testing.assert_array_equal(
        same.get_layer("predictions").kernel,
        picture.get_layer("predictions").kernel,
    )


def test_another_network_of_images_is_refused_and_changes_nothing():
    video = mini()
    before = np.asarray(video.get_layer("conv1_conv").kernels[0])
    with pytest.raises(
        ValueError, match="does not have the weights .*block1_2_pyc"
    ):
        inflate(build_classifier("ResNetMini"), video)
    with pytest.raises(ValueError, match="one of .*'center'.*='middle'"):
        inflate(build_classifier("PyConvResNetMini"), video, rule="middle")
    after = np.asarray(video.get_layer("conv1_conv").kernels[0])
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ONE_SLOW)
def test_the_network_computes_what_pytorchs_does(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.torch_networks import torch_network

    torch.manual_seed(1)
    theirs = torch_network(name, classes=7)
    # A step in training moves the statistics and proves them alike.
    x = clips(2, 5, 33, 40, 3)
    ours = mini(
        name,
        input_shape=x.shape[1:],
        classes=7,
        classifier_activation=None,
        dropout=0.0,
    )
    from_torch(ours, theirs.state_dict())
    theirs.dropout.p = 0.0
    for training in (True, False):
        theirs.train(training)
        with torch.no_grad():
            wanted = theirs(torch.from_numpy(x.transpose(0, 4, 1, 2, 3).copy()))
        found = np.asarray(ours(x, training=training))
        scale = float(wanted.abs().max())
        np.testing.assert_allclose(found, wanted, atol=2e-4 * scale)


def test_every_variable_has_a_name_in_pytorch():
    model = mini()
    names = torch_names(model)
    assert sorted(names) == sorted(v.path for v in model.weights)
    assert names["conv2_block1_2_pyconv/kernel_4"] == (
        "layer1.0.conv2.conv2_4.weight"
    )
    assert (
        names["conv4_block1_0_conv/kernel_1"] == "layer3.0.downsample.1.weight"
    )
