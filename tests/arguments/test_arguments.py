"""Every public callable keeps the law of `law.py`, whatever it is given."""

import pytest

from tests.arguments import draws
from tests.arguments.rows import LEFT_OUT, PUBLIC, ROWS


def _faults(first, count):
    found = []
    for seed, part in draws.batches(first, count):
        ended = draws.outcomes(seed, part)
        found += [
            f"{c}\n    {text}" for c, how, text, _ in ended if how == "fault"
        ]
    return found


def test_every_public_callable_is_drawn_or_left_out_for_a_reason():
    assert not set(PUBLIC) - set(ROWS) - set(LEFT_OUT)
    assert not set(ROWS) & set(LEFT_OUT)
    assert not {*ROWS, *LEFT_OUT} - set(PUBLIC)
    assert len(ROWS) > 200


def test_wrong_arguments_are_refused_by_name_and_fast():
    faults = _faults(0, 150)
    assert not faults, "\n".join(faults)


@pytest.mark.ci
def test_many_wrong_arguments_are_refused_by_name_and_fast():
    faults = _faults(1, 5_000)
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_very_many_wrong_arguments_are_refused_by_name_and_fast():
    faults = _faults(100, 20_000)
    assert not faults, "\n".join(faults)
