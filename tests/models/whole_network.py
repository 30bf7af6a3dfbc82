"""Writes what whole networks compute, in a process of its own.

    python tests/models/whole_network.py results.npz \\
        PyConvResNet50 PyConvHGResNet50:train

Inference, and where asked one step of training, in graph mode.
"""

import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from keras_pyconv import models  # noqa: E402
from keras_pyconv.weights import from_torch  # noqa: E402
from tests.reference import rule  # noqa: E402

CLASSES = 10
SIZE = 64


def build(network):
    """The named network with weights made by the rule."""
    shapes = rule.recorded(network.lower())["shapes"]
    shapes = rule.with_classes(shapes, CLASSES)
    model = getattr(models, network)(
        input_shape=(SIZE, SIZE, 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    return from_torch(model, rule.training_weights(shapes))


def results(network, train, eagerly=False):
    """{what: values} of one network."""
    model = build(network)
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=eagerly,
    )
    # In a step its variables would have the step traced twice: minutes here.
    model.optimizer.build(model.trainable_variables)
    images = rule.image(2, SIZE, SIZE)
    values = {"logits": model.predict_on_batch(images)}
    if train:
        values["loss"] = model.train_on_batch(images, np.array([1, 2]))
        values["logits_after"] = model.predict_on_batch(images)
    return {f"{network}_{what}": value for what, value in values.items()}


def main(path, *tasks):
    """Runs `tasks`: names of networks, `:train` for a step of training."""
    values = {}
    for task in tasks:
        network, _, train = task.partition(":")
        values |= results(network, bool(train))
    np.savez(path, **values)


if __name__ == "__main__":
    main(*sys.argv[1:])
