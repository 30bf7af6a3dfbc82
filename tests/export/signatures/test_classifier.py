"""What goes in and out of a served model is decided from the model."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import saved_model
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.serving.module import traced_model
from keras_pyconv.export.signatures.classifier import model_signatures

layers = keras.layers


def choose_task(model, task=None, labels=None):
    (default, *_), _ = model_signatures(inspect(model), labels, 5, task, None)
    return "classification" if "probabilities" in default.outputs else "raw"


def serving_function(model, labels=None, top_k=5, task=None):
    """The function behind a model's default signature."""
    seen = inspect(model)
    (default, *_), _ = model_signatures(seen, labels, top_k, task, None)
    return default.traced(traced_model(seen))


def head(*final):
    """A model of four features that ends in the given layers."""
    x = inputs = keras.Input((4,), name="features")
    for layer in final:
        x = layer(x)
    return keras.Model(inputs, x)


CLASSIFIERS = {
    "softmax": lambda: [layers.Dense(3, "softmax")],
    "sigmoid": lambda: [layers.Dense(3, "sigmoid")],
    "one sigmoid": lambda: [layers.Dense(1, "sigmoid")],
    "logits": lambda: [layers.Dense(3)],
    "softmax layer": lambda: [layers.Dense(3), layers.Softmax()],
    "activation": lambda: [layers.Dense(3), layers.Activation("softmax")],
    "activation layer": lambda: [layers.Dense(3, layers.Softmax())],
    "layer of an activation": lambda: [
        layers.Dense(3, layers.Activation("sigmoid"))
    ],
    "nested": lambda: [head(layers.Dense(3, "softmax"))],
}
OTHERS = {
    "regression": lambda: [layers.Dense(1)],
    "constant": lambda: [layers.Dense(1, "softmax")],
    "relu": lambda: [layers.Dense(3, "relu")],
    "layer": lambda: [layers.Dense(3, layers.ReLU())],
    "nameless": lambda: [layers.Dense(3, functools.partial(tf.nn.elu))],
    "softmax of the batch": lambda: [layers.Dense(3, layers.Softmax(axis=0))],
    "normalized": lambda: [layers.Dense(3), layers.LayerNormalization()],
    "rows": lambda: [layers.Reshape((2, 2)), layers.Dense(3, "softmax")],
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_is_a_classifier(name):
    assert choose_task(head(*CLASSIFIERS[name]())) == "classification"


@pytest.mark.parametrize("name", OTHERS)
def test_is_no_classifier(name):
    model = head(*OTHERS[name]())
    assert choose_task(model) == "raw"
    with pytest.raises(ValueError, match='task="raw"'):
        choose_task(model, "classification")


@pytest.mark.parametrize(
    "name", ["softmax", "sigmoid", "softmax layer", "activation layer"]
)
def test_probabilities_are_the_models_own(name):
    model = head(*CLASSIFIERS[name]())
    features = np.random.default_rng(0).normal(size=(2, 4)).astype("f")
    outputs = serving_function(model)(features=tf.constant(features))
    np.testing.assert_allclose(
        outputs["probabilities"], model(features), rtol=1e-6
    )


def test_logits_become_probabilities():
    model = head(layers.Dense(3))
    features = tf.random.stateless_normal((2, 4), (0, 0))
    outputs = serving_function(model)(features=features)
    expected = tf.nn.softmax(model(features))
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-6)


def test_one_unit_with_a_sigmoid_tells_two_classes_apart():
    model = head(layers.Dense(1, "sigmoid", kernel_initializer="ones"))
    features = tf.constant([[-0.5] * 4, [0.25] * 4])
    outputs = serving_function(model, ("no", "yes"))(features=features)
    second = model(features)[:, 0].numpy()
    np.testing.assert_allclose(
        outputs["probabilities"], np.stack([1 - second, second], -1)
    )
    assert outputs["labels"][:, 0].numpy().tolist() == [b"no", b"yes"]
    raw = serving_function(model, task="raw")(features=features)
    assert [tuple(value.shape) for value in raw.values()] == [(2, 1)]


def test_several_sigmoids_name_every_class_from_the_threshold_on():
    model = head(layers.Dense(7, "sigmoid", name="scores"))
    kernel = np.zeros((4, 7), "float32")
    kernel[0, :6], kernel[1, 6] = 3.0, 3.0
    model.get_layer("scores").kernel.assign(kernel)
    names = list("abcdefg")
    served = serving_function(model, names, top_k=None)
    inputs = np.array([[1, -1, 0, 0], [-1, -1, 0, 0], [-1, 1, 0, 0]])
    answer = served(features=tf.constant(inputs, "float32"))
    rows = [
        [name.decode() for name in row if name]
        for row in answer["labels"].numpy()
    ]
    assert rows == [names[:6], [], ["g"]]
    assert answer["classes"].numpy()[2].tolist() == [6] + [-1] * 6
    # What cannot be read has class -1 too, but score 0.
    assert answer["classes"].numpy()[1].max() == -1
    assert 0 < answer["scores"].numpy()[1].min() < 0.5


def test_at_most_all_classes_are_given_and_named_by_number():
    function = serving_function(head(layers.Dense(3, "softmax")), top_k=9)
    outputs = function(features=tf.zeros((2, 4)))
    assert outputs["classes"].shape == (2, 3)
    assert sorted(outputs["labels"].numpy()[0]) == [b"0", b"1", b"2"]


def test_other_models_keep_their_outputs_and_names():
    images = keras.Input((None, None, 3), name="picture")
    x = layers.Conv2D(2, 1)(images)
    model = keras.Model(images, {"mask": x, "depth": x + 1.0})
    outputs = serving_function(model)(images=tf.zeros((1, 5, 7, 3)))
    assert {key: tuple(value.shape) for key, value in outputs.items()} == {
        "mask": (1, 5, 7, 2),
        "depth": (1, 5, 7, 2),
    }
    np.testing.assert_allclose(outputs["depth"] - outputs["mask"], 1.0)


def test_several_inputs_keep_their_names():
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="b-2")
    model = keras.Model([left, right], left - 2.0 * right)
    outputs = serving_function(model)(left=tf.ones((1, 2)), b_2=tf.ones((1, 2)))
    (output,) = outputs.values()
    np.testing.assert_allclose(output, -1.0)


@pytest.mark.parametrize(
    "labels, message",
    [
        (("a", "b"), "3 classes. Received 2 labels"),
        (("a", "b", 3), "must be a list of texts"),
    ],
    ids=["too few", "no text"],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        choose_task(head(layers.Dense(3)), labels=labels)


def test_a_single_sigmoid_takes_two_labels():
    with pytest.raises(ValueError, match="2 classes. Received 1 labels"):
        choose_task(head(layers.Dense(1, "sigmoid")), labels=["yes"])


def test_labels_of_a_model_that_is_no_classifier_are_refused():
    with pytest.raises(ValueError, match="raw outputs"):
        choose_task(head(layers.Dense(1)), labels=["a"])


def test_an_unknown_task_lists_the_known_ones(tmp_path):
    model = head(layers.Dense(3))
    with pytest.raises(ValueError, match="'classification', 'raw'.*'poetry'"):
        saved_model(model, tmp_path / "net", task="poetry")
