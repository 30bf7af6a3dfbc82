"""What recipes share and what cannot change a result.

Keras and TensorFlow are imported where they are used, so that `--help` of a
recipe answers at once.
"""

import contextlib
import difflib
import functools
import importlib.util
import json
import math
import pathlib

from recipes import command_line

# What a classifier is measured by after an epoch; the first watches over
# `--patience` where no metric is named.
CLASSIFIER_FIGURES = ("val_top1_error", "val_top5_error", "val_loss")

# Before training --------------------------------------------------------------


def check_variant(name):
    """Refuses a name that no classifier has, before data are prepared."""
    from keras_pyconv.architectures import get_architecture

    get_architecture(name)


def start(settings):
    """The strategy that the settings ask for; sets precision and seed."""
    import keras

    from keras_pyconv import training

    run, wanted = settings.run, settings.training
    strategy = training.make_strategy(run.strategy, run.devices)
    keras.config.set_dtype_policy(wanted.precision)
    keras.utils.set_random_seed(wanted.seed)
    devices = strategy.num_replicas_in_sync
    if devices > 1:
        part = wanted.batch_size // devices
        print(f"{devices} devices, {part} examples of a batch on each.")
    return strategy


def source_of(settings, task, train, test, **options):
    """The data that the settings name; for `--smoke` some are made here.

    Args:
        settings: with `data` and `run`.
        task: what the data are for, see `datasets.prepare_digits_in_photos`.
        train: how many examples are made to train on.
        test: how many are made to be judged on.
        **options: of `datasets.prepare_digits_in_photos`.
    """
    from keras_pyconv import datasets

    if not settings.run.smoke:
        return settings.data.source
    return datasets.prepare_digits_in_photos(
        task,
        data_dir=settings.run.data_dir,
        train_examples=train,
        test_examples=test,
        **options,
    )


def open_images(settings, held_back=None):
    """The labelled images to train on, and those to be judged on.

    Args:
        settings: with `data` and `run`.
        held_back: share of each class to be judged on, of a folder that is
            not divided; None where it must be.
    """
    from keras_pyconv import datasets
    from keras_pyconv.datasets.splits import TRAINING

    folder = pathlib.Path(str(settings.data.source))
    divided = any((folder / split).is_dir() for split in TRAINING)
    if held_back and folder.is_dir() and not divided:
        return datasets.split_class_folder(folder, held_back)
    return tuple(open_split(settings, s) for s in ("train", "validation"))


def open_split(settings, split):
    """The labelled images of one split."""
    from keras_pyconv import datasets

    source = source_of(settings, "classification", train=64, test=32)
    return datasets.picture_set(source, split, settings.run.data_dir)


def open_masks(settings, splits=("train", "validation")):
    """Images with masks, one set for each split."""
    from keras_pyconv import datasets

    return tuple(
        datasets.mask_set(
            source_of(settings, "segmentation", train=16, test=4),
            split,
            settings.run.data_dir,
            classes=settings.data.classes,
            rule=settings.data.label_rule,
        )
        for split in splits
    )


def open_scenes(settings, split, categories=None, **options):
    """Images with boxes.

    Args:
        settings: with `data` and `run`.
        split: as `datasets.detection_set` takes it.
        categories: those of the training set, by label.
        **options: of `datasets.detection_set`.
    """
    from keras_pyconv import datasets

    small = {"train": 16, "test": 6, "image_size": 64}
    source = source_of(settings, "detection", **small)
    opened = datasets.detection_set(
        source, split, settings.run.data_dir, categories, **options
    )
    if opened.problems:
        print(f"{opened.name}: {opened.problems}")
    return opened


