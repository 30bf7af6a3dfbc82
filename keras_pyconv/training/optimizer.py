"""Gradient descent with momentum as the authors' framework computes it.

The facts a reader would get wrong: weight decay here is added to the gradient,
before the momentum, while `weight_decay` of Keras's optimizers shrinks the
weights beside the update; and the rate multiplies the velocity when it is
applied, not when it is gathered, which differs where the rate changes.
"""

import difflib
import re

import keras
from keras import ops


def _matches(rule, path):
    return bool(re.search(rule, path) if isinstance(rule, str) else rule(path))


def _check_rules(rules, paths):
    """Refuses a regular expression that no variable's path matches."""
    for rule in rules:
        if isinstance(rule, str) and not any(_matches(rule, p) for p in paths):
            near = difflib.get_close_matches(rule, paths, n=3, cutoff=0)
            raise ValueError(
                f"The pattern {rule!r} matches no trainable variable. "
                f"Some of their paths: {', '.join(near)}"
            )


@keras.saving.register_keras_serializable(package="keras_pyconv")
class SGD(keras.optimizers.SGD):
    """Stochastic gradient descent with PyTorch's momentum and weight decay.

    With gradient `g` of a weight `w`, its velocity `v` and the rate `r`:

    ```
    g = g + l2 * w
    v = momentum * v + g
    w = w - r * v                      # r * (g + momentum * v) with Nesterov
    ```

    Args:
        learning_rate: float, schedule, or function without arguments.
        momentum: float from 0 to 1.
        nesterov: bool.
        l2: float, the weight decay; the paper has 1e-4 on every weight, the
            parameters of batch normalization included.
        l2_excludes: what has no decay: a regular expression that is searched
            for in the variable's path, such as `"gamma|beta|bias"`, or a
            function from the path to a bool. None excludes nothing.
        rate_multipliers: `{regular expression: factor}`; the first that is
            found in the variable's path multiplies the rate.
        name: string.
        **kwargs: those of `keras.optimizers.SGD`; its `weight_decay` is
            refused.

    Raises:
        ValueError: a pattern matches no variable of the model, found when the
            optimizer is built.

    Example:

    ```python
    from keras_pyconv import training

    training.SGD(
        0.01, l2=1e-4, l2_excludes="_bn/", rate_multipliers={"^head": 10.0}
    )
    ```
    """

    def __init__(
        self,
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        l2=1e-4,
        l2_excludes=None,
        rate_multipliers=None,
        name="SGD",
        **kwargs,
    ):
        if kwargs.pop("weight_decay", None):
            raise ValueError(
                "Keras's `weight_decay` does not go through the momentum. "
                "Give `l2` instead."
            )
        super().__init__(
            learning_rate, float(momentum), nesterov, name=name, **kwargs
        )
        self.l2 = float(l2)
        self.l2_excludes = l2_excludes
        self.rate_multipliers = dict(rate_multipliers or {})

    def build(self, variables):
        if self.built:
            return
        paths = [variable.path for variable in variables]
        excludes = [] if self.l2_excludes is None else [self.l2_excludes]
        _check_rules([*excludes, *self.rate_multipliers], paths)
        self._decays = [
            0.0 if any(_matches(rule, path) for rule in excludes) else self.l2
            for path in paths
        ]
        self._factors = [
            next(
                (
                    float(factor)
                    for rule, factor in self.rate_multipliers.items()
                    if _matches(rule, path)
                ),
                1.0,
            )
            for path in paths
        ]
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._factors[index]
        gradient = ops.cast(gradient, variable.dtype)
        if self._decays[index]:
            gradient = gradient + self._decays[index] * variable
        if self.momentum:
            velocity = self.momentums[index]
            moved = velocity * self.momentum + gradient
            self.assign(velocity, moved)
            if self.nesterov:
                moved = gradient + self.momentum * moved
            gradient = moved
        self.assign_sub(variable, rate * gradient)

    def get_config(self):
        config = super().get_config()
        del config["weight_decay"]
        return {
            **config,
            "l2": self.l2,
            "l2_excludes": self.l2_excludes,
            "rate_multipliers": self.rate_multipliers,
        }
