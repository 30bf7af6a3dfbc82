"""Learning rates over the steps of a run.

The fact a reader would get wrong: a step is one update of the weights,
however many small batches its gradient was accumulated from, and the first
step is number 0. Keras's own `PiecewiseConstantDecay` changes the rate one
step later than frameworks that change it between epochs.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pyconv")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that falls by a factor at given steps, after a linear warm-up.

    Args:
        rate: float, the rate after the warm-up.
        boundaries: increasing ints, the steps with which a lower rate begins.
        factor: float, what the rate is multiplied by at each boundary.
        warmup_steps: int, over so many steps the rate grows linearly; the
            first has `rate / warmup_steps`, the last `rate`.
    """

    def __init__(self, rate, boundaries, factor=0.1, warmup_steps=0):
        super().__init__()
        if list(boundaries) != sorted(set(boundaries)):
            raise ValueError(
                "`boundaries` must increase. "
                f"Received: boundaries={list(boundaries)}"
            )
        self.rate = float(rate)
        self.boundaries = [int(step) for step in boundaries]
        self.factor = float(factor)
        self.warmup_steps = int(warmup_steps)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = ops.convert_to_tensor(self.rate, "float32")
        for number, boundary in enumerate(self.boundaries, start=1):
            lower = self.rate * self.factor**number
            rate = ops.where(step < boundary, rate, lower)
        if self.warmup_steps:
            rate *= ops.minimum((step + 1) / self.warmup_steps, 1.0)
        return rate

    def get_config(self):
        return {
            "rate": self.rate,
            "boundaries": self.boundaries,
            "factor": self.factor,
            "warmup_steps": self.warmup_steps,
        }


def step_decay(rate, boundaries, steps_per_epoch, factor=0.1, warmup_epochs=0):
    """The paper's schedule: a tenth of the rate from each of some epochs on.

    Args:
        rate: float, the first rate.
        boundaries: epochs, counted from 0, with which a lower rate begins;
            the paper has `(30, 60, 80)` on ImageNet (section 5).
        steps_per_epoch: int.
        factor: float, what the rate is multiplied by at each boundary.
        warmup_epochs: epochs of linear growth, fractions allowed; 0 for none.

    Returns:
        A serializable Keras learning rate schedule.

    Example:

    >>> from keras_pyconv import training
    >>> rate = training.step_decay(0.1, (30, 60, 80), steps_per_epoch=5004)
    >>> [round(float(rate(30 * 5004 - 1 + n)), 4) for n in (0, 1)]
    [0.1, 0.01]
    """
    return StepDecay(
        rate,
        [round(epoch * steps_per_epoch) for epoch in boundaries],
        factor,
        round(warmup_epochs * steps_per_epoch),
    )


def poly_decay(rate, steps, power=0.9):
    """`rate * (1 - step / steps) ** power`, as in semantic segmentation.

    Args:
        rate: float, the first rate.
        steps: int, the steps of the whole run.
        power: float.

    Returns:
        A serializable Keras learning rate schedule.
    """
    return keras.optimizers.schedules.PolynomialDecay(
        float(rate), int(steps), end_learning_rate=0.0, power=float(power)
    )


def cosine_decay(rate, steps, warmup_steps=0):
    """Linear growth from zero to `rate`, then half a cosine down to zero.

    Args:
        rate: float, the highest rate.
        steps: int, the steps of the whole run, those of the warm-up included.
        warmup_steps: int, steps of linear growth; 0 for none.

    Returns:
        A serializable Keras learning rate schedule.
    """
    if not 0 <= warmup_steps < steps:
        raise ValueError(
            "`warmup_steps` must be at least 0 and below `steps`. "
            f"Received: warmup_steps={warmup_steps}, steps={steps}"
        )
    schedule = keras.optimizers.schedules.CosineDecay
    if not warmup_steps:
        return schedule(float(rate), int(steps))
    return schedule(
        0.0,
        int(steps - warmup_steps),
        warmup_target=float(rate),
        warmup_steps=int(warmup_steps),
    )
