"""Trains on two logical CPU devices and on one, and writes what came out.

A process of its own: devices are arranged before anything is computed.
"""

import functools
import json

import keras
import numpy as np
import tensorflow as tf

from keras_pyconv import tasks, training
from tests.training import small

PLAIN = {"dropout": 0.0}
UNNORMALIZED = {**PLAIN, "normalized": False}
SYNCHRONIZED = {**PLAIN, "synchronized": True}
VALIDATED = {"validation_freq": 1}
CLASS_WEIGHTS = {"class_weight": {0: 0.25, 1: 2.0}}


def weighted(first_step=0):
    """The batches with a weight for each example."""
    return small.batches(first_step).map(
        lambda x, y: (x, y, 0.5 + tf.cast(y, "float32"))
    )


def several():
    """Another rate, and so another optimizer, for the last layer."""
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            training.SGD(0.05, l2=1e-4),
            {"small/dense.*": training.SGD(0.5, l2=0.0)},
        )
    )


# By name: the options of the model, and of the run.
CASES = {
    "plain": (PLAIN, {}),
    "in halves": (PLAIN, {"accumulate": 2}),
    "synchronized": (SYNCHRONIZED, {}),
    "unnormalized": (UNNORMALIZED, {}),
    "unnormalized, in halves": (UNNORMALIZED, {"accumulate": 2}),
    "averaged": (SYNCHRONIZED, {"ema": 0.9}),
    "validated": (SYNCHRONIZED, {"fit": VALIDATED}),
    "every second epoch": (
        SYNCHRONIZED,
        {"fit": {"validation_freq": 2}},
    ),
    "class weights": (SYNCHRONIZED, {"fit": CLASS_WEIGHTS}),
    "sample weights": (SYNCHRONIZED, {"batches": weighted}),
    "several optimizers": ({**SYNCHRONIZED, "optimizer": several}, {}),
}


def _run(folder, strategy, model, ema=None, accumulate=1, **options):
    trained = small.model(strategy, **model)
    training.accumulate_gradients(trained, accumulate)
    if "validation_freq" in options.get("fit", {}):
        data = small.batches(100).take(3)
        options["fit"] = {**options["fit"], "validation_data": data}
    callbacks = [training.WeightAverage(ema)] if ema else []
    if options.pop("stopping", False):
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", patience=1, restore_best_weights=True
            )
        )
    trained, history = small.run(folder, trained, callbacks, None, **options)
    kinds = {
        "weights": trained.trainable_weights,
        "statistics": trained.non_trainable_weights,
    }
    found = {
        kind: [keras.ops.convert_to_numpy(w).tolist() for w in weights]
        for kind, weights in kinds.items()
    }
    return {"history": history, **found}


def _error(function, *args, **options):
    try:
        function(*args, **options)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def _refused(two, folder):
    """What is said of what two devices cannot do."""
    inner = {
        "optimizer": lambda: training.SGD(0.1, gradient_accumulation_steps=2)
    }
    outside = {"weighted_metrics": [tasks.TopKError(1)]}
    several = small.model(two, steps_per_execution=2)
    odd = functools.partial(small.batches, batch=7)
    run = functools.partial(_error, small.run, folder)
    return {
        "accumulation": run(small.model(two, **inner)),
        "executions": run(several),
        "batch": run(small.model(two), batches=odd),
        "metric": run(small.model(two, **outside)),
        "optimizer": run(small.model(two, optimizer=training.SGD(0.1))),
        "late": _error(training.make_strategy, "mirrored", num_devices=3),
        "same": str(training.make_strategy("mirrored", num_devices=2) is two),
    }


def _broken(strategy, folder):
    """With all that differs between devices: whole, and in three parts."""
    options = {"ema": 0.9, "stopping": True, "fit": VALIDATED}
    whole = _run(folder / "whole", strategy, {}, **options)
    for steps in (3, 3):
        part = {**options, "stop_after_steps": steps}
        _run(folder / "parts", strategy, {}, **part)
    return whole, _run(folder / "parts", strategy, {}, **options)


def _figures(strategy, data):
    """What `evaluate` says of scores that are given as they are."""
    x, y, labels = data
    with strategy.scope():
        inputs = keras.Input(x.shape[1:])
        model = keras.Model(inputs, keras.layers.Identity()(inputs))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = [tasks.TopKError(1), tasks.TopKError(5)]
        model.compile("sgd", loss, weighted_metrics=metrics)
        maps = keras.Model(inputs, keras.layers.Identity()(inputs))
        metrics = [
            tasks.ConfusionMatrix(x.shape[-1]),
            tasks.segmentation.PixelLoss(),
        ]
        maps.compile("sgd", tasks.SegmentationLoss(), metrics=metrics)
    options = {"batch_size": 4, "verbose": 0, "return_dict": True}
    weights = (np.arange(len(y)) % 3 > 0).astype("float32")
    return {
        **model.evaluate(x, y, sample_weight=weights, **options),
        **maps.evaluate(x, labels, **options),
    }


def _held_out(strategy):
    """11 examples, of which the last batch is not full."""
    data = training.validation_data(small.held_out, 4, strategy)
    return small.model(strategy).evaluate(data, verbose=0, return_dict=True)


def scores():
    """Scores of 13 examples and 7 classes, truth, and truth with gaps."""
    rng = np.random.default_rng(4)
    scores, truth = rng.normal(size=(13, 7)), rng.integers(0, 7, 13)
    labels = np.where(np.arange(13) % 4 == 1, 255, truth)
    return scores.astype("float32"), truth, labels


def train(folder):
    """All cases by name: the histories and weights."""
    two = training.make_strategy("mirrored", num_devices=2)
    one = training.make_strategy("one")
    results = {"one": {}, "two": {}}
    for name, (model, options) in CASES.items():
        for devices, strategy in (("one", one), ("two", two)):
            of_case = _run(folder / devices / name, strategy, model, **options)
            results[devices][name] = of_case
    moved = folder / "moved"
    _run(moved, two, SYNCHRONIZED, stop_after_steps=6)
    results["moved"] = _run(moved, one, PLAIN)
    results["whole"], results["broken"] = _broken(two, folder)
    results["refused"] = _refused(two, folder / "refused")
    results["held out"] = [_held_out(one), _held_out(two)]
    results["figures"] = [_figures(one, scores()), _figures(two, scores())]
    (folder / "results.json").write_text(json.dumps(results))


def break_off(folder):
    """Whole and broken, on two devices and on one."""
    two = training.make_strategy("mirrored", num_devices=2)
    results = [_broken(two, folder / "two"), _broken(None, folder / "one")]
    (folder / "results.json").write_text(json.dumps(results))
