"""Two devices train as one does with the same batch."""

import json

import numpy as np
import pytest

from tests.training import on_two_devices


@pytest.fixture(scope="module")
def results(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    process = start(on_two_devices.train, folder)
    process.join()
    assert process.exitcode == 0
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize(
    "two, one",
    [
        ("two, synchronized", "one"),
        # Each device normalizes its own half, as one does with the halves in
        # turn.
        ("two", "one, in halves"),
        ("one, unnormalized, in halves", "one, unnormalized"),
        ("two, in halves", "one, unnormalized"),
        ("two, averaged", "one, averaged"),
        ("two, then one", "one"),
    ],
)
def test_losses_and_weights_are_those_of_one_device(two, one, results):
    for quantity in ("losses", "weights"):
        found, wanted = results[two][quantity], results[one][quantity]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_batch_normalization_sees_a_device_unless_synchronized(results):
    losses = [results[name]["losses"] for name in ("two", "one")]
    assert not np.allclose(*losses, rtol=1e-3)


def test_the_average_is_not_the_last_weights(results):
    weights = [results[n]["weights"] for n in ("one, averaged", "one")]
    assert not np.allclose(*weights, rtol=1e-3)


def test_a_broken_run_ends_as_the_unbroken_one_to_the_bit(results):
    assert results["two, dropout, broken"] == results["two, dropout"]


def test_each_device_goes_on_with_its_own_sums_and_statistics(results):
    broken, whole = results["6 steps and 1"], results["7 steps"]
    assert broken == whole
    own = {name for name, first, second in whole if first != second}
    assert own == {"total", "moving_mean", "moving_variance"}


@pytest.mark.parametrize(
    "what, said",
    [
        ("accumulation", "Give fit(..., accumulate=2) instead."),
        ("executions", "steps_per_execution=1"),
        (
            "batch",
            "6 equal parts (2 devices, accumulate=3). The nearest sizes ",
        ),
        ("late", "call make_strategy first"),
        ("same", "True"),
    ],
)
def test_what_cannot_be_is_refused_in_words(what, said, results):
    assert said in results["errors"][what]