def load_digits(settings, *features):
    """Arrays of the digits in photographs by split, one for each feature.

    Args:
        settings: with `examples`, of each split, and `run`.
        *features: names, such as `image` (N, 64, 64, 3) and `label` (N,).
    """
    from keras_pyconv import datasets

    count = settings.examples
    numbers = {"train_examples": count, "test_examples": count} if count else {}
    splits = datasets.load_digits_in_photos(
        "classification", data_dir=settings.run.data_dir, **numbers
    )
    whole = {
        split: next(iter(examples.batch(len(examples))))
        for split, examples in splits.items()
    }
    return {
        split: tuple(values[name].numpy() for name in features)
        for split, values in whole.items()
    }


def batches_of(images, labels, settings):
    """Batches of arrays to train on, which can begin at any step.

    Args:
        images: array (N, height, width, channels).
        labels: array (N,).
        settings: with `batch_size` and `seed`.
    """
    import tensorflow as tf

    from keras_pyconv import datasets

    with command_line.before_the_work():
        return datasets.training_stream(
            lambda epoch: tf.data.Dataset.from_tensor_slices((images, labels)),
            len(images),
            lambda example, seed: example,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )


def validation_images(images, settings, strategy):
    """What `validation_data` of `fit` takes: central crops, each once."""
    from keras_pyconv import datasets, training
    from keras_pyconv.tasks.preprocessing import imagenet_preprocessing

    batches = functools.partial(
        datasets.evaluation_pictures,
        images,
        imagenet_preprocessing(settings.data.side),
    )
    size = settings.training.batch_size
    return training.validation_data(batches, size, strategy)


def coco_evaluation(validation, side):
    """A function of the model to COCO's twelve numbers."""
    from keras_pyconv import datasets, tasks
    from keras_pyconv.tasks import detection

    truth = functools.cache(validation.truth)

    def evaluate(model):
        batches = datasets.evaluation_scenes(
            validation, (side, side), batch_size=32
        )
        found = detection.collect_detections(model, batches)
        return tasks.coco_numbers(truth(), found)

    return evaluate


def class_weights(settings, examples):
    """What `class_weight` of `fit` takes: None, or weights by class.

    Args:
        settings: with `training`.
        examples: the set of labelled images or videos to train on.
    """
    import numpy as np

    if settings.training.class_weights is None:
        return None
    labels = getattr(examples, "labels", None)
    if labels is None:
        every = examples.examples(None).map(lambda example: example["label"])
        labels = [int(label) for label in every.as_numpy_iterator()]
    counts = np.bincount(labels, minlength=len(examples.classes))
    # A class without examples is in no batch.
    weights = len(labels) / (len(counts) * np.maximum(counts, 1))
    return dict(enumerate(weights.tolist()))


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


def print_trainable(model):
    """How much of a network learns."""
    learning, everything = (
        sum(math.prod(variable.shape) for variable in variables)
        for variables in (model.trainable_variables, model.variables)
    )
    print(f"{model.name}: {learning:,} of {everything:,} numbers learn.")


def make_segmenter(network):
    """The record of a segmentation network: the paper's, or a narrower one."""
    from keras_pyconv.architectures import make_segmenter

    return make_segmenter(
        network.backbone,
        network.head,
        network.output_stride,
        head_width=network.head_width,
    )


def fill_backbone(model, backbone, weights):
    """Gives a segmentation network the weights of a classifier.

    Args:
        model: the network.
        backbone: the record of its backbone.
        weights: `imagenet`, or a classifier's file.
    """
    import keras_pyconv
    from keras_pyconv.models import load_backbone, load_body

    classifier = keras_pyconv.build_classifier(backbone, classes=1)
    load_body(classifier, weights, backbone.name)
    load_backbone(model, classifier)


def make_detector(settings, classes, **weights):
    """A detector; `weights` are those of the whole or of its backbone."""
    import keras_pyconv

    head, side = settings.network.head, settings.network.side
    backbone = settings.network.backbone
    if backbone is None:
        family = {"PyConvSSD": "PyConvResNet", "SSD": "ResNet"}[head]
        backbone = family + ("Mini" if settings.run.smoke else "50")
    return getattr(keras_pyconv, head)(
        backbone,
        input_shape=(side, side, 3),
        classes=classes + 1,  # and the background
        name=f"{head}-{backbone}",
        **weights,
    )


