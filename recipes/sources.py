"""What recipes learn from, and the small sets that `--smoke` makes."""

import functools
import pathlib

from recipes import command_line


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
        categories: names of the training set's by their ids, which are
            compared.
        **options: of `datasets.detection_set`.
    """
    from keras_pyconv import datasets

    small = {"train": 16, "test": 6, "image_size": 64}
    command_line.require("pycocotools", extra="detection")
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


def image_batches(settings, strategy, held_back=None, **options):
    """The images of training, batches of them, and the validation.

    Args:
        settings: with `data`, `training` and `run`.
        strategy: the model's.
        held_back: see `open_images`.
        **options: of `datasets.training_pictures`.
    """
    from keras_pyconv import datasets, training
    from keras_pyconv.tasks.preprocessing import imagenet_preprocessing

    train, validation = open_images(settings, held_back)
    print(f"{train.count} images to train on, {validation.count} to judge by.")
    prepared = imagenet_preprocessing(settings.data.side)
    batches = datasets.training_pictures(
        train,
        prepared,
        batch_size=settings.training.batch_size,
        seed=settings.training.seed,
        shard=training.shard(strategy),
        **options,
    )
    judged = functools.partial(
        datasets.evaluation_pictures, validation, prepared
    )
    size = settings.training.batch_size
    return train, batches, training.validation_data(judged, size, strategy)


def coco_evaluation(validation, side):
    """A function of the model to COCO's twelve numbers.

    Args:
        validation: the set to judge by, whose annotations are checked here.
        side: of the network's images, in pixels.
    """
    from keras_pyconv import datasets, tasks
    from keras_pyconv.tasks import detection

    truth = validation.truth()
    truth.coco()

    def evaluate(model):
        batches = datasets.evaluation_scenes(
            validation, (side, side), batch_size=32
        )
        found = detection.collect_detections(model, batches)
        return tasks.coco_numbers(truth, found)

    return evaluate


def class_weights(settings, examples):
    """What `class_weight` of `fit` takes: None, or weights by class.

    Args:
        settings: with `training` and `run`.
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
