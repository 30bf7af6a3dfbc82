"""How recipes train: devices, rates, optimizers, callbacks, the run."""

import contextlib
import dataclasses
import importlib.util
import math

from . import command_line, pictures, sources, tracking
from .lazy import keras, tasks, training
from .settings import as_dict, nearest, write

# What a classifier is measured by after an epoch; the first watches over
# `--patience` where no metric is named.
CLASSIFIER_FIGURES = ("val_top1_error", "val_top5_error", "val_loss")
LABEL_FIGURES = ("val_pr_auc", "val_loss")  # of several labels an image


def prepare(settings, load_data, make_model):
    """The compiled model, and the data, whose `judged` `fit` validates on.

    Until here mistakes are the user's. The functions are a recipe's own.
    """
    wanted = settings.training
    # The preparation of data draws numbers too, but only once.
    with command_line.before_the_work():
        if tracker := settings.run.track:
            command_line.require(tracker, extra=tracker)
        check_export_root(settings.run.export_root)
        strategy = start(settings)
        data = load_data(settings, strategy)
        say_rate(settings)
        steps = wanted.steps_per_epoch or data.train.count // wanted.batch_size
        keras.utils.set_random_seed(wanted.seed)
        with strategy.scope():
            model = make_model(settings, len(data.train.classes), steps)
        if wanted.accumulate > 1:
            training.accumulate_gradients(model, wanted.accumulate)
        judged = data.judged and training.validation_data(
            data.judged, wanted.batch_size, strategy
        )
        weights = sources.class_weights(settings, data.train)
    return model, dataclasses.replace(data, judged=judged, class_weight=weights)


@contextlib.contextmanager
def run(settings, model, data):
    """`training.Run` of the settings; says at its end what was broken."""
    wanted, place = settings.training, settings.run
    with open_run(
        place.workdir,
        model,
        data.batches,
        settings,
        {"classes": data.train.classes},
        epochs=wanted.epochs,
        steps_per_epoch=wanted.steps_per_epoch,
        seed=wanted.seed,
        save_every_steps=place.save_every,
        stop_after_steps=place.stop_after,
    ) as opened:
        with contextlib.ExitStack() as stack:
            if is_first(model) and not opened.finished:
                tracked = tracking.tracked(settings, place.workdir)
                with command_line.before_the_work():
                    stack.enter_context(tracked)
            yield opened
    if data.broken and is_first(model):
        print(data.broken)


def check_export_root(root):
    """Refuses before the training what an export would refuse after it."""
    from keras_pyconv.export.serving import remote, server_files, versions

    if root is not None:
        with remote.reached(root) as folder:
            versions.check_destination(folder)
            server_files.check_server_files(folder)


def start(settings):
    """The strategy that the settings ask for; sets the precision."""
    run, wanted = settings.run, settings.training
    strategy = training.make_strategy(run.strategy, run.devices)
    keras.config.set_dtype_policy(wanted.precision)
    devices = strategy.num_replicas_in_sync
    if devices > 1:
        part = wanted.batch_size // devices
        print(f"{devices} devices, {part} examples of a batch on each.")
    return strategy


@contextlib.contextmanager
def open_run(folder, model, batches, settings, found=None, **options):
    """`training.Run` that holds to the settings, and to what was `found`."""
    from keras_pyconv.diverted import keep_in

    options["constants"] = {**as_dict(settings, "decides"), **(found or {})}
    with contextlib.ExitStack() as stack:
        with command_line.before_the_work():
            command_line.require("yaml", extra="recipes")
            run = training.Run(folder, model, batches, **options)
            stack.enter_context(run)
            if is_first(model):
                write(settings, settings.run.workdir)
                keep_in(folder)
        yield run


# Rates and optimizers ---------------------------------------------------------


def peak_rate(settings):
    """The rate of the settings, in proportion to its batch if they say so."""
    wanted = settings.optimizer
    if not wanted.scaled_rate:
        return wanted.rate
    return wanted.rate * settings.training.batch_size / wanted.rate_batch


def say_rate(settings):
    """Says the rate that is used, which follows the batch."""
    wanted, batch = settings.optimizer, settings.training.batch_size
    told = f"Peak learning rate: {peak_rate(settings):.4g}"
    if wanted.scaled_rate and batch != wanted.rate_batch:
        told += (
            f" ({wanted.rate:.4g} at batch size {wanted.rate_batch}, scaled to "
            f"batch size {batch})"
        )
    print(f"{told}.")


def error_rates(classes):
    """Top-1 error, and top-5 error where it tells more."""
    return [tasks.TopKError(k) for k in (1, 5) if k < max(classes, 2)]


def loss_and_metrics(settings, classes):
    """What `compile` takes for one label an image, or for several."""
    smoothing = settings.training.label_smoothing
    if not getattr(settings.data, "multi_label", None):
        loss, metrics = tasks.Crossentropy(smoothing), error_rates(classes)
        return {"loss": loss, "weighted_metrics": metrics}
    several = {"multi_label": True, "num_labels": classes, "name": "pr_auc"}
    return {
        "loss": keras.losses.BinaryCrossentropy(label_smoothing=smoothing),
        "weighted_metrics": [keras.metrics.AUC(curve="PR", **several)],
    }


