"""What decides a run is kept as JSON, and told apart in words."""

import numpy as np
import pytest

from keras_pyconv.runs import workdir


def test_a_constant_with_an_address_is_refused():
    with pytest.raises(ValueError, match="differently in every process"):
        workdir.as_json({"loss": object()})


def test_a_constant_that_holds_itself_is_refused():
    endless = {}
    endless["self"] = endless
    with pytest.raises(ValueError, match="JSON cannot hold the constants"):
        workdir.as_json(endless)


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
    assert workdir.as_json({"value": value}) == {"value": kept}


def test_what_differs_within_is_named_by_its_path():
    there = {"rate": {"peak": 0.1, "steps": [1, 2]}, "seed": 1}
    here = {"rate": {"peak": 0.2, "steps": [1, 2]}, "seed": 1, "data": {}}
    assert workdir.differences(there, here) == [
        "data: 'nothing' there, {} here",
        "rate.peak: 0.1 there, 0.2 here",
    ]
    assert workdir.differences(there, there) == []


def test_digests_are_not_shown():
    there, here = ({"data": {"digest_of_names": n * 64}} for n in "ab")
    assert workdir.differences(there, here) == [
        "other training examples, by their names"
    ]


def test_what_is_no_number_is_equal_to_itself():
    there, here = {"rate": float("nan")}, {"rate": float("nan")}
    assert workdir.differences(there, here) == []
    assert workdir.differences(there, {"rate": 1}) == [
        "rate: nan there, 1 here"
    ]
