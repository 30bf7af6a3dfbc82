"""Four steps of SGD end where the authors' network ends.

The recorded values are float64's; ours are float32's, whose roundings depend
on the order in which a processor's kernels sum. How far they may be apart is
derived, not tried out: a sum of n products has a relative error of sqrt(n)
roundings where these are independent (Higham and Mary, 2019, "A new approach
to probabilistic rounding error analysis"), and the errors of the sums that
follow each other add up as their squares do.
"""

import math

import keras
import numpy as np
import pytest

from keras_pyconv.models import PyConvResNet50
from keras_pyconv.weights import from_torch, torch_names
from tests.reference import rule

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.ci


# Half the distance from 1 to the next number, and how many standard deviations
# an error may have.
ROUNDING, DEVIATIONS = 2.0**-24, 3
# How far apart are the positions on which a layer's parameters act, at least.
STRIDES = {"fc": 96, "layer1": 4, "layer2": 4, "layer3": 8, "layer4": 16}


def shapes_of(recorded):
    shapes = rule.recorded("pyconvresnet50")["shapes"]
    return rule.with_classes(shapes, recorded["classes"])


def error_of_one_pass(recorded):
    """The relative error after every sum of the network once."""
    shapes = shapes_of(recorded).values()
    terms = sum(math.prod(shape[1:]) for shape in shapes if len(shape) > 1)
    return DEVIATIONS * ROUNDING * math.sqrt(terms)


def error_of_gradients(recorded):
    """It after every sum twice: those of the loss and those back."""
    return math.sqrt(2) * error_of_one_pass(recorded)


def build(recorded):
    shapes = shapes_of(recorded)
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
    expected = np.asarray(recorded["losses"])
    # A loss has the error of one pass, and what was learnt up to it that of
    # the gradients that it was learnt by.
    allowed = error_of_one_pass(recorded) * expected
    allowed += error_of_gradients(recorded) * (expected[0] - expected)
    assert (np.abs(losses - expected) <= allowed).all()


def test_every_first_gradient_has_the_authors_norm(run):
    recorded, _, norms, _ = run
    expected = recorded["first_grad_norms"]
    assert sorted(norms) == sorted(expected)
    for name, norm in norms.items():
        # It is the sum over all positions of a batch, whose signs differ: of
        # m such terms the sum is as large as sqrt(m) of them, the sum of the
        # errors, which are alike where the terms are, as m of them.
        stride = STRIDES.get(name.partition(".")[0], 2)
        positions = recorded["batch"] * (recorded["size"] // stride) ** 2
        allowed = error_of_gradients(recorded) * math.sqrt(positions)
        assert norm == pytest.approx(expected[name], rel=allowed), name


def test_inference_after_the_last_step_is_the_authors(run):
    recorded, _, _, logits = run
    expected = np.asarray(recorded["eval_logits_after"])
    difference = np.abs(np.asarray(logits) - expected).max()
    assert difference <= 1e-4 * np.abs(expected).max()
