"""The arithmetic of reports beside counts by hand and scikit-learn's."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import classification_report, jaccard_score

from keras_pyconv.reports import measures


def test_precision_recall_and_f1_are_those_of_the_labels():
    draw = np.random.default_rng(1)
    truth, given = draw.integers(0, 3, (2, 50))
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (truth, given), 1)
    counts[3, 0] += 5  # found where nothing is
    counts[1, 3] += 7  # not found
    truth = np.append(truth, [3] * 5 + [1] * 7)
    given = np.append(given, [0] * 5 + [3] * 7)
    found = measures.precision_recall_f1(counts, 3)
    known = classification_report(truth, given, output_dict=True)
    for number in range(3):
        row = known[str(number)]
        expected = [row[n] for n in ("precision", "recall", "f1-score")]
        assert found[:, number] == pytest.approx(expected)
    f1 = found[2]
    jaccard = jaccard_score(truth, given, labels=range(3), average=None)
    assert f1 / (2 - f1) == pytest.approx(jaccard)


def test_a_class_that_never_occurs_has_no_numbers():
    found = measures.precision_recall_f1(np.diag([2, 0]), 2)
    assert found[:, 0].tolist() == [1, 1, 1] and np.isnan(found[:, 1]).all()
    score, levels = measures.precision_curve(np.zeros(3, bool), np.ones(3))
    assert np.isnan(score) and np.isnan(levels).all()


def test_precision_is_the_best_at_a_recall_or_a_higher_one():
    # By falling score: right, wrong, right, right; 3 are to be found.
    truth = np.array([True, False, True, True])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    score, levels = measures.precision_curve(truth, scores)
    assert score == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert levels[:34].tolist() == [1] * 34
    assert levels[34:] == pytest.approx(np.full(67, 3 / 4))
    weighted = measures.precision_curve(
        np.array([True, False, True]), np.array([9, 8, 6]), np.array([1, 1, 2])
    )
    merged = measures.precision_curve(
        truth, np.array([0.9, 0.8, 0.6, 0.6]), np.ones(4)
    )
    assert weighted[0] == merged[0]


def test_the_calibration_error_is_that_counted_by_hand():
    # Of the bins from 0.6 to 0.667 and from 0.933 on.
    confidences = np.array([0.62, 0.64, 0.95, 0.97])
    hits = np.array([True, False, True, True])
    sums = measures.confidence_sums(confidences, hits)
    gaps = abs(0.5 - 0.63), abs(1 - 0.96)
    assert measures.calibration_error(sums) == pytest.approx(sum(gaps) / 2)
    halves = [
        measures.confidence_sums(confidences[i::2], hits[i::2]) for i in (0, 1)
    ]
    assert np.allclose(sum(halves), sums)


def test_bins_are_those_of_scikit_learn():
    draw = np.random.default_rng(2)
    confidences = np.append(draw.random(500), [0, 1, 0.2, 0.4])
    hits = draw.random(504) < confidences
    columns = measures.calibration(measures.confidence_sums(confidences, hits))
    known = calibration_curve(hits, confidences, n_bins=measures.BINS)
    assert columns["accuracy"] == pytest.approx(known[0])
    assert columns["confidence"] == pytest.approx(known[1])


def test_sizes_make_groups_of_about_equally_many():
    sizes, hits = np.arange(1.0, 9), np.array([0, 0, 0, 1, 1, 0, 1, 1], bool)
    rows = measures.by_size(sizes, hits)
    assert [row[:4] for row in rows] == [
        (1, 2, 2, 0),
        (3, 4, 2, 0.5),
        (5, 6, 2, 0.5),
        (7, 8, 2, 1),
    ]
    assert all(low <= mean <= high for *_, mean, low, high in rows)
    # Wilson's interval of one in two.
    assert rows[1][4:] == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert measures.by_size(np.ones(3), np.ones(3))[0][:4] == (1, 1, 3, 1)
