"""A state that nobody could go on from is refused in words."""

import re

import keras
import numpy as np
import pytest

from keras_pyconv.runs.state import State
from tests.training import small


@pytest.fixture
def model():
    built = small.model(normalized=True)
    built.optimizer.build(built.trainable_variables)
    return built


def _check(model):
    state = State(model)
    state.check_finite(state.read(), 7)


def _spoil(variable, value):
    array = keras.ops.convert_to_numpy(variable).copy()
    array.flat[-1] = value
    variable.assign(array)


def test_finite_variables_are_let_pass(model):
    _check(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["kernel", "moving_variance", "momentum"])
def test_the_variable_that_is_not_finite_is_named(model, kind, value):
    variables = [*model.variables, *model.optimizer.variables]
    variable = next(v for v in variables if kind in v.path)
    _spoil(variable, value)
    said = f"at step 7 in 1 of .*{re.escape(variable.path)} \\(1 of "
    with pytest.raises(FloatingPointError, match=said):
        _check(model)


def test_many_variables_are_counted_and_some_named(model):
    for variable in model.trainable_variables:
        variable.assign(np.full(variable.shape, np.nan))
    with pytest.raises(FloatingPointError, match="108 of 108.* and 3 more"):
        _check(model)


def test_a_variable_in_bfloat16_is_checked():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")]
    )
    model.compile("sgd", "mse")
    _check(model)
    _spoil(model.layers[0].bias, float("nan"))
    with pytest.raises(FloatingPointError, match="bias"):
        _check(model)


def test_a_metric_may_be_no_number(model):
    for variable in model.metrics_variables:
        variable.assign(float("nan"))
    _check(model)
