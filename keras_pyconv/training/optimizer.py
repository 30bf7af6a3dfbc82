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
    if rule is None:
        return False
    return bool(re.search(rule, path) if isinstance(rule, str) else rule(path))


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
        name: string.
        **kwargs: those of `keras.optimizers.SGD`; its `weight_decay` is
            refused.

    Raises:
        ValueError: the pattern matches no variable of the model, found when
            the optimizer is built.

    Rates per layer are those of several optimizers:

    ```python
    import keras
    from keras_pyconv.training import SGD

    # The layer `head` learns ten times as fast as the rest.
    keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(SGD(0.01), {"head/.*": SGD(0.1)})
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

    def build(self, variables):
        if self.built:
            return
        paths = [variable.path for variable in variables]
        excluded = [_matches(self.l2_excludes, path) for path in paths]
        if isinstance(self.l2_excludes, str) and not any(excluded):
            near = difflib.get_close_matches(
                self.l2_excludes, paths, n=3, cutoff=0
            )
            raise ValueError(
                f"The pattern {self.l2_excludes!r} matches no trainable "
                f"variable. Some of their paths: {', '.join(near)}"
            )
        self._decays = [0.0 if no else self.l2 for no in excluded]
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype)
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
        }
