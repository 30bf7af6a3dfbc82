"""Matching equals a slow loop over the reference's rule, in every corner."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks.detection import (
    decode,
    default_boxes,
    encode,
    encode_targets,
    match,
    overlaps,
)


def slow_match(table, valid):
    """The rule, one pair at a time."""
    boxes, objects = table.shape
    chosen = [-1] * boxes
    for box in range(boxes):
        best = 0.5
        for thing in range(objects):
            if valid[thing] and table[box, thing] > best:
                best, chosen[box] = table[box, thing], thing
    for thing in range(objects):
        if valid[thing] and table[:, thing].max() > 0:
            chosen[int(np.argmax(table[:, thing]))] = thing
    return chosen


def slow_overlap(first, second):
    """Of two boxes ymin, xmin, ymax, xmax."""
    sides = [
        max(0.0, min(first[2 + i], second[2 + i]) - max(first[i], second[i]))
        for i in (0, 1)
    ]
    common = sides[0] * sides[1]
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return common / (areas[0] + areas[1] - common)


def _tables(rng):
    """Overlaps in tenths, so that ties are the rule."""
    for _ in range(200):
        shape = rng.integers(1, 9), rng.integers(1, 7)
        yield rng.integers(0, 11, shape) / 10, rng.random(shape[1]) < 0.8
    # More objects than boxes, nobody there, all alike, nothing overlaps.
    yield rng.random((2, 9)), np.ones(9, bool)
    yield rng.random((5, 3)), np.zeros(3, bool)
    yield np.full((4, 3), 0.5), np.ones(3, bool)
    yield np.full((4, 3), 0.7), np.ones(3, bool)
    yield np.zeros((4, 3)), np.ones(3, bool)


def test_matching_equals_a_slow_loop():
    signature = [
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.bool),
    ]
    traced = tf.function(match, input_signature=signature)
    for table, valid in _tables(np.random.default_rng(5)):
        table = table.astype("float32")
        chosen, positive = traced(table, valid)
        found = np.where(positive, chosen, -1)
        np.testing.assert_array_equal(found, slow_match(table, valid))


def test_overlaps_equal_a_slow_loop_also_for_tiny_boxes():
    rng = np.random.default_rng(6)
    defaults = rng.random((12, 4)).astype("float32") * 0.5 + 0.01
    corner = rng.random((7, 2)) * 0.6
    boxes = np.concatenate([corner, corner + rng.random((7, 2)) * 0.4], 1)
    boxes[0] = (0.5, 0.5, 0.503, 0.503)
    defaults[0] = (0.5015, 0.5015, 0.003, 0.003)
    found = np.array(overlaps(defaults, boxes.astype("float32")))
    for i, (x, y, w, h) in enumerate(defaults.astype("float64")):
        corners = (y - h / 2, x - w / 2, y + h / 2, x + w / 2)
        for j, box in enumerate(boxes):
            assert abs(found[i, j] - slow_overlap(corners, box)) < 1e-3
    assert found[0, 0] > 0.999


def test_encoding_and_decoding_are_inverse():
    rng = np.random.default_rng(7)
    defaults = default_boxes("SSDResNet50")
    corner = rng.random((8732, 2)) * 0.5
    boxes = np.concatenate(
        [corner, corner + 0.02 + rng.random((8732, 2)) / 2], 1
    )
    back = decode(defaults, encode(defaults, boxes.astype("float32")))
    np.testing.assert_allclose(back, boxes, atol=2e-5)


def test_offsets_are_in_the_references_order_and_units():
    defaults = np.array([[0.5, 0.5, 0.2, 0.4]], "float32")
    # Centre (0.52, 0.58), width 0.4, height 0.4.
    boxes = np.array([[0.38, 0.32, 0.78, 0.72]], "float32")
    wanted = [[0.02 / 0.2 / 0.1, 0.08 / 0.4 / 0.1, np.log(2) / 0.2, 0]]
    np.testing.assert_allclose(encode(defaults, boxes), wanted, atol=1e-4)


@pytest.fixture(scope="module")
def defaults():
    return default_boxes("SSDResNetMini", (64, 64))


def _targets(defaults, boxes, labels):
    found = encode_targets(
        defaults, np.array(boxes, "float32").reshape(-1, 4), labels
    )
    return found["offsets"].numpy(), found["logits"].numpy()


def test_targets_lead_back_to_the_objects(defaults):
    boxes = [[0.1, 0.2, 0.4, 0.5], [0.3, 0.3, 0.95, 0.9]]
    offsets, classes = _targets(defaults, boxes, [7, 2])
    positive = offsets[:, 4] == 1
    assert set(classes[positive]) == {8, 3}
    assert not classes[~positive].any() and not offsets[~positive].any()
    back = decode(defaults, offsets[:, :4]).numpy()
    for label, box in zip((8, 3), boxes):
        rows = back[classes == label]
        np.testing.assert_allclose(rows, [box] * len(rows), atol=1e-4)


@pytest.mark.parametrize(
    "box",
    [
        (0.3, 0.3, 0.3, 0.6),
        (0.6, 0.3, 0.3, 0.6),
        (1.8, 1.8, 2.0, 2.0),
    ],
    ids=["no height", "negative height", "outside"],
)
def test_a_box_that_is_none_leaves_its_neighbours_alone(defaults, box):
    good = (0.2, 0.2, 0.5, 0.5)
    wanted = _targets(defaults, [good], [4])
    for boxes, labels in (([good, box], [4, 9]), ([box, good], [9, 4])):
        for found, value in zip(_targets(defaults, boxes, labels), wanted):
            np.testing.assert_allclose(found, value, atol=1e-6)


def test_a_picture_without_objects_is_all_background(defaults):
    offsets, classes = _targets(defaults, [], np.zeros(0, "int64"))
    assert not offsets.any() and not classes.any()


def test_a_tiny_object_still_gets_its_best_box(defaults):
    _, classes = _targets(defaults, [[0.5, 0.5, 0.51, 0.51]], [0])
    assert (classes == 1).sum() == 1


def test_no_offset_makes_a_box_infinite():
    boxes = np.array([[0.5, 0.5, 0.2, 0.1]], "float32")
    offsets = np.array([[[0.0, 0.0, 1e6, 1e4]], [[0.0, 0.0, 49.0, -1e6]]])
    found = decode(boxes, offsets.astype("float32")).numpy()
    assert np.isfinite(found).all()
    ymin, xmin, ymax, xmax = found[1, 0]
    assert xmax - xmin == pytest.approx(0.2 * np.exp(9.8), rel=1e-4)
    assert ymax - ymin == 0


@pytest.mark.parametrize("valid", [[], [1.0, 0.0], [True] * 3])
def test_a_flag_for_each_object_is_needed(valid):
    with pytest.raises(ValueError, match="`valid` .* each of the 2 objects"):
        match(np.zeros((4, 2), "float32"), valid)
