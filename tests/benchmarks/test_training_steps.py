"""Contenders are compared turn by turn."""

from benchmarks import training_steps


def test_ratios_are_of_the_same_turn():
    seconds = {
        "run": [(0.001, 0.002), (0.010, 0.002), (0.002, 0.002)],
        "alone": [(0.002, 0.001), (0.020, 0.001), (0.001, 0.004)],
    }
    by_clock = training_steps.summary(seconds, 0)
    assert by_clock["alone"] == {"ms": 2.0, "ratio": 2.0, "ratios": [0.5, 2.0]}
    assert by_clock["run"]["ratio"] == 1.0
    by_processor = training_steps.summary(seconds, 1)
    assert by_processor["alone"]["ratios"] == [0.5, 2.0]
