"""Segmentation networks are built, counted, saved and trained as they say."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_pyconv.architectures import (
    HEADS,
    PYRAMIDS,
    SEGMENTERS,
    Architecture,
    ParsingHead,
    Stage,
    make_segmenter,
)
from keras_pyconv.complexity import complexity
from keras_pyconv.models import (
    AuxiliaryModel,
    PyConvSegNet,
    build_classifier,
    build_segmenter,
    inference_model,
)
from keras_pyconv.weights import from_torch, load, torch_names
from tests.reference import rule

LEDGER = json.loads((Path(__file__).parents[1] / "ledger.json").read_text())
ROWS = [row["network"] for row in LEDGER["segmentation"]]
FAST = ("PyConvSegNetResNet50", "DeepLabv3ResNet50Stride16")
# Structure counts here, not width.
TINY = Architecture(
    "Tiny",
    tuple(Stage(8, 1, PYRAMIDS[1], stride, "conv") for stride in (1, 2, 2, 2)),
    "a test",
    expansion=2,
    stem_width=8,
    stem_pool=True,
)
SMALL = {
    "backbone": TINY,
    "head": ParsingHead(16, PYRAMIDS[2], merged_width=8),
    "classes": 5,
}


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(1)
    return PyConvSegNet(**SMALL)


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in FAST else pytest.mark.slow)
        for name in SEGMENTERS
    ],
)
def test_the_built_network_costs_what_the_ledger_says(name):
    row = next(row for row in LEDGER["segmentation"] if row["network"] == name)
    model = build_segmenter(name, input_shape=row["input_shape"])
    counts = [
        sum(int(np.prod(v.shape)) for v in variables)
        for variables in (
            model.trainable_weights,
            model.non_trainable_weights,
        )
    ]
    assert counts == [row["parameters"], row["non_trainable"]]
    assert model.output["logits"].shape == (None, 473, 473, 150)
    built = {
        layer.name: layer.output.shape[1:]
        for layer in model.layers
        if layer.name.endswith("conv")
    }
    counted = {
        layer.name: layer.output_shape
        for layer in complexity(name).layers
        if layer.name.endswith("conv")
    }
    assert built == counted


@pytest.mark.parametrize(
    "head, stride", [*zip(HEADS, (8, 16, 16, 8))], ids=[*HEADS]
)
def test_any_size_gets_logits_of_its_own_size(head, stride):
    model = PyConvSegNet(TINY, classes=3, head=head, output_stride=stride)
    logits = model(images(2, 37, 50, 3))
    assert logits.shape == (2, 37, 50, 3)
    assert model.output["aux_logits"].shape == (None, None, None, 3)
    sizes = {"conv4_block1_out": 8 if stride == 8 else 16}
    for layer, side in sizes.items():
        fixed = keras.Model(model.input, model.get_layer(layer).output)
        assert fixed(images(1, 64, 64, 3)).shape[1] == 64 // side


def test_the_auxiliary_logits_exist_in_training_alone(small):
    x = images(2, 33, 40, 3)
    both = small(x, training=True)
    assert set(both) == {"logits", "aux_logits"}
    assert {tuple(value.shape) for value in both.values()} == {(2, 33, 40, 5)}
    assert small(x).shape == small.predict(x, verbose=0).shape
    symbolic = small(keras.Input((33, 40, 3)))
    assert symbolic.shape == (None, 33, 40, 5)


def test_the_model_to_serve_has_no_auxiliary_head(small):
    served = inference_model(small)
    x = images(1, 33, 40, 3)
    np.testing.assert_array_equal(served(x), small(x))
    names = {layer.name for layer in served.layers}
    assert "classifier_conv" in names
    assert not any(name.startswith("aux") for name in names)
    assert inference_model(served) is served


def test_without_the_auxiliary_head_the_model_is_an_ordinary_one():
    model = PyConvSegNet(**SMALL, auxiliary=False)
    assert not isinstance(model, AuxiliaryModel)
    assert model(images(1, 32, 32, 3), training=True).shape == (1, 32, 32, 5)


def test_a_saved_model_loads_and_computes_the_same(small, tmp_path):
    small.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, AuxiliaryModel)
    x = images(1, 33, 40, 3)
    np.testing.assert_array_equal(loaded(x), small(x))
    assert set(loaded(x, training=True)) == {"logits", "aux_logits"}


@pytest.mark.slow
def test_a_keras_export_answers_with_logits_of_any_size(small, tmp_path):
    import tensorflow as tf

    small.export(tmp_path / "export", verbose=False)
    exported = tf.saved_model.load(tmp_path / "export")
    for size in ((33, 40), (48, 31)):
        x = images(1, *size, 3)
        np.testing.assert_allclose(exported.serve(x), small(x), atol=1e-4)


def test_training_adds_the_auxiliary_loss_and_evaluation_does_not():
    keras.utils.set_random_seed(1)
    model = PyConvSegNet(**SMALL, dropout=0)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=255
    )
    model.compile(
        keras.optimizers.SGD(0.0),
        loss,
        metrics=["accuracy"],
        run_eagerly=True,
    )
    x, y = images(2, 32, 32, 3), np.zeros((2, 32, 32), "uint8")
    y[0, :4] = 255
    outputs = model(x, training=True)
    wanted = loss(y, outputs["logits"]) + 0.4 * loss(y, outputs["aux_logits"])
    found = model.train_on_batch(x, y, return_dict=True)
    assert found["loss"] == pytest.approx(float(wanted), rel=1e-4)
    evaluated = model.test_on_batch(x, y, return_dict=True)
    assert evaluated["loss"] == pytest.approx(
        float(loss(y, model(x))), rel=1e-4
    )


def test_logits_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = PyConvSegNet(**SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = model(images(1, 32, 32, 3), training=True)
    assert {value.dtype.name for value in outputs.values()} == {"float32"}
    assert model.get_layer("merge_relu").compute_dtype == "bfloat16"


def test_channels_first_computes_the_same(small):
    keras.config.set_image_data_format("channels_first")
    try:
        first = PyConvSegNet(**SMALL)
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(small.get_weights())
    x = images(1, 33, 40, 3)
    logits = first(x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(
        np.transpose(logits, (0, 2, 3, 1)), small(x), atol=1e-4
    )


def test_a_classifiers_weights_go_into_the_backbone():
    keras.utils.set_random_seed(2)
    classifier = build_classifier(TINY, input_shape=(32, 32, 3))
    model = PyConvSegNet(**SMALL)
    load(model, classifier, part="backbone")
    for name in ("conv1_conv", "conv5_block1_3_bn"):
        for value, wanted in zip(
            model.get_layer(name).get_weights(),
            classifier.get_layer(name).get_weights(),
        ):
            np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("backbone", ["PyConvResNet50", "ResNet50"])
def test_the_logits_are_the_authors(backbone):
    recorded = rule.recorded(f"pyconvsegnet_{backbone.lower()}")
    model = PyConvSegNet(backbone)
    names = torch_names(model)
    assert sorted(names.values()) == sorted(recorded["shapes"])
    assert sorted(names) == sorted(v.path for v in model.weights)
    weights = rule.weights(recorded["shapes"])
    wrapped = {f"module.{name}": array for name, array in weights.items()}
    from_torch(model, {"epoch": 100, "state_dict": wrapped})
    inner = ("conv5_block3_out", "merge_relu", "auxiliary_2_conv", "logits")
    outputs = [model.get_layer(name).output for name in inner]
    found = keras.Model(model.input, outputs)(rule.image(*recorded["image"]))
    for values, part in zip(found, ("backbone", "head", "aux", "logits")):
        values = np.asarray(values, "float64")
        statistics = [values.mean(), values.std(), np.linalg.norm(values)]
        wanted = [recorded[part][key] for key in ("mean", "std", "l2")]
        np.testing.assert_allclose(
            statistics, wanted, rtol=1e-4, atol=1e-4 * wanted[1]
        )
    logits = np.asarray(found[-1])
    some = logits[0, ::32, ::32].transpose(2, 0, 1)
    wanted = np.asarray(recorded["logits_stride32"]).reshape(some.shape)
    assert np.abs(some - wanted).max() <= 1e-4 * np.abs(wanted).max()
    classes = logits[0, ::8, ::8].argmax(axis=-1)
    assert (classes == np.asarray(recorded["argmax_stride8"])).mean() > 0.99


def arrays(model):
    """The model's weights in the authors' names and axes."""
    names = torch_names(model)
    return {
        names[v.path]: (
            np.moveaxis(v.numpy(), (-1, -2), (0, 1))
            if len(v.shape) > 1
            else v.numpy()
        )
        for v in model.weights
    }


@pytest.mark.parametrize("head", ["ppm", "conv"])
def test_the_rivals_of_the_authors_framework_have_names_too(head):
    model = PyConvSegNet(TINY, classes=3, head=head)
    source = arrays(model)
    assert "cls.4.bias" in source
    assert ("ppm.features.3.1.weight" in source) == (head == "ppm")
    served = PyConvSegNet(TINY, classes=3, head=head, auxiliary=False)
    from_torch(served, source)
    x = images(1, 32, 32, 3)
    np.testing.assert_array_equal(served(x), model(x))


def test_a_checkpoint_that_does_not_fit_is_refused_by_name(small):
    source = arrays(small)
    source["cls.2.weight"] = source.pop("cls.1.weight")
    with pytest.raises(ValueError, match=r"(?s)Missing.*cls.1.*over.*cls.2"):
        from_torch(small, source)
    atrous = PyConvSegNet(TINY, classes=3, head="aspp")
    with pytest.raises(ValueError, match="head of DeepLabv3"):
        torch_names(atrous)


MISTAKES = {
    "backbone": ({"backbone": "ResNet49"}, "Unknown architecture 'ResNet49'"),
    "head": (
        {"head": "psp"},
        "Unknown head 'psp'. Known: conv, aspp, ppm",
    ),
    "stride": ({"output_stride": 4}, r"one of \[8, 16\]; got 4"),
    "classes": ({"classes": 0}, "positive integer.*classes=0"),
    "dropout": ({"dropout": 1.0}, r"\[0, 1\).*dropout=1.0"),
    "weights": ({"weights": "ade20k"}, "published for PyConvSegNetTiny"),
    "shape": ({"input_shape": (32, 32)}, "height, width, channels"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_what_was_received(mistake):
    options, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        PyConvSegNet(**{"backbone": TINY, **options})


@pytest.mark.parametrize("head", HEADS)
def test_a_narrow_head_is_that_of_the_record(head):
    model = PyConvSegNet(TINY, classes=3, head=head, head_width=64)
    row = make_segmenter(TINY, head, head_width=64)
    same = build_segmenter(row, classes=3)
    assert model.name == same.name and model.name.endswith("width64")
    assert [v.shape for v in model.variables] == [
        v.shape for v in same.variables
    ]


def test_the_width_of_the_pyconv_head_is_a_multiple_of_64():
    assert PyConvSegNet(TINY, classes=3, head_width=128)
    for width in (32, 96):
        with pytest.raises(ValueError, match="level 4"):
            PyConvSegNet(TINY, classes=3, head_width=width)


def test_the_ledger_has_every_row():
    # Of Table 5, whose networks of others were counted nowhere else.
    uncounted = {"PSPNetResNet152", "PSPNetResNet269"}
    assert sorted(ROWS) == sorted(set(SEGMENTERS) - uncounted)
