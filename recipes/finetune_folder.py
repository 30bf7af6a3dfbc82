"""Fine-tune a trained network on your own classes.

Command: python -m recipes.finetune_folder --data pets --weights imagenet
The same command resumes an interrupted run. Guide: docs/finetuning.md.

`--data` is a folder with one folder of images per class, of which a fifth is
held back for validation; or a folder with `train` and `val`, which contain
such folders; or a CSV of `path,label`, or the name of a TFDS data set. Several
labels per image (`cat;dog`) are learned with sigmoids and binary cross-entropy.

The recipe loads published weights or your file, adds a new classifier for your
classes, freezes the first stages, and trains the rest at a low learning rate
and the classifier at ten times that. The batch normalization of frozen stages
keeps its statistics.

Paper's result: none; the paper trains its networks from random weights.
Our result: 39.5 % (6.2) top-1 error on four digits after 120 images, from
weights of six other digits, the mean and spread of three seeds; training from
random weights stays at chance (docs/finetuning.md). We had no published
weights, so we did not measure them.
Device: a GPU for PyConvResNet50 and thousands of images; a CPU for hundreds.

Deviations from the paper: momentum and L2 are the paper's. The low learning
rate with a cosine schedule, the larger crops and everything else are ours.
"""

import dataclasses
import pathlib
from typing import Literal

from . import command_line, fitting, groups, networks, results, sources
from .lazy import keras_pyconv, training
from .settings import Fraction, Natural, Part, Rate, option


@dataclasses.dataclass(frozen=True)
class Crops(groups.Images):
    """Images."""

    smallest_crop: Fraction = option(
        0.25, "smallest area of the random crops, as a fraction"
    )
    flips: bool = option(
        True,
        "mirror half of the images; turn off if left and right matter",
        flag="flip",
        was="flips",
    )
    held_back: Part = groups.held_back()
    multi_label: bool | None = groups.several_labels()


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    variant: str = groups.variant("PyConvResNet50")
    weights: str = option(
        "imagenet", "published weights, a weights file, or none"
    )
    freeze: Literal[0, 1, 2, 3, 4] = option(
        1,
        "number of stages to freeze, with the stem; 4 trains the classifier "
        "only; the default is 0 without weights",
    )
    head_factor: Rate = option(10.0, "factor on the classifier's learning rate")
    warmup_epochs: Natural = option(1, "epochs of linear warm-up")
    data: Crops = Crops(side=224)
    augmentation: groups.ImageAugmentation = groups.ImageAugmentation()
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.01, rate_batch=32, momentum=0.9, weight_decay=1e-4
    )
    training: groups.ClassifierTraining = groups.ClassifierTraining(
        batch_size=32, epochs=15
    )
    run: groups.Run = groups.Run(pathlib.Path("runs/finetune_folder"))


SETTINGS = Settings()
PRESETS = (
    *groups.presets(
        variant="PyConvResNetMini",
        weights="none",
        data={"side": 64},
        training={"batch_size": 8},
    ),
    ("weights", "none", {"freeze": 0}),
)


def load_data(settings, strategy):
    """The images; a share of each class is held back where none is yet."""
    data = settings.data
    crops = {"area": (data.smallest_crop, 1.0), "flip": data.flips}
    return sources.image_data(settings, strategy, **crops)


def freeze(model, stages):
    """Keeps the stem and the first stages as they are; 0 keeps nothing."""
    prefixes = tuple(f"conv{number}_" for number in range(1, stages + 2))
    for layer in model.layers:
        if stages and layer.name.startswith(prefixes):
            layer.trainable = False


def schedule(settings, steps_per_epoch, factor=1.0):
    """The rate over the run: a straight line up and a cosine down to 0."""
    epochs = settings.training.epochs
    warmup = min(settings.warmup_epochs, epochs - 1) * steps_per_epoch
    peak = factor * fitting.peak_rate(settings)
    return training.cosine_decay(peak, epochs * steps_per_epoch, warmup)


def make_model(settings, classes, steps_per_epoch):
    """The network with trained weights and a new classifier, compiled."""
    model = networks.make_classifier(settings, classes)
    if settings.weights != "none":
        keras_pyconv.weights.load(model, settings.weights, part="backbone")
    elif settings.freeze and not settings.run.smoke:
        print("Careful: frozen stages keep the random weights they begin with.")
    freeze(model, settings.freeze)
    fitting.print_trainable(model)
    rate = schedule(settings, steps_per_epoch)
    fast = schedule(settings, steps_per_epoch, settings.head_factor)
    head = "predictions/.*", fast
    optimizer = fitting.make_optimizer(settings, rate, head=head)
    model.compile(optimizer, **fitting.loss_and_metrics(settings, classes))
    return model


def main(argv=None):
    """Fine-tunes; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    settings = sources.settle_labels(settings)
    model, data = fitting.prepare(settings, load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data))
    return results.keep_classifier(settings, model, run, data)


if __name__ == "__main__":
    command_line.from_shell(main)
