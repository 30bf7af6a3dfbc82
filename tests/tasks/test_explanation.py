"""Decisions are traced back to places and levels, as arithmetic says."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_pyconv import PyConv, build_classifier, classify, datasets, explain
from keras_pyconv.tasks.preprocessing import pixels_as_they_are
from tests.arguments import things

PIXELS = np.random.default_rng(5).integers(0, 256, (32, 32, 3), "uint8")
AS_THEY_ARE = pixels_as_they_are(32)
FOUR_LEVELS = "conv2_block1_2_pyconv"


def pyramid(head="softmax", **options):
    """Two levels of 2 and 4 channels, a ReLU, a mean and a Dense layer."""
    keras.utils.set_random_seed(3)
    first = options.get("data_format") == "channels_first"
    inputs = x = keras.Input((32, 32, 3))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Permute((3, 1, 2))(x) if first else x
    x = PyConv((2, 4), (3, 5), groups=1, name="levels", **options)(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.GlobalAveragePooling2D(options.get("data_format"))(x)
    x = layers.Dense(3, None if head == "Softmax" else head, name="top")(x)
    x = layers.Softmax()(x) if head == "Softmax" else x
    return keras.Model(inputs, x)


def explained(model, *args, **options):
    return explain(model, PIXELS, *args, preprocessing=AS_THEY_ARE, **options)


def test_maps_are_what_each_place_adds_to_the_logit():
    model = pyramid()
    found = explained(model, label=1)
    assert found.levels == ("3x3", "5x5") and found.layer == "levels"
    relu = keras.Model(model.input, model.get_layer("relu").output)
    said = relu(PIXELS[np.newaxis].astype("float32")).numpy()[0]
    kernel, bias = map(np.asarray, model.get_layer("top").get_weights())
    said = said * kernel[:, 1] / 32**2
    wanted = [said[..., :2].sum(-1), said[..., 2:].sum(-1)]
    np.testing.assert_allclose(found.maps, wanted, rtol=1e-4, atol=1e-8)
    linear = pyramid(None)
    logit = linear(PIXELS[np.newaxis].astype("float32")).numpy()[0, 1]
    assert found.maps.sum() + bias[1] == pytest.approx(logit, rel=1e-4)
    np.testing.assert_allclose(found.map, np.maximum(sum(wanted), 0), 1e-3)
    positive = [np.maximum(one, 0).sum() for one in wanted]
    np.testing.assert_allclose(found.shares, positive / sum(positive), 1e-4)


@pytest.mark.parametrize("level, share", [(0, [1, 0]), (1, [0, 1])])
def test_a_level_that_alone_reaches_the_logits_has_all_of_the_share(
    level, share
):
    model = pyramid()
    top = model.get_layer("top")
    kernel, bias = top.get_weights()
    kernel = np.abs(kernel)
    kernel[slice(2, 6) if level == 0 else slice(0, 2)] = 0
    top.set_weights([kernel, bias])
    assert explained(model).shares.tolist() == share


def test_what_speaks_against_a_class_has_no_share():
    model = pyramid()
    top = model.get_layer("top")
    kernel, bias = top.get_weights()
    top.set_weights([-np.abs(kernel), bias])
    found = explained(model, label=0)
    assert found.maps.min() < 0 and found.shares.tolist() == [0, 0]
    assert found.draw().shape[-1] == 3


@pytest.mark.parametrize("head", [None, "sigmoid", "Softmax"])
def test_the_logit_is_explained_whatever_ends_the_classifier(head):
    wanted, model = explained(pyramid(), label=2), pyramid(head)
    found = explained(model, label=2)
    np.testing.assert_allclose(found.maps, wanted.maps, rtol=1e-5)
    asked = classify(
        model, PIXELS, preprocessing=AS_THEY_ARE, threshold=0, top=3
    )
    (place,) = np.flatnonzero(asked.labels == 2)
    assert found.score == pytest.approx(asked.scores[place], rel=1e-5)


def test_channels_may_come_first():
    last, first = pyramid(), pyramid(data_format="channels_first")
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(
        *(explained(m, label=0).maps for m in (last, first)), atol=1e-6
    )


# Networks of ours, and others around them -------------------------------------


@pytest.fixture(scope="module")
def models():
    """One classifier: flat, around a frozen one, and one in a sequence."""
    keras.utils.set_random_seed(4)
    base = build_classifier(
        "PyConvResNetMini",
        include_top=False,
        pooling="avg",
        input_shape=(32, 32, 3),
    )
    top = layers.Dense(3, "softmax")
    flat = keras.Model(base.input, top(base.output))
    base.trainable = False
    inputs = keras.Input((32, 32, 3))
    x = layers.Dropout(0.5)(base(layers.RandomFlip()(inputs)))
    around = keras.Model(inputs, top(x))
    deeper = keras.Sequential([keras.Input((32, 32, 3)), around])
    return {"flat": flat, "around": around, "deeper": deeper}


@pytest.mark.parametrize("name", ["around", "deeper"])
def test_a_nested_and_fine_tuned_network_is_explained_as_it_is(models, name):
    wanted, model = explain(models["flat"], PIXELS), models[name]
    batch = np.random.default_rng(1).normal(size=(2, 32, 32, 3))
    before = model(batch, training=False)
    found = explain(model, PIXELS)
    assert found.layer == wanted.layer == FOUR_LEVELS
    assert found.levels == ("3x3", "5x5", "7x7", "9x9")
    assert found.maps.shape == (4, 8, 8)
    np.testing.assert_allclose(found.maps, wanted.maps, atol=1e-6)
    assert found.shares.sum() == pytest.approx(1)
    # Nothing stays changed in the model.
    np.testing.assert_array_equal(model(batch, training=False), before)
    np.testing.assert_array_equal(explain(model, PIXELS).maps, found.maps)


def test_a_layer_is_chosen_and_seen_behind_its_normalization(models):
    found = explain(models["around"], PIXELS, "conv3_block1_2_pyconv")
    assert found.levels == ("3x3", "5x5", "7x7")
    assert found.maps.shape == (3, 4, 4)
    whole = explain(models["around"], PIXELS, "conv3_block1_2_relu")
    assert whole.levels == ("conv3_block1_2_relu",)
    np.testing.assert_allclose(
        found.maps.sum(axis=0), whole.maps[0], rtol=1e-3, atol=1e-6
    )


def test_a_network_without_pyramids_has_one_map():
    model = build_classifier("ResNetMini", input_shape=(64, 64, 3), classes=3)
    found = explain(model, PIXELS)
    assert found.levels == (found.layer,) == ("conv5_block1_out",)
    assert found.maps.shape == (1, 2, 2) and found.image.shape == (64, 64, 3)
    assert found.shares.tolist() in ([1], [0])


def test_the_class_is_chosen_by_name_or_number_and_the_answer_says_it():
    names = ("cat", "dog", "fox")
    found = explained(pyramid(), label="dog", class_names=names)
    assert found.label == "dog" and found.labels.tolist() == [1]
    said = json.loads(json.dumps(found.to_dict()))
    assert said["classes"][0]["name"] == "dog"
    shares = {one["kernel"]: one["share"] for one in said["levels"]}
    assert str(found).startswith(f"dog {100 * found.score:.1f} %: 3x3 ")
    assert list(shares) == ["3x3", "5x5"]
    assert sum(shares.values()) == pytest.approx(1)
    best = explained(pyramid())
    asked = classify(pyramid(), PIXELS, preprocessing=AS_THEY_ARE)
    assert best.label == asked.label
    assert best.score == pytest.approx(asked.score, rel=1e-5)


def test_the_drawing_has_a_panel_for_each_level_with_its_share(models):
    found = explain(models["flat"], PIXELS)
    drawn = found.draw()
    assert drawn.shape == (254, 6 * 188 + 8, 3)
    bars = (drawn[240] == (255, 96, 0)).all(axis=-1)
    for place, share in enumerate(found.shares, 2):
        left = 8 + 188 * place
        assert bars[left : left + 180].sum() == pytest.approx(
            share * 180, abs=2
        )
    assert not bars[: 8 + 188 * 2].any()


@pytest.mark.parametrize(
    "options, said",
    [
        ({"layer": "conv9"}, "'conv9'.*Its pyramids: levels"),
        ({"layer": "top"}, "no `layer` 'top' that gives a feature map"),
        ({"label": 3}, "`label` must be .*at most 2"),
        ({"label": "dog"}, "`label` must be one of"),
        ({"class_names": ["a"]}, "3 classes. Received 1"),
    ],
)
def test_mistakes_are_told(options, said):
    with pytest.raises(ValueError, match=said):
        explained(pyramid(), **options)


@pytest.mark.parametrize("other", ["segmenter", "detector", "video_classifier"])
def test_networks_of_other_tasks_are_refused(other):
    with pytest.raises(ValueError, match="`model` must be a classifier, from"):
        explain(getattr(things, other).make(), PIXELS)


def test_a_layer_that_is_computed_twice_is_refused():
    inputs = keras.Input((32, 32, 3))
    shared = PyConv(4, (3, 5), name="shared")
    x = shared(layers.Conv2D(4, 1)(inputs))
    x = layers.GlobalAveragePooling2D()(shared(x))
    model = keras.Model(inputs, layers.Dense(2, "softmax")(x))
    with pytest.raises(ValueError, match="'shared'.*computed 2 times"):
        explained(model)


# Learned ----------------------------------------------------------------------


@pytest.mark.slow
def test_the_shares_move_with_the_size_of_the_object(tmp_path):
    pytest.importorskip("tensorflow_datasets", reason="has the digits")
    stats = pytest.importorskip("scipy.stats", reason="correlates ranks")
    splits = datasets.load_digits_in_photos(
        "classification", data_dir=tmp_path, test_examples=1000
    )
    keras.utils.set_random_seed(2021)
    inputs = keras.Input((64, 64, 3))
    scaled = layers.Rescaling(1 / 127.5, -1)(inputs)
    model = build_classifier(
        "PyConvResNetMini", input_tensor=scaled, classes=10
    )
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, 750, warmup_target=0.05, warmup_steps=250
    )
    model.compile(
        keras.optimizers.SGD(rate, 0.9, weight_decay=1e-4),
        "sparse_categorical_crossentropy",
    )
    (train,) = splits["train"].batch(8000).as_numpy_iterator()
    model.fit(
        train["image"], train["label"], batch_size=32, epochs=3, verbose=2
    )
    sizes, shares, hits = [], [], []
    for one in splits["test"].as_numpy_iterator():
        found = explain(
            model, one["image"], preprocessing=pixels_as_they_are(64)
        )
        sizes.append(one["size"])
        shares.append(found.shares)
        hits.append(found.labels[0] == one["label"])
    assert np.mean(hits) > 0.7
    np.testing.assert_allclose(np.sum(shares, axis=1), 1)
    moved = [stats.spearmanr(sizes, level)[0] for level in np.transpose(shares)]
    # Were they independent, one run in a thousand would be past it.
    print("rank correlation of size and share, by level:", np.round(moved, 2))
    assert np.abs(moved).max() > 0.12
