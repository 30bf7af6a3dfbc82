"""The name under which training was called before it was `model.fit`."""

from keras_pyconv.training.accumulation import accumulate_gradients
from keras_pyconv.training.averaging import WeightAverage
from keras_pyconv.training.callbacks import Evaluation
from keras_pyconv.training.run import Run


def fit(
    model,
    batches,
    *,
    workdir,
    evaluate=None,
    evaluate_every=1,
    callbacks=(),
    constants,
    accumulate=1,
    ema=None,
    **options,
):
    """`model.fit` within a `Run`; returns the run's history."""
    accumulate_gradients(model, accumulate)
    callbacks = list(callbacks)
    if ema is not None:
        callbacks.append(WeightAverage(ema))
    if evaluate is not None:
        callbacks.append(Evaluation(evaluate, evaluate_every))
    constants = {**constants, "accumulate": accumulate, "ema": ema}
    with Run(workdir, model, batches, constants=constants, **options) as run:
        model.fit(**run.fit_arguments, callbacks=run.callbacks(callbacks))
    return run.history
