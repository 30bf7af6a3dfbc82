"""How recipes train: devices, rates, optimizers, callbacks, the run."""

import contextlib
import importlib.util

from recipes import command_line
from recipes.settings import as_dict, nearest, write

# What a classifier is measured by after an epoch; the first watches over
# `--patience` where no metric is named.
CLASSIFIER_FIGURES = ("val_top1_error", "val_top5_error", "val_loss")


def start(settings):
    """The strategy that the settings ask for; sets the precision."""
    import keras

    from keras_pyconv import training

    run, wanted = settings.run, settings.training
    strategy = training.make_strategy(run.strategy, run.devices)
    keras.config.set_dtype_policy(wanted.precision)
    devices = strategy.num_replicas_in_sync
    if devices > 1:
        part = wanted.batch_size // devices
        print(f"{devices} devices, {part} examples of a batch on each.")
    return strategy


@contextlib.contextmanager
def scope(settings, strategy):
    """Within this a model is built, on all devices and from the seed.

    The preparation of a data set, which happens once, draws numbers too.
    """
    import keras

    keras.utils.set_random_seed(settings.training.seed)
    with strategy.scope():
        yield


def prepare(settings, load_data, make_model):
    """What is needed to train; until here mistakes are the user's.

    Args:
        settings: with `training` and `run`.
        load_data: function of the settings and the strategy to a set of
            `count` examples of `classes`, batches of it, and the validation.
        make_model: function of the settings, the number of classes and of
            steps an epoch to the compiled model.

    Returns:
        `(model, train, batches, validation)`.
    """
    from keras_pyconv.architectures import get_architecture

    with command_line.before_the_work():
        if hasattr(settings, "variant"):
            get_architecture(settings.variant)  # unknown ones before the data
        strategy = start(settings)
        train, batches, validation = load_data(settings, strategy)
        steps = steps_per_epoch(settings, train)
        with scope(settings, strategy):
            model = make_model(settings, len(train.classes), steps)
    return model, train, batches, validation


def steps_per_epoch(settings, examples):
    """Updates of an epoch: those that are asked for, or all that there are.

    Args:
        settings: with `training`.
        examples: the set of `count` examples to train on.

    Raises:
        ValueError: the set does not fill one batch.
    """
    size = settings.training.batch_size
    if examples.count < size:
        raise ValueError(
            f"{examples.count} examples to train on, --batch-size {size}: "
            f"choose at most {examples.count}"
        )
    return settings.training.steps_per_epoch or examples.count // size


def peak_rate(settings):
    """The rate of the settings, in proportion to its batch if they say so."""
    wanted = settings.optimizer
    if not wanted.scaled_rate:
        return wanted.rate
    return wanted.rate * settings.training.batch_size / wanted.rate_batch


def falling(settings, steps_per_epoch, warmup_epochs=0):
    """A rate that is divided by ten from some parts of the run on.

    Args:
        settings: with `falls`, the parts of the run, between 0 and 1.
        steps_per_epoch: int.
        warmup_epochs: int, however many epochs there are.
    """
    from keras_pyconv import training

    steps = settings.training.epochs * steps_per_epoch
    # In a very short run two falls may meet in one step.
    boundaries = sorted({round(fall * steps) for fall in settings.falls})
    warmup = warmup_epochs * steps_per_epoch
    return training.StepDecay(
        peak_rate(settings), boundaries, warmup_steps=warmup
    )


def make_optimizer(settings, rate, **others):
    """The optimizer that the settings name.

    Args:
        settings: with `optimizer`.
        rate: the rate over the run, a schedule.
        **others: by a name for messages and logs `(pattern, schedule)` for
            the variables whose whole path matches.
    """
    import keras

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
    import keras

    from keras_pyconv import training

    if wanted.name == "adamw":
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=wanted.weight_decay, **named
        )
        if wanted.no_decay:
            optimizer.exclude_from_weight_decay(var_names=[wanted.no_decay])
        return optimizer
    return training.SGD(
        rate,
        momentum=wanted.momentum,
        l2=wanted.weight_decay,
        l2_excludes=wanted.no_decay,
        **named,
    )


def run(settings, model, batches, **found):
    """`training.Run` of the settings, for `with`.

    Args:
        settings: with `training` and `run`.
        model: compiled.
        batches: function of a step, see `training.Run`.
        **found: what decides the result beside the settings, such as the
            classes of the data.
    """
    from keras_pyconv import training

    wanted, place = settings.training, settings.run
    with command_line.before_the_work():
        if wanted.accumulate > 1:
            training.accumulate_gradients(model, wanted.accumulate)
    return open_run(
        place.workdir,
        model,
        batches,
        settings,
        found,
        epochs=wanted.epochs,
        steps_per_epoch=wanted.steps_per_epoch,
        seed=wanted.seed,
        save_every_steps=place.save_every,
        stop_after_steps=place.stop_after,
    )


@contextlib.contextmanager
def open_run(folder, model, batches, settings, found=None, **options):
    """`training.Run`, which holds to the settings and keeps them in a file.

    Args:
        folder: of the run.
        model: compiled.
        batches: function of a step, see `training.Run`.
        settings: those of the recipe.
        found: what decides the result beside them.
        **options: of `training.Run`.
    """
    from keras_pyconv import training

    decides = {**as_dict(settings, "decides"), **(found or {})}
    with contextlib.ExitStack() as stack:
        with command_line.before_the_work():
            command_line.require("yaml", extra="recipes")
            opened = stack.enter_context(
                training.Run(
                    folder, model, batches, constants=decides, **options
                )
            )
            if is_first(model):
                write(settings, settings.run.workdir)
        yield opened


def callbacks(settings, run, figures=CLASSIFIER_FIGURES):
    """The callbacks that the settings ask for, and the logs of a run.

    Args:
        settings: with `training` and `run`.
        run: the `training.Run`.
        figures: what is measured after an epoch, such as `val_loss`; the
            first is what `patience` watches where no metric is named.
    """
    import keras

    from keras_pyconv import training

    wanted, model, found = settings.training, run.model, []
    with command_line.before_the_work():
        watched = _watched(wanted.keep_best or figures[0], figures)
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
    import keras

    from recipes import pictures

    path = settings.run.workdir / "curves.png"

    def draw(*_):
        if run.history:
            pictures.curves({"": run.history}, path)

    found = []
    if importlib.util.find_spec("matplotlib"):
        drawing = {"on_epoch_begin": draw, "on_train_end": draw}
        found.append(keras.callbacks.LambdaCallback(**drawing))
    # TensorFlow's summaries need it, and from 2.21 on do not require it.
    if importlib.util.find_spec("tensorboard"):
        logs = settings.run.workdir / "logs"
        found.append(keras.callbacks.TensorBoard(logs, write_graph=False))
    return found


def _watched(metric, figures):
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
    from keras_pyconv import training

    return training.shard(model.distribute_strategy)[0] == 0
