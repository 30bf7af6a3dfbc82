"""Training that can be interrupted at any moment and goes on exactly.

`fit` is a loop of its own around `model.train_step`: Keras's `fit` cannot
begin in the middle of an epoch, and breaks under TensorFlow's strategy for
several machines.
"""

from keras_pyconv.training.evaluation import ErrorRates
from keras_pyconv.training.loop import fit
from keras_pyconv.training.optimizer import SGD
from keras_pyconv.training.region_scores import RegionScores
from keras_pyconv.training.schedules import (
    StepDecay,
    cosine_decay,
    poly_decay,
    step_decay,
)
from keras_pyconv.training.strategies import make_strategy, shard
from keras_pyconv.training.workdir import provenance

__all__ = [
    "ErrorRates",
    "RegionScores",
    "SGD",
    "StepDecay",
    "cosine_decay",
    "fit",
    "make_strategy",
    "poly_decay",
    "provenance",
    "shard",
    "step_decay",
]
