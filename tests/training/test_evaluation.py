"""Errors are counted over every picture once, on one device and on two."""

import ast
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.training.evaluation import ErrorRates

COUNT, CLASSES = 13, 7


def scores():
    return np.random.default_rng(4).random((COUNT, CLASSES)).astype("float32")


def batches(batch_size, shard):
    """Pictures that are their own scores; the truth is always class 2."""
    index, workers = shard
    own = scores()[index::workers]
    filled = -(-(-(-COUNT // workers)) // batch_size) * batch_size
    rest = filled - len(own)
    columns = (
        np.concatenate([own, np.zeros((rest, CLASSES), "float32")]),
        np.full(filled, 2, "int64"),
        np.array([1.0] * len(own) + [0.0] * rest, "float32"),
    )
    return tf.data.Dataset.from_tensor_slices(columns).batch(
        batch_size, drop_remainder=True
    )


def as_they_are():
    inputs = keras.Input((CLASSES,))
    return keras.Model(inputs, keras.layers.Identity()(inputs))


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_all_pictures_count_once_whatever_the_batch(batch_size):
    order = np.argsort(-scores(), axis=1)
    places = (order == 2).argmax(axis=1)
    values = ErrorRates(batches, batch_size)(as_they_are())
    assert values == {
        "top1_error": pytest.approx((places >= 1).mean()),
        "top5_error": pytest.approx((places >= 5).mean()),
    }


def test_the_graph_is_kept_for_the_next_epoch():
    model, evaluate = as_they_are(), ErrorRates(batches, 4)
    assert evaluate(model) == evaluate(model)
    assert evaluate._counts.experimental_get_tracing_count() == 1


ON_TWO_DEVICES = """
from keras_pyconv import training
strategy = training.make_strategy("mirrored", 2)
from tests.training import test_evaluation as test
with strategy.scope():
    model = test.as_they_are()
print(test.ErrorRates(test.batches, 4)(model))
"""


@pytest.mark.slow
def test_two_devices_count_as_one_does():
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES],
        capture_output=True,
        text=True,
        check=True,
    )
    one = ErrorRates(batches, 4)(as_they_are())
    assert ast.literal_eval(done.stdout) == pytest.approx(one)
