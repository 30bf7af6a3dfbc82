"""Every example counts once in a validation, whatever the batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import tasks, training

COUNT, CLASSES = 13, 7


def scores():
    return np.random.default_rng(4).random((COUNT, CLASSES)).astype("float32")


def batches(batch_size, shard):
    """Images that are their own scores; the truth is always class 2."""
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
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics = [tasks.TopKError(1), tasks.TopKError(5)]
    model.compile("sgd", loss, weighted_metrics=metrics)
    return model


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_all_examples_count_once_whatever_the_batch(batch_size):
    data = training.validation_data(
        batches, batch_size, training.make_strategy("one")
    )
    found = as_they_are().evaluate(data, verbose=0, return_dict=True)
    places = (np.argsort(-scores(), axis=1) == 2).argmax(axis=1)
    logits = scores() - np.log(np.exp(scores()).sum(axis=1, keepdims=True))
    assert found == {
        "loss": pytest.approx(-logits[:, 2].mean(), rel=1e-5),
        "top1_error": pytest.approx((places >= 1).mean()),
        "top5_error": pytest.approx((places >= 5).mean()),
    }


def test_what_could_not_be_read_costs_no_other_example():
    unreadable = 1

    def broken(batch_size, shard):
        def weigh(number, batch):
            return *batch[:2], tf.cast([number != unreadable], "float32")

        data = batches(1, shard).enumerate().map(weigh)
        return data.unbatch().batch(batch_size)

    one = training.make_strategy("one")
    data = training.validation_data(broken, 4, one)
    found = as_they_are().evaluate(data, verbose=0, return_dict=True)
    read = np.delete(scores(), unreadable, axis=0)
    losses = np.log(np.exp(read).sum(axis=1)) - read[:, 2]
    assert found["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    wrong = read.argmax(axis=1) != 2
    assert found["top1_error"] == pytest.approx(wrong.mean())


def test_an_evaluation_comes_with_its_epochs_and_the_last():
    evaluation = training.Evaluation(lambda model: {}, every=2)
    evaluation.set_params({"epochs": 5})
    due = [evaluation.is_due(epoch) for epoch in range(5)]
    assert due == [False, True, False, True, True]