# Rate, optimizer, loss --------------------------------------------------------


def peak_rate(settings):
    """The rate of the settings, in proportion to its batch if they say so."""
    wanted = settings.optimizer
    if not wanted.scaled_rate:
        return wanted.rate
    return wanted.rate * settings.training.batch_size / wanted.rate_batch


def falling(rate, falls, steps, warmup_steps=0):
    """A rate that is divided by ten from some parts of the run on.

    Args:
        rate: float, the first one.
        falls: parts of the run, between 0 and 1.
        steps: int, of the whole run.
        warmup_steps: int, see `training.StepDecay`.
    """
    from keras_pyconv import training

    # In a very short run two falls may meet in one step.
    boundaries = sorted({round(fall * steps) for fall in falls})
    return training.StepDecay(rate, boundaries, warmup_steps=warmup_steps)


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


# Training ---------------------------------------------------------------------


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

    decides = {**command_line.as_dict(settings, "decides"), **(found or {})}
    with contextlib.ExitStack() as stack:
        with command_line.before_the_work():
            opened = stack.enter_context(
                training.Run(
                    folder, model, batches, constants=decides, **options
                )
            )
            if is_first(model):
                command_line.write(settings, settings.run.workdir)
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
            pictures.epochs(run.history, path)

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
        (near,) = difflib.get_close_matches(metric, names, n=1, cutoff=0)
        raise ValueError(
            f"training.keep_best is {metric!r}, which is not measured here. "
            f"The nearest that is: {near}. All: {', '.join(names)}"
        )
    lower = metric.endswith(("loss", "error"))
    return {"monitor": metric, "mode": "min" if lower else "max"}


def is_first(model):
    """Whether this is the machine that writes; all hold the same weights."""
    from keras_pyconv import training

    return training.shard(model.distribute_strategy)[0] == 0


# What is left of a run --------------------------------------------------------


def best_weights(settings, model):
    """The file of the best epoch's weights, with `--keep-best`."""
    return settings.run.workdir / f"{model.name}.best.weights.h5"


def keep(model, settings, **options):
    """Writes the weights, and exports the model where that was asked for.

    Args:
        model: whose name the file of weights gets.
        settings: with `training` and `run`.
        **options: of `keras_pyconv.export.saved_model`.
    """
    if is_first(model):
        write_weights(model, settings)
        export_model(model, settings, **options)


def write_weights(model, settings):
    """Writes them; with `--keep-best` the model has the best ones then."""
    path = settings.run.workdir / f"{model.name}.weights.h5"
    model.save_weights(path)
    print(f"Weights: {path}")
    if settings.training.keep_best:
        best = best_weights(settings, model)
        model.load_weights(best)
        print(f"The best by {settings.training.keep_best}: {best}")


def export_model(model, settings, **options):
    """Exports the model where that was asked for."""
    from keras_pyconv import export

    run = settings.run
    if run.export_root:
        exported = export.saved_model(
            model, run.export_root, source=run.workdir, **options
        )
        print(f"Exported to {exported}")


def keep_classifier(model, settings, classes):
    """`keep`, with labels and preprocessing in the export."""
    from keras_pyconv.tasks.preprocessing import imagenet_preprocessing

    keep(
        model,
        settings,
        labels=list(classes),
        preprocessing=imagenet_preprocessing(settings.data.side),
    )


def write_record(path, **values):
    """Writes `values` and the provenance of the run as JSON."""
    from keras_pyconv.training.workdir import PACKAGES, provenance
    from keras_pyconv.writing import write_atomically

    packages = (*PACKAGES, "tensorflow-datasets")
    record = _without_nan({**provenance(packages), **values})
    write_atomically(path, json.dumps(record, indent=2, default=str) + "\n")


def _without_nan(value):
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
