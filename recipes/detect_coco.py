"""Train PyConvSSD and SSD on COCO as in the paper.

Command: python -m recipes.detect_coco --backbone-weights imagenet
The same command resumes an interrupted run. Guide: docs/detection.md.

`--data` is a COCO folder (train2017, val2017, annotations) or the name of a
TFDS data set with boxes.

Setting (paper's supplement, section 1, Table 1): SSD at 300 x 300 on a backbone
trained on ImageNet; SGD with a learning rate of 0.02 for a batch of 256 (8 x
32), momentum 0.9, weight decay of 5e-4 except on batch normalization and
biases; 130 epochs with a linear warm-up in the first, the rate divided by 10
after epochs 86 and 108; SSD's random crops, colors and flips.

Paper's result, AP on val2017 in percent: SSD-50 26.20, PyConvSSD-50 29.16,
SSD-101 29.58, PyConvSSD-101 31.27.
Our result: not run, because we had no COCO. For what the same recipe learns on
a small data set, see benchmarks/README.md and docs/detection.md.
Device: GPUs of one or more machines; the paper uses 8 GPUs. We did not measure
time and memory.

Deviations, where the paper, the code that its schedule comes from (NVIDIA's
SSD300, twice as long) and this recipe disagree:
- In the paper the rate drops "before the 86-th epoch", which, counted from
  one, is an epoch earlier. Here, as in the code, it drops after 86 and 108
  epochs.
- The rate is 0.0208 in the code, and 0.02 in the paper and here.
- Hue changes by half a degree, as in the code's fast pipeline; its other
  pipeline uses 18 degrees. The paper gives no amounts.
- Crowds count as background. Images with nothing else are left out of a
  folder; of a TFDS data set they are read but have no loss.
- Without `--backbone-weights` training starts from random weights and cannot
  reach the paper's result.
"""

import dataclasses
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .lazy import datasets, export, tasks, training
from .settings import Natural, Part, Positive, option


@dataclasses.dataclass(frozen=True)
class Views(groups.Scenes):
    """Images with boxes."""

    flip: bool = option(True, "mirror half of the images; not for text")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    backbone_weights: str | None = groups.backbone_weights()
    falls: tuple[Part, ...] = groups.falls(86 / 130, 108 / 130)
    warmup_epochs: Natural = option(1, "epochs of linear warm-up")
    evaluate_every: Positive = option(
        10, "epochs between evaluations", decides=False
    )
    network: groups.Detector = groups.Detector("PyConvSSD", side=300)
    data: Views = Views("coco/2017")
    augmentation: groups.Augmentation = groups.Augmentation()
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.02,
        rate_batch=256,
        momentum=0.9,
        weight_decay=5e-4,
        no_decay="gamma|beta|bias",
    )
    training: groups.Training = groups.Training(batch_size=256, epochs=130)
    run: groups.Run = groups.Run(pathlib.Path("runs/detect_coco"))


SETTINGS = Settings()
PRESETS = groups.presets(network={"side": 64}, training={"batch_size": 4})
FIGURES = "val_AP", "val_AP50", "val_AP75"


def load_data(settings, strategy):
    """Images with boxes, matched with those of the network."""
    distort = sources.distortion(settings.augmentation)
    train = sources.open_scenes(settings, "train", with_objects_only=True)
    labels = dict(zip(train.categories, train.classes))
    validation = sources.open_scenes(settings, "validation", labels)
    truth, shape = validation.truth(), (settings.network.side,) * 2
    truth.coco()  # its annotations are checked

    def evaluate(model):
        batches = datasets.evaluation_scenes(validation, shape, batch_size=32)
        found = tasks.detection.collect_detections(model, batches)
        return tasks.coco_numbers(truth, found)

    broken = datasets.BrokenPictures.among(train)
    batches = datasets.training_scenes(
        train,
        tasks.default_boxes(networks.detector(settings), shape),
        shape,
        flip=settings.data.flip,
        distort=distort,
        broken=broken,
        **sources.batching(settings, strategy, train),
    )
    every = training.Evaluation(evaluate, every=settings.evaluate_every)
    return sources.Data(
        train, validation, batches, callbacks=(every,), broken=broken
    )


def make_model(settings, classes, steps_per_epoch):
    """The detector with the reference's initialization, compiled."""
    model = networks.make_detector(
        settings, classes, backbone_weights=settings.backbone_weights
    )
    warmup = settings.warmup_epochs
    rate = fitting.falling(settings, steps_per_epoch, warmup)
    model.compile(
        optimizer=fitting.make_optimizer(settings, rate),
        loss=tasks.detection_losses(),
    )
    return model


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    model, data = fitting.prepare(settings, load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data, FIGURES))
    if run.finished:
        classes = data.train.classes
        signatures = export.detection_signatures(model, classes)
        results.keep(model, settings, signatures=signatures)
    return model, run.history


if __name__ == "__main__":
    command_line.from_shell(main)
