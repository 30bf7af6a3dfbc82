"""PyConvSegNet on ADE20K, as the paper trains it.

What: section 5 of the paper, Table 4; with `--head ppm`, `aspp` or `conv` the
rivals of the supplement's Table 6. SGD, 0.01 for the backbone and ten times
that for head and auxiliary head, (1 - step / steps)^0.9, momentum 0.9, L2 of
1e-4 on every weight, 100 epochs of batches of 16 crops of 473, batch
normalization over all devices, the auxiliary loss at 0.4.

Paper's number, mean IoU / pixel accuracy in per cent, single scale: ResNet-50
41.54 / 80.18, PyConvResNet-50 42.08 / 80.31; multi-scale 42.88 / 80.97 and
43.31 / 81.18.
Ours: not run; ADE20K was not at hand. What the same recipe learns on a small
set is in benchmarks/README.md.
Device: the authors have 8 GPUs; hours and memory are in neither paper nor here.
Command: python -m recipes.segment_ade20k --workdir runs/segnet \\
    --backbone-weights imagenet
The same command goes on after an interruption. `--epochs 120 --train-on train
validation` is the asterisk of Table 5: the figures after each epoch are then
of images that were trained on. docs/segmentation.md is the walk, and
`python -m recipes.evaluate_segmentation` the paper's evaluation.

Deviations, where paper, authors' code and this recipe are not of one mind:
- The nearest label and the bilinear pixel of a resized crop agree here; with
  OpenCV, which the authors use, they are up to half a pixel apart.
- The auxiliary logits are enlarged to the crop, as the main ones.
- Between epochs the middle 473 pixels are judged, as in the authors' code; the
  last weights are kept, the authors' code also keeps the best.
"""

import dataclasses
import functools
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .lazy import datasets, export, keras, keras_pyconv, tasks, training
from .settings import Decay, Positive, Rate, option


@dataclasses.dataclass(frozen=True)
class Crops(groups.Masks):
    """Images with masks, and crops of them."""

    side: Positive = option(473, "of the crops, in pixels")
    scales: tuple[Rate, Rate] = option((0.5, 2.0), "before the crop")
    turn: Decay = option(10.0, "degrees, at most, to either side")
    flip: bool = option(True, "mirror half of the images")
    train_on: tuple[str, ...] = option(
        ("train",), "splits of the data", decides=False
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    backbone_weights: str | None = option(
        None, "imagenet, or a classifier's file; default: from nothing"
    )
    head_rate: Rate = option(
        10.0, "times the backbone's; 1 where that starts from nothing too"
    )
    power: Rate = option(0.9, "of the rate's fall to 0")
    network: groups.Segmenter = groups.Segmenter()
    data: Crops = Crops("ade20k")
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.01,
        rate_batch=16,
        scaled_rate=False,
        momentum=0.9,
        weight_decay=1e-4,
    )
    training: groups.Training = groups.Training(batch_size=16, epochs=100)
    run: groups.Run = groups.Run(pathlib.Path("runs/segment_ade20k"))


SETTINGS = Settings()
PRESETS = groups.presets(
    network={"backbone": "ResNetMini", "head_width": 64},
    data={"side": 64},
    training={"batch_size": 4},
)
FIGURES = "val_mean_iou", "val_pixel_accuracy", "val_loss"


def load_data(settings, strategy):
    """Images with masks: crops to train on, central ones to judge by."""
    data = settings.data
    splits = *data.train_on, "validation"
    *parts, validation = sources.open_masks(settings, splits)
    train = datasets.joined(*parts)
    batches = datasets.training_masks(
        train,
        data.side,
        scales=data.scales,
        turn=data.turn,
        flip=data.flip,
        **sources.batching(settings, strategy, train),
    )
    crops = functools.partial(datasets.central_crops, validation, data.side)
    return sources.Data(train, validation, batches, crops)


def make_model(settings, classes, steps_per_epoch):
    """The network, its backbone filled where asked for, compiled."""
    model = keras_pyconv.build_segmenter(
        networks.segmenter(settings.network),
        classes=classes,
        input_shape=(settings.data.side, settings.data.side, 3),
        backbone_weights=settings.backbone_weights,
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
    steps = settings.training.epochs * steps_per_epoch
    rate, power = fitting.peak_rate(settings), settings.power
    fast = training.poly_decay(rate * settings.head_rate, steps, power)
    slow = training.poly_decay(rate, steps, power)
    model.compile(
        # All layers of a backbone are called conv1 to conv5.
        fitting.make_optimizer(settings, fast, backbone=("conv[0-9].*", slow)),
        tasks.segmentation.SegmentationLoss(),
        metrics=[tasks.segmentation.ConfusionMatrix(classes)],
    )
    return model


def train(settings):
    """Trains; returns the model and the figures of each epoch."""
    model, data = fitting.prepare(settings, load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(
            **run.fit_arguments,
            validation_data=data.judged,
            callbacks=run.callbacks(
                fitting.callbacks(settings, run, data, FIGURES)
            ),
        )
    if run.finished:
        labels = data.train.classes
        signatures = export.segmentation_signatures(model, labels=labels)
        results.keep(model, settings, signatures=signatures)
    return model, run.history


def main(argv=None):
    """Trains by the command line."""
    return train(command_line.parse(__doc__, SETTINGS, argv, PRESETS))


if __name__ == "__main__":
    command_line.from_shell(main)
