"""Four steps of SGD end where the authors' network ends."""

import keras
import numpy as np
import pytest

from keras_pyconv.models import PyConvResNet50
from keras_pyconv.weights import from_torch, torch_names
from tests.reference import rule

tf = pytest.importorskip("tensorflow")


def build(recorded):
    shapes = rule.recorded("pyconvresnet50")["shapes"]
    shapes = rule.with_classes(shapes, recorded["classes"])
    size = (recorded["size"], recorded["size"], 3)
    model = PyConvResNet50(
        input_shape=size,
        classes=recorded["classes"],
        classifier_activation=None,
    )
    return from_torch(model, rule.training_weights(shapes))


@pytest.fixture(scope="module")
def run():
    """(recorded values, losses, first gradient norms, logits after)."""
    recorded = rule.recorded("pyconvresnet50_train")
    model = build(recorded)
    size = recorded["size"]
    images = rule.image(recorded["batch"], size, size, seed=7)
    labels = np.asarray(recorded["labels"])
    optimizer = keras.optimizers.SGD(recorded["lr"], recorded["momentum"])
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = entropy(labels, model(images, training=True))
        return loss, tape.gradient(loss, model.trainable_variables)

    losses, norms = [], None
    for _ in range(4):
        loss, grads = gradients()
        losses.append(float(loss))
        norms = norms or [float(tf.norm(g)) for g in grads]
        # PyTorch's weight decay is part of the gradient, Keras's is not.
        decayed = [
            g + recorded["weight_decay"] * v.value
            for g, v in zip(grads, model.trainable_variables)
        ]
        optimizer.apply(decayed, model.trainable_variables)
    names = torch_names(model)
    names = [names[v.path] for v in model.trainable_variables]
    return recorded, losses, dict(zip(names, norms)), model(images)


def test_the_loss_before_each_step_is_the_authors(run):
    recorded, losses, _, _ = run
    np.testing.assert_allclose(losses, recorded["losses"], rtol=2e-5)


def test_every_first_gradient_has_the_authors_norm(run):
    recorded, _, norms, _ = run
    expected = recorded["first_grad_norms"]
    assert sorted(norms) == sorted(expected)
    for name, norm in norms.items():
        assert norm == pytest.approx(expected[name], rel=1e-3), name


def test_inference_after_the_last_step_is_the_authors(run):
    recorded, _, _, logits = run
    expected = np.asarray(recorded["eval_logits_after"])
    difference = np.abs(np.asarray(logits) - expected).max()
    assert difference <= 1e-4 * np.abs(expected).max()
