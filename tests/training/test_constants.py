"""What decides a run is kept as JSON, and told apart in words."""

import json

import numpy as np
import pytest

from keras_pyconv.training import constants


@pytest.mark.parametrize(
    "values, name",
    [
        ({"rate": float("nan")}, "rate"),
        ({"rate": np.float32("nan")}, "rate"),
        ({"rate": {"peak": [0.1, float("nan")]}}, "rate.peak.1"),
    ],
    ids=["at the top", "of NumPy", "within"],
)
def test_a_constant_that_is_no_number_is_named(values, name):
    with pytest.raises(ValueError, match=f"Received: {name}=nan"):
        constants.check_constants(values)


def test_a_constant_with_an_address_is_refused():
    with pytest.raises(ValueError, match="differently in every process"):
        constants.check_constants({"loss": object()})


def test_a_constant_that_holds_itself_is_refused():
    endless = {}
    endless["self"] = endless
    with pytest.raises(ValueError, match="JSON cannot hold the constants"):
        constants.check_constants(endless)


@pytest.mark.parametrize(
    "value, kept",
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.arange(2000), list(range(2000))),
        ({"b", "a"}, ["a", "b"]),
        ((1, None, True), [1, None, True]),
        (float("inf"), float("inf")),
    ],
    ids=["float", "int", "array", "set", "tuple", "infinity"],
)
def test_a_value_is_kept_as_json_has_it(value, kept):
    assert constants.check_constants({"value": value}) == {"value": kept}


def test_the_digest_is_of_the_values_and_not_of_their_order():
    one, other = {"a": 1, "b": {"c": 2}}, {"b": {"c": 2}, "a": 1}
    assert constants.digest(one) == constants.digest(other)
    assert constants.digest(one) != constants.digest({**one, "a": 1.5})
    read = json.loads(json.dumps(one))
    assert constants.digest(one) == constants.digest(read)


def test_what_differs_within_is_named_by_its_path():
    there = {"rate": {"peak": 0.1, "steps": [1, 2]}, "seed": 1}
    here = {"rate": {"peak": 0.2, "steps": [1, 2]}, "seed": 1, "data": {}}
    assert constants.differences(there, here) == [
        "data: 'nothing' there, {} here",
        "rate.peak: 0.1 there, 0.2 here",
    ]
    assert constants.differences(there, there) == []
