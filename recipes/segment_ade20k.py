"""Train PyConvSegNet on ADE20K as in the paper.

Command: python -m recipes.segment_ade20k --workdir runs/segnet \\
    --backbone-weights imagenet
The same command resumes an interrupted run. Guide: docs/segmentation.md.
Evaluate the result with `python -m recipes.evaluate_segmentation`.

`--head ppm`, `aspp` and `conv` are the other networks of the supplement's
Table 6. `--epochs 120 --train-on train validation` is the asterisk of Table 5;
the metrics after each epoch then include training images.

Setting (paper, section 5, Table 4): SGD with a learning rate of 0.01 for the
backbone and ten times that for the heads, times (1 - step / steps)^0.9;
momentum 0.9, L2 of 1e-4 on every weight, 100 epochs, batches of 16 crops of
473, batch normalization synchronized over all devices, the auxiliary loss
weighted by 0.4.

Paper's result, mean IoU / pixel accuracy in percent, single scale: ResNet-50
41.54 / 80.18, PyConvResNet-50 42.08 / 80.31; multi-scale 42.88 / 80.97 and
43.31 / 81.18.
Our result: not run, because we had no ADE20K. For what the same recipe learns
on a small data set, see benchmarks/README.md.
Device: the authors use 8 GPUs. We did not measure time and memory, and the
paper does not report them.

Deviations, where the paper, the authors' code and this recipe disagree:
- The resized crop and its mask line up exactly. With OpenCV, which the authors
  use, they are up to half a pixel apart.
- The auxiliary logits are upsampled to the crop, like the main ones.
- Validation between epochs uses the central 473 pixels, as in the authors'
  code. The last weights are kept; the authors' code also keeps the best.
"""

import dataclasses
import functools
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .lazy import datasets, export, keras, keras_pyconv, tasks, training
from .settings import Decay, Positive, Rate, option


@dataclasses.dataclass(frozen=True)
class Crops(groups.Masks):
    """Images and masks."""

    side: Positive = option(473, "crop size in pixels")
    scales: tuple[Rate, Rate] = option((0.5, 2.0), "range of the random scale")
    turn: Decay = option(10.0, "maximum random rotation in degrees")
    flip: bool = option(True, "mirror half of the images")
    train_on: tuple[str, ...] = option(
        ("train",), "splits to train on", decides=False
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    backbone_weights: str | None = groups.backbone_weights()
    head_rate: Rate = option(
        10.0, "factor on the heads' learning rate; use 1 with a random backbone"
    )
    power: Rate = option(0.9, "power of the polynomial decay")
    network: groups.Segmenter = groups.Segmenter()
    data: Crops = Crops("ade20k")
    augmentation: groups.Augmentation = groups.Augmentation()
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
    distort = sources.distortion(settings.augmentation)
    splits = *data.train_on, "validation"
    *parts, validation = sources.open_masks(settings, splits)
    train = datasets.joined(*parts)
    batches = datasets.training_masks(
        train,
        data.side,
        scales=data.scales,
        turn=data.turn,
        flip=data.flip,
        distort=distort,
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


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    model, data = fitting.prepare(settings, load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data, FIGURES))
    if run.finished:
        labels = data.train.classes
        signatures = export.segmentation_signatures(model, labels=labels)
        results.keep(model, settings, signatures=signatures)
    return model, run.history


if __name__ == "__main__":
    command_line.from_shell(main)
