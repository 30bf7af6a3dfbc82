"""Training by `model.fit` that can be interrupted, and goes on exactly."""

from keras_pyconv.optimizers import (
    SGD,
    StepDecay,
    cosine_decay,
    poly_decay,
    step_decay,
)
from keras_pyconv.provenance import provenance
from keras_pyconv.training.accumulation import accumulate_gradients
from keras_pyconv.training.averaging import WeightAverage
from keras_pyconv.training.callbacks import Evaluation
from keras_pyconv.training.data import validation_data
from keras_pyconv.training.run import Run
from keras_pyconv.training.strategies import make_strategy, shard

__all__ = [
    "Evaluation",
    "Run",
    "SGD",
    "StepDecay",
    "WeightAverage",
    "accumulate_gradients",
    "cosine_decay",
    "make_strategy",
    "poly_decay",
    "provenance",
    "shard",
    "step_decay",
    "validation_data",
]