def print_trainable(model):
    """How much of a network learns."""
    learning, everything = (
        sum(math.prod(variable.shape) for variable in variables)
        for variables in (model.trainable_variables, model.variables)
    )
    print(f"{model.name}: {learning:,} of {everything:,} parameters train.")


def falling(settings, steps_per_epoch, warmup_epochs=0):
    """A rate that is divided by ten from the parts `falls` of the run on."""
    steps = settings.training.epochs * steps_per_epoch
    # In a very short run two falls may meet in one step.
    boundaries = sorted({round(fall * steps) for fall in settings.falls})
    warmup = warmup_epochs * steps_per_epoch
    return training.StepDecay(
        peak_rate(settings), boundaries, warmup_steps=warmup
    )


def make_optimizer(settings, rate, **others):
    """The optimizer of the settings, at a schedule of the rate.

    `others` are `(pattern, schedule)` for variables whose whole path matches.
    """
    if not others:
        return _one_optimizer(settings.optimizer, rate)
    default = _one_optimizer(settings.optimizer, rate, name="rest")
    by_path = {
        pattern: _one_optimizer(settings.optimizer, other, name=name)
        for name, (pattern, other) in others.items()
    }
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(default, by_path)
    )


def _one_optimizer(wanted, rate, **named):
    decay = wanted.weight_decay
    if wanted.name == "sgd":
        named["l2_excludes"] = wanted.no_decay
        return training.SGD(rate, momentum=wanted.momentum, l2=decay, **named)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=decay, **named)
    if wanted.no_decay:
        optimizer.exclude_from_weight_decay(var_names=[wanted.no_decay])
    return optimizer


# What `fit` takes -------------------------------------------------------------


def fit_arguments(settings, run, data, figures=None):
    """All that `model.fit` takes within `run`; `figures` as of `callbacks`."""
    return {
        **run.fit_arguments,
        "validation_data": data.judged,
        "class_weight": data.class_weight,
        "callbacks": run.callbacks(callbacks(settings, run, data, figures)),
    }


def callbacks(settings, run, data, figures=None):
    """Those of the data, what the settings ask for, and the logs of a run.

    `--patience` watches the first of `figures` where no metric is named.
    """
    wanted, model, found = settings.training, run.model, [*data.callbacks]
    figures = figures or figures_of(settings)
    if len(data.train.classes) <= 5:
        figures = [name for name in figures if name != "val_top5_error"]
    with command_line.before_the_work():
        watched = best_of(wanted.keep_best or figures[0], figures)
    if wanted.ema:
        found.append(training.WeightAverage(wanted.ema))
    if wanted.keep_best and is_first(model):
        best = best_weights(settings, model)
        once = {"save_best_only": True, "save_weights_only": True}
        checkpoint = keras.callbacks.ModelCheckpoint(best, **once, **watched)
        found.append(checkpoint)
    if wanted.patience:
        patience = {"patience": wanted.patience, **watched}
        found.append(keras.callbacks.EarlyStopping(**patience))
    return found + (_logs(settings, run) if is_first(model) else [])


def _logs(settings, run):
    """TensorBoard's, and curves of the epochs that are done."""
    workdir = settings.run.workdir

    def draw(*_):
        if run.history:
            pictures.curves({"": run.history}, workdir / "curves.png")

    found = []
    if importlib.util.find_spec("matplotlib"):
        drawing = {"on_epoch_begin": draw, "on_train_end": draw}
        found.append(keras.callbacks.LambdaCallback(**drawing))
    # TensorFlow's summaries need it, and from 2.21 on do not require it.
    if importlib.util.find_spec("tensorboard"):
        logs = workdir / "logs"
        found.append(keras.callbacks.TensorBoard(logs, write_graph=False))
    return found + ([] if run.finished else tracking.callbacks(settings))


def figures_of(settings):
    """What a classifier of one label or several is measured by."""
    several = getattr(settings.data, "multi_label", None)
    return LABEL_FIGURES if several else CLASSIFIER_FIGURES


def best_of(metric, figures):
    """How a metric is watched; errors and losses are better when lower."""
    names = [*figures, *(name.removeprefix("val_") for name in figures)]
    if metric not in names:
        raise ValueError(
            f"training.keep_best is {metric!r}, which is not measured here."
            f"{nearest(metric, names)}. All: {', '.join(names)}"
        )
    lower = metric.endswith(("loss", "error"))
    return {"monitor": metric, "mode": "min" if lower else "max"}


def best_weights(settings, model):
    """The file of the best epoch's weights, with `--keep-best`."""
    return settings.run.workdir / f"{model.name}.best.weights.h5"


def is_first(model):
    """Whether this is the machine that writes; all hold the same weights."""
    return training.shard(model.distribute_strategy)[0] == 0
