"""One way in for weights, whatever holds them, and former names lead there."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.models import build_classifier, build_segmenter
from keras_pyconv.weights import load, torch_shapes
from tests.reference import rule
from tests.weights.conftest import VARIANT

KERNEL = "conv2_block1_2_pyconv"


def build(**options):
    return build_classifier(VARIANT, input_shape=(32, 32, 3), **options)


def kernel(model):
    return np.array(model.get_layer(KERNEL).kernels[0])


def detector():
    return keras_pyconv.PyConvSSD(VARIANT, classes=3)


@pytest.fixture
def kept(published, cache, arrays):
    """The published weights are in the cache."""
    keras_pyconv.weights.files.write_arrays(
        cache / f"{published.name}.npz", arrays
    )


@pytest.fixture(scope="module")
def trained():
    return build(classes=7)


SOURCES = {
    "name": lambda model, folder: "imagenet",
    "model": lambda model, folder: model,
    "mapping": lambda model, folder: rule.weights(torch_shapes(VARIANT, 7)),
    "npz": lambda model, folder: folder / "w.npz",
    "weights.h5": lambda model, folder: folder / "w.weights.h5",
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("make", [build, detector])
def test_a_backbone_comes_from_anything(kept, trained, tmp_path, kind, make):
    np.savez(tmp_path / "w.npz", **rule.weights(torch_shapes(VARIANT, 7)))
    trained.save_weights(tmp_path / "w.weights.h5")
    source = SOURCES[kind](trained, tmp_path)
    model, wanted = make(), build(classes=7)
    top = [np.array(w) for w in model.layers[-1].get_weights()]
    assert load(model, source, part="backbone") is model
    load(wanted, source)
    np.testing.assert_array_equal(kernel(model), kernel(wanted))
    for old, new in zip(top, model.layers[-1].get_weights()):
        np.testing.assert_array_equal(old, new)


def test_a_name_finds_its_file_by_the_variables_of_the_model(kept, arrays):
    model = load(build(name="of_mine", classes=5), "imagenet")
    wanted = arrays["layer1.0.conv2.conv2_1.weight"]
    np.testing.assert_array_equal(
        kernel(model), np.moveaxis(wanted, (0, 1), (-1, -2))
    )
    other = build_classifier("PyConvResNet18", include_top=False)
    message = f"network such as 'pyconvresnet18'. They exist for .*{VARIANT}"
    with pytest.raises(ValueError, match=message):
        load(other, "imagenet")


def test_a_model_with_more_blocks_is_another_network(trained):
    images = keras.Input((32, 32, 3))
    x = trained.get_layer("conv1_conv")(images)
    more = keras.layers.Conv2D(1, 1, name="conv2_block2_1_conv")(x)
    other = keras.Model([*trained.inputs, images], [trained.output, more])
    with pytest.raises(ValueError, match="conv2_block2_1_conv, 1 in all"):
        load(build(), other)
    arrays = rule.weights(torch_shapes(VARIANT))
    arrays["layer1.1.conv1.weight"] = np.zeros((2, 2, 1, 1))
    with pytest.raises(ValueError, match=r"Left over.*\n  layer1\.1\.conv1"):
        load(build(), arrays, part="backbone")


def test_a_segmenter_takes_its_backbone_when_it_is_built(trained):
    model = build_segmenter(
        keras_pyconv.architectures.make_segmenter(VARIANT, head_width=64),
        classes=3,
        backbone_weights=trained,
    )
    np.testing.assert_array_equal(kernel(model), kernel(trained))


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="'backbone'.*Received: part='body'"):
        load(build(), "imagenet", part="body")


@pytest.mark.parametrize(
    "room, name, arguments",
    [
        ("weights", "load_keras_weights", ("w.weights.h5",)),
        ("weights", "load_published", (VARIANT, "imagenet")),
        ("models", "load_body", ("w.weights.h5", VARIANT)),
        ("models", "load_backbone", (build,)),
    ],
)
def test_former_names_work_and_say_what_to_use(
    kept, tmp_path, monkeypatch, room, name, arguments
):
    source = build()
    source.save_weights(tmp_path / "w.weights.h5")
    monkeypatch.chdir(tmp_path)
    arguments = [source if x is build else x for x in arguments]
    with pytest.warns(DeprecationWarning, match=f"{name}.*weights.load"):
        function = getattr(getattr(keras_pyconv, room), name)
    assert function(build(), *arguments).name == source.name
