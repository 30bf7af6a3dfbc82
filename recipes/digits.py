"""Digits in photographs as arrays, and batches of them."""

from . import command_line
from .lazy import datasets, tf


def load(settings, *features):
    """Arrays by split, one a feature: `image` (N, 64, 64, 3), `label` (N,)."""
    test = settings.examples
    train = getattr(settings, "train_examples", None) or test
    numbers = {"train_examples": train, "test_examples": test}
    numbers = {name: count for name, count in numbers.items() if count}
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


def batches(images, labels, settings):
    """Batches of arrays to train on, which can begin at any step."""
    with command_line.before_the_work():
        return datasets.training_stream(
            lambda epoch: tf.data.Dataset.from_tensor_slices((images, labels)),
            len(images),
            lambda example, seed: example,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
