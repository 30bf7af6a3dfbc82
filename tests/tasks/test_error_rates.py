"""Errors count pictures whose class is not among the best, over all and by
class."""

import numpy as np
import pytest

from keras_pyconv.tasks.error_rates import Answers, hits

tf = pytest.importorskip("tensorflow")

SCORES = np.array(
    [
        [6, 5, 4, 3, 2, 1],
        [1, 2, 3, 4, 5, 6],
        [9, 5, 4, 3, 2, 1],
        [np.nan, 5, 4, 3, 2, 1],
    ],
    "float32",
)
LABELS = np.array([0, 0, 1, 0])


def test_a_hit_is_a_class_among_the_best():
    found = hits(SCORES, tf.constant(LABELS)).numpy()
    assert found.tolist() == [
        [True, True],
        [False, False],
        [False, True],
        [False, False],
    ]


def test_with_few_classes_all_are_among_the_best_five():
    found = hits(SCORES[:1, :3], tf.constant([2], tf.int64))
    assert found.numpy().tolist() == [[False, True]]


@pytest.fixture
def answers():
    found = np.array([[1, 1], [0, 0], [0, 1], [1, 1]], bool)
    return Answers(np.array([0, 0, 2, 2]), np.array([0, 1, 0, 2]), found, 4)


def test_errors_are_shares_of_the_pictures(answers):
    assert answers.errors() == {"top1_error": 0.5, "top5_error": 0.25}


def test_errors_by_class_leave_out_classes_without_pictures(answers):
    nan = np.nan
    np.testing.assert_array_equal(
        answers.errors_by_class(), [[0.5, 0.5], [nan, nan], [0.5, 0], [nan] * 2]
    )


def test_confusion_has_the_truth_in_rows(answers):
    confusion = answers.confusion()
    assert confusion.sum() == 4 and confusion[0, 1] == confusion[2, 0] == 1
    np.testing.assert_array_equal(confusion.sum(axis=1), [2, 0, 2, 0])
