"""What recipes learn from, and the small sets that `--smoke` makes."""

import dataclasses
import functools

from . import command_line
from .lazy import datasets, keras_pyconv, np, tasks, training

HELD_BACK = 0.2  # of each class of a folder without splits, to judge by


@dataclasses.dataclass(frozen=True)
class Data:
    """What a recipe trains on and is judged by.

    Attributes:
        train: a set of `count` examples of `classes`.
        validation: the set to judge by.
        batches: function of a step to batches of `train`, see `training.Run`.
        judged: function of a batch size to batches of `validation`.
        callbacks: those that the data need.
        class_weight: of `fit`, by label.
        broken: what of `train` could not be read, printed in the end.
    """

    train: object
    validation: object
    batches: object
    judged: object = None
    callbacks: tuple = ()
    class_weight: object = None
    broken: object = None


def source_of(settings, task, train, test, **options):
    """The data that the settings name; for `--smoke` so many are made here."""
    if not settings.run.smoke:
        return settings.data.source
    return datasets.prepare_digits_in_photos(
        task,
        data_dir=settings.run.data_dir,
        train_examples=train,
        test_examples=test,
        **options,
    )


def open_images(settings, splits=("train", "validation")):
    """Labelled images, one set for each split; parts of what has no splits."""
    from keras_pyconv.datasets.picture_sets import has_splits
    from keras_pyconv.datasets.splits import TRAINING

    source = source_of(settings, "classification", train=64, test=32)
    several = getattr(settings.data, "multi_label", None)
    if keras_pyconv.storage.exists(str(source)) and not has_splits(source):
        share = getattr(settings.data, "held_back", HELD_BACK)
        parts = datasets.split_class_folder(source, share, several)
        found = [parts[split not in TRAINING] for split in splits]
    else:
        where = settings.run.data_dir
        found = [
            datasets.picture_set(source, s, where, several) for s in splits
        ]
    if found[0].multi_label and not hasattr(settings.data, "multi_label"):
        raise ValueError(
            f"{found[0].name} has several labels an image, or none: the recipe "
            "finetune_folder learns them"
        )
    return tuple(found)


def settle_labels(settings):
    """The settings, which say whether an image may have several labels."""
    from keras_pyconv.datasets.picture_sets import PictureList, is_csv

    data = settings.data
    if data.multi_label is None and not settings.run.smoke:
        with command_line.before_the_work():
            source = str(data.source)
            several = is_csv(source) and PictureList(source).multi_label
        if several:
            print(
                f"{data.source} has several labels an image, or none: each is "
                "learned by itself. --no-multi-label takes a cell for one."
            )
        data = dataclasses.replace(data, multi_label=several)
    return dataclasses.replace(settings, data=data)


def open_masks(settings, splits=("train", "validation")):
    """Images with masks, one set for each split."""
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


def open_whole(settings):
    """The set, and its images: those to judge by, or those to label."""
    if settings.unlabelled is None:
        (masks,) = open_masks(settings, (settings.split,))
        return masks, datasets.whole_pictures(masks)
    if settings.submission is None:
        raise ValueError("--unlabelled needs --submission")
    return unlabelled(settings.unlabelled, settings.data.classes)


def unlabelled(folder, classes=None, option="--unlabelled"):
    """What is known of a folder of images without masks, and the images."""
    from keras_pyconv import arguments
    from keras_pyconv.datasets.sets import ExampleSet, below
    from keras_pyconv.listing import IMAGES, Listing

    folder = arguments.folder(option, folder, anywhere=True)
    files = Listing(folder, IMAGES).files()
    if not files:
        raise ValueError(f"{option}: {folder} contains no image")
    classes = tuple(classes or tasks.segmentation.ADE20K_CLASSES)
    known, read = ExampleSet(str(folder), classes, len(files)), tasks.image
    # As they are stored, as a server has them.
    return known, (
        {"image": read.read_image(file, exif=False), "name": name}
        for file, name in zip(files, below(folder, files))
    )


def open_scenes(settings, split, categories=None, **options):
    """Images with boxes; the training set's `categories` are compared."""
    small = {"train": 16, "test": 6, "image_size": 64}
    command_line.require("pycocotools", extra="detection")
    source = source_of(settings, "detection", **small)
    opened = datasets.detection_set(
        source, split, settings.run.data_dir, categories, **options
    )
    if opened.problems:
        print(f"{opened.name}: {opened.problems}")
    return opened


def batching(settings, strategy, train):
    """What all batches of `train` are made by."""
    size = settings.training.batch_size
    if train.count < size:
        raise ValueError(
            f"{train.count} examples to train on, --batch-size {size}: "
            f"choose at most {train.count}"
        )
    return {
        "batch_size": size,
        "seed": settings.training.seed,
        "shard": training.shard(strategy),
    }


def distortion(chosen):
    """What `--randaugment` or `--autoaugment` ask for, or None."""
    if chosen.randaugment and chosen.autoaugment:
        raise ValueError("Choose one of --randaugment and --autoaugment.")
    if chosen.randaugment:
        return datasets.rand_augment(chosen.layers, chosen.magnitude)
    if chosen.autoaugment:
        return datasets.auto_augment(chosen.autoaugment)
    return None


def _augmentation(chosen, options):
    """The options of `datasets.training_pictures` with what is chosen."""
    options = {**options, "distort": distortion(chosen)}
    if chosen.random_erasing:
        options["erase"] = datasets.random_erasing(chosen.random_erasing)
    if chosen.mixup:
        mix, other = datasets.mixup(chosen.mixup), options.get("batch_map")
        options["batch_map"] = datasets.either(other, mix) if other else mix
        options["one_hot"] = True
    return options


def image_data(settings, strategy, **options):
    """Labelled images, as `Data`; options of `datasets.training_pictures`."""
    # Unknown ones, and packages that are missing, before the data.
    keras_pyconv.architectures.get_architecture(settings.variant)
    options = _augmentation(settings.augmentation, options)
    train, validation = open_images(settings)
    print(
        f"{train.count} training images, {validation.count} validation images."
    )
    side = settings.data.side
    prepared = tasks.preprocessing.imagenet_preprocessing(side)
    sizes = batching(settings, strategy, train)
    part = sizes["batch_size"] // sizes["shard"][1]
    if part % 2 and options.get("batch_map"):
        raise ValueError(
            "CutMix and Mixup mix pairs of images: choose a --batch-size of "
            f"an even number for each worker. Received: {part} for each"
        )
    batches = datasets.training_pictures(train, prepared, **sizes, **options)
    judged = functools.partial(
        datasets.evaluation_pictures, validation, prepared
    )
    return Data(train, validation, batches, judged)


def class_weights(settings, examples):
    """What `class_weight` of `fit` takes: None, or weights by class."""
    if getattr(settings.training, "class_weights", None) is None:
        return None
    if getattr(examples, "multi_label", False):
        raise ValueError(
            "--class-weights is for one label per image; these have several"
        )
    labels = getattr(examples, "labels", None)
    if labels is None:
        every = examples.examples(None).map(lambda example: example["label"])
        labels = [int(label) for label in every.as_numpy_iterator()]
    counts = np.bincount(labels, minlength=len(examples.classes))
    # A class without examples is in no batch.
    weights = len(labels) / (len(counts) * np.maximum(counts, 1))
    return dict(enumerate(weights.tolist()))
