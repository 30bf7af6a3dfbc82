"""Trains on two logical CPU devices and on one, and writes what came out.

A process of its own: devices are arranged before anything is computed.
"""

import json

import keras
import numpy as np

from keras_pyconv import training
from keras_pyconv.training import logs
from tests.training import small


def _result(folder, trained, **options):
    trained, history = small.run(folder, trained, evaluate=None, **options)
    weights = [
        keras.ops.convert_to_numpy(w).ravel() for w in trained.trainable_weights
    ]
    return {
        "losses": [row["loss"] for row in history],
        "accuracies": [row["accuracy"] for row in history],
        "weights": np.concatenate(weights).tolist(),
    }


def _of_every_device(strategy, trained):
    """The end of every variable's path, and what each device has in it."""
    variables = trained.variables + trained.metrics_variables
    return [
        [
            variable.path.rpartition("/")[2],
            *(
                one.numpy().tolist()
                for one in strategy.experimental_local_results(variable.value)
            ),
        ]
        for variable in variables
    ]


def _error(function, *args, **options):
    try:
        function(*args, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def train(folder):
    """All cases by name: losses, accuracies, weights."""
    logs.curves = lambda history: b""
    two = training.make_strategy("mirrored", num_devices=2)
    plain = {"dropout": 0.0}
    unnormalized = {**plain, "normalized": False}
    cases = {
        # On one device.
        "one": (None, plain, {}),
        "one, in halves": (None, plain, {"accumulate": 2}),
        "one, unnormalized": (None, unnormalized, {}),
        "one, unnormalized, in halves": (None, unnormalized, {"accumulate": 2}),
        "one, averaged": (None, plain, {"ema": 0.9}),
        # On two.
        "two": (two, plain, {}),
        "two, synchronized": (two, {**plain, "synchronized": True}, {}),
        "two, in halves": (two, unnormalized, {"accumulate": 2}),
        "two, averaged": (two, {**plain, "synchronized": True}, {"ema": 0.9}),
        "two, dropout": (two, {}, {}),
    }
    results = {}
    for number, (name, (strategy, model, options)) in enumerate(cases.items()):
        trained = small.model(strategy, **model)
        results[name] = _result(folder / str(number), trained, **options)
    broken = folder / "broken"
    small.run(broken, small.model(two), evaluate=None, stop_after_steps=6)
    results["two, dropout, broken"] = _result(broken, small.model(two))
    for name, steps in (("7 steps", [7]), ("6 steps and 1", [6, 1])):
        for count in steps:
            trained = small.model(two)
            small.run(
                folder / name, trained, evaluate=None, stop_after_steps=count
            )
        results[name] = _of_every_device(two, trained)
    small.run(
        folder / "moved",
        small.model(two, **plain, synchronized=True),
        evaluate=None,
        stop_after_steps=6,
    )
    results["two, then one"] = _result(folder / "moved", small.model(**plain))
    fit = {"batches": small.batches, "workdir": folder / "x", **small.RUN}
    inner = training.SGD(0.1, gradient_accumulation_steps=2)
    results["errors"] = {
        "accumulation": _error(
            training.fit, small.model(two, optimizer=inner), **fit
        ),
        "executions": _error(
            training.fit, small.model(two, steps_per_execution=2), **fit
        ),
        "batch": _error(training.fit, small.model(two), accumulate=3, **fit),
        "late": _error(training.make_strategy, "mirrored", num_devices=3),
        "same": str(training.make_strategy("mirrored", num_devices=2) is two),
    }
    (folder / "results.json").write_text(json.dumps(results))
