"""SGD moves weights as PyTorch's does, with its decay and its exceptions."""

import keras
import numpy as np
import pytest

from keras_pyconv.training import SGD

GRADIENTS = ([1.0, -2.0], [0.5, 0.25], [-1.0, 3.0])
RATES = (0.1, 0.1, 0.01)


def _variables():
    return [
        keras.Variable([1.0, 2.0], name="kernel"),
        keras.Variable([1.0, 2.0], name="gamma"),
    ]


def _moved(**options):
    kernel, gamma = _variables()
    optimizer = SGD(0.1, **options)
    optimizer.build([kernel, gamma])
    for gradient, rate in zip(GRADIENTS, RATES):
        optimizer.learning_rate = rate
        gradient = keras.ops.convert_to_tensor(gradient)
        optimizer.apply([gradient, gradient])
    return kernel.numpy(), gamma.numpy()


def _torch(momentum, nesterov, l2):
    """The formulas of PyTorch's documentation, one after the other."""
    w, buffer = np.array([1.0, 2.0]), np.zeros(2)
    for gradient, rate in zip(GRADIENTS, RATES):
        g = np.array(gradient) + l2 * w
        buffer = momentum * buffer + g
        g = g + momentum * buffer if nesterov else buffer
        w = w - rate * (g if momentum else np.array(gradient) + l2 * w)
    return w


@pytest.mark.parametrize(
    "momentum, nesterov", [(0.0, False), (0.9, False), (0.9, True)]
)
def test_three_steps_are_pytorchs(momentum, nesterov):
    moved, _ = _moved(momentum=momentum, nesterov=nesterov, l2=0.2)
    wanted = _torch(momentum, nesterov, 0.2)
    np.testing.assert_allclose(moved, wanted, rtol=1e-5)


def test_what_is_excluded_has_no_decay():
    kernel, gamma = _moved(l2=0.2, l2_excludes="gam+a")
    np.testing.assert_allclose(kernel, _torch(0.9, False, 0.2), rtol=1e-5)
    np.testing.assert_allclose(gamma, _torch(0.9, False, 0.0), rtol=1e-5)


def test_several_optimizers_have_several_rates():
    kernel, gamma = _variables()
    slow, fast = (SGD(rate, l2=0.0) for rate in (0.01, 0.1))
    several = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(slow, {"ker.*": fast})
    )
    several.build([kernel, gamma])
    several.apply([keras.ops.ones(2)] * 2)
    change, tenth = kernel.numpy() - [1, 2], gamma.numpy() - [1, 2]
    np.testing.assert_allclose(change, 10 * tenth, rtol=1e-4)


def test_a_pattern_that_matches_nothing_is_refused():
    optimizer = SGD(0.1, l2_excludes="kernle")
    with pytest.raises(ValueError, match="'kernle' matches no .* kernel"):
        optimizer.build(_variables())


def test_keras_weight_decay_is_refused():
    with pytest.raises(ValueError, match="Use `l2`"):
        SGD(0.1, weight_decay=1e-4)


def test_the_configuration_makes_the_same_optimizer():
    options = {"l2": 0.3, "l2_excludes": "bn"}
    optimizer = SGD(0.1, nesterov=True, **options)
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)
    assert isinstance(again, SGD)
    assert again.get_config() == optimizer.get_config()
