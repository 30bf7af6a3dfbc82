"""The rate changes with the step that the paper's epochs say."""

import keras
import pytest

from keras_pyconv.optimizers import cosine_decay, poly_decay, step_decay

SCHEDULES = {
    "step": step_decay(0.1, (30, 60, 80), 10),
    "warmup": step_decay(0.1, (30,), 10, warmup_epochs=0.5),
    "poly": poly_decay(0.1, 100),
    "cosine": cosine_decay(0.1, 100),
    "cosine with warm-up": cosine_decay(0.1, 100, 20),
}


@pytest.mark.parametrize(
    "name, step, rate",
    [
        ("step", 0, 0.1),
        ("step", 299, 0.1),
        ("step", 300, 0.01),
        ("step", 600, 0.001),
        ("step", 800, 0.0001),
        ("warmup", 0, 0.02),
        ("warmup", 4, 0.1),
        ("poly", 0, 0.1),
        ("poly", 50, 0.1 * 0.5**0.9),
        ("poly", 100, 0.0),
        ("cosine", 50, 0.05),
        ("cosine with warm-up", 10, 0.05),
        ("cosine with warm-up", 20, 0.1),
        ("cosine with warm-up", 100, 0.0),
    ],
)
def test_the_rate_is_what_the_formula_says(name, step, rate):
    assert float(SCHEDULES[name](step)) == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_survives_its_configuration(name):
    schedules = keras.optimizers.schedules
    config = schedules.serialize(SCHEDULES[name])
    again = schedules.deserialize(config)
    rates = [
        [float(s(n)) for n in (0, 7, 99)] for s in (again, SCHEDULES[name])
    ]
    assert rates[0] == rates[1]


def test_a_warm_up_that_is_the_whole_run_is_refused():
    with pytest.raises(ValueError, match="at most 4. Received: warmup_steps=5"):
        cosine_decay(0.1, 5, 5)


def test_boundaries_that_fall_are_refused():
    with pytest.raises(ValueError, match="must be .* increasing numbers"):
        step_decay(0.1, (60, 30), 10)
