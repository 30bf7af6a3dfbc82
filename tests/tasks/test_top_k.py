"""The error rates as metrics are those of the paper's definition."""

import keras
import numpy as np
import pytest

from keras_pyconv.tasks import TopKError

SCORES = np.array(
    [
        [0.1, 0.5, 0.2, 0.2],
        [0.4, 0.3, 0.2, 0.1],
        [0.0, np.nan, 0.0, 1.0],
        [0.25, 0.25, 0.25, 0.25],
    ],
    "float32",
)
LABELS = np.array([1, 2, 3, 0])


@pytest.mark.parametrize("k, wanted", [(1, 0.5), (3, 0.25)])
def test_scores_that_are_no_numbers_are_wrong(k, wanted):
    metric = TopKError(k)
    metric.update_state(LABELS, SCORES)
    assert float(metric.result()) == wanted


@pytest.mark.parametrize(
    "labels", [LABELS[:, np.newaxis], np.eye(4, dtype="float32")[LABELS]]
)
def test_labels_may_be_columns_or_one_hot(labels):
    metric = TopKError(1)
    metric.update_state(labels, SCORES)
    assert float(metric.result()) == 0.5


def test_images_of_weight_0_and_empty_batches_do_not_count():
    metric = TopKError(1)
    metric.update_state(LABELS, SCORES, np.float32([1, 0, 0, 0]))
    metric.update_state(LABELS[:0], SCORES[:0])
    assert float(metric.result()) == 0.0


def test_the_configuration_makes_the_same_metric():
    metric = keras.metrics.deserialize(keras.metrics.serialize(TopKError(5)))
    assert (metric.k, metric.name) == (5, "top5_error")
