"""Gradient descent as the authors' framework computes it, and its rates.

Weight decay is added to the gradient before the momentum, and the rate
multiplies the velocity when it is applied, not when it is gathered. The first
step has number 0.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops
from keras.optimizers import schedules

from keras_pyconv import arguments
from keras_pyconv.typing import Tensor

# Steps are counted in 64 bits.
_MOST_STEPS = 2**63 - 1


def _increasing(boundaries):
    """Numbers of steps or epochs, each above the one before."""
    found = arguments.plain(boundaries)
    good = isinstance(found, tuple) and all(
        arguments.is_number(number, 0) for number in found
    )
    good = good and list(found) == sorted(set(found))
    good = good and getattr(boundaries, "ndim", 1) == 1
    rule = "a list of increasing numbers from 0"
    return arguments.check("boundaries", found, good, rule)


@keras.saving.register_keras_serializable(package="keras_pyconv")
class SGD(keras.optimizers.SGD):
    """Stochastic gradient descent with PyTorch's momentum and weight decay.

    With gradient `g` of a weight `w`, its velocity `v` and the rate `r`:

    ```text
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
        l2_excludes: regular expression, searched for in a variable's path, of
            what has no decay, such as `"gamma|beta|bias"`; or None. One that
            matches nothing is a `ValueError` when the optimizer is built.
        name: string.
        **kwargs: of `keras.optimizers.SGD`, but for `weight_decay`.

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
        learning_rate: float | Callable[..., Any] = 0.1,
        momentum: float = 0.9,
        nesterov: bool = False,
        l2: float = 1e-4,
        l2_excludes: str | None = None,
        name: str = "SGD",
        **kwargs: Any,
    ):
        if kwargs.pop("weight_decay", None):
            raise ValueError(
                "Keras's `weight_decay` bypasses the momentum. Use `l2` "
                "instead."
            )
        if not callable(learning_rate):
            arguments.number("learning_rate", learning_rate, 0)
        arguments.number("momentum", momentum, 0, 1)
        nesterov = arguments.flag("nesterov", nesterov)
        arguments.number("l2", l2, 0)
        arguments.text("l2_excludes", l2_excludes, optional=True)
        arguments.text("name", name, optional=True)
        super().__init__(
            learning_rate, float(momentum), nesterov, name=name, **kwargs
        )
        self.l2, self.l2_excludes = float(l2), l2_excludes

    def build(self, variables):
        if self.built:
            return
        paths, pattern = [one.path for one in variables], self.l2_excludes
        excluded = [pattern and re.search(pattern, path) for path in paths]
        if pattern and not any(excluded):
            near = difflib.get_close_matches(pattern, paths, n=3, cutoff=0)
            raise ValueError(
                f"The pattern {pattern!r} matches no trainable variable. Some "
                f"of their paths: {', '.join(near)}"
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
        return config | {"l2": self.l2, "l2_excludes": self.l2_excludes}


@keras.saving.register_keras_serializable(package="keras_pyconv")
class StepDecay(schedules.LearningRateSchedule):
    """A rate that falls by a factor at given steps, after a linear warm-up.

    Keras's `PiecewiseConstantDecay` changes the rate one step later.

    Args:
        rate: float, the rate after the warm-up.
        boundaries: increasing ints, the steps with which a lower rate begins.
        factor: float, what the rate is multiplied by at each boundary.
        warmup_steps: int; the first has `rate / warmup_steps`, the last `rate`.
    """

    def __init__(
        self,
        rate: float,
        boundaries: Sequence[int],
        factor: float = 0.1,
        warmup_steps: int = 0,
    ):
        super().__init__()
        self.rate = arguments.number("rate", rate, 0)
        self.factor = arguments.number("factor", factor, above=0)
        self.boundaries = [int(step) for step in _increasing(boundaries)]
        self.warmup_steps = arguments.integer(
            "warmup_steps", warmup_steps, 0, _MOST_STEPS
        )

    def __call__(self, step: Tensor) -> Tensor:
        if not arguments.is_number(step):
            arguments.tensor("step", step, (0,))
        step = ops.cast(step, "float32")
        rate = ops.convert_to_tensor(self.rate, "float32")
        for number, boundary in enumerate(self.boundaries, start=1):
            lower = self.rate * self.factor**number
            rate = ops.where(step < boundary, rate, lower)
        if self.warmup_steps:
            rate *= ops.minimum((step + 1) / self.warmup_steps, 1.0)
        return rate

    def get_config(self):
        names = "rate", "boundaries", "factor", "warmup_steps"
        return {name: getattr(self, name) for name in names}


def step_decay(
    rate: float,
    boundaries: Sequence[float],
    steps_per_epoch: int,
    factor: float = 0.1,
    warmup_epochs: float = 0,
) -> StepDecay:
    """`StepDecay` by epochs, counted from 0; fractions are allowed.

    The paper has `(30, 60, 80)` on ImageNet (section 5).

    >>> from keras_pyconv import training
    >>> rate = training.step_decay(0.1, (30, 60, 80), steps_per_epoch=5004)
    >>> [round(float(rate(30 * 5004 - 1 + n)), 4) for n in (0, 1)]
    [0.1, 0.01]
    """
    arguments.integer("steps_per_epoch", steps_per_epoch, 1, _MOST_STEPS)
    arguments.number("warmup_epochs", warmup_epochs, 0, _MOST_STEPS)
    epochs = _increasing(boundaries)
    steps = [round(epoch * steps_per_epoch) for epoch in epochs]
    return StepDecay(
        rate, steps, factor, round(warmup_epochs * steps_per_epoch)
    )


def poly_decay(rate: float, steps: int, power: float = 0.9) -> Any:
    """`rate * (1 - step / steps) ** power`, as in semantic segmentation."""
    arguments.number("rate", rate, 0)
    arguments.integer("steps", steps, 1, _MOST_STEPS)
    arguments.number("power", power, above=0)
    return schedules.PolynomialDecay(
        float(rate), int(steps), end_learning_rate=0.0, power=float(power)
    )


def cosine_decay(rate: float, steps: int, warmup_steps: int = 0) -> Any:
    """Keras's cosine from `rate` to 0, of `steps` with those of the warm-up."""
    arguments.number("rate", rate, 0)
    arguments.integer("steps", steps, 1, _MOST_STEPS)
    arguments.integer("warmup_steps", warmup_steps, 0, steps - 1)
    if not warmup_steps:
        return schedules.CosineDecay(float(rate), int(steps))
    return schedules.CosineDecay(
        0.0,
        int(steps - warmup_steps),
        warmup_target=float(rate),
        warmup_steps=int(warmup_steps),
    )
