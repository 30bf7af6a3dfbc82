"""Train PyConv networks on ImageNet as in the paper.

Command: python -m recipes.classify_imagenet --workdir runs/pyconvresnet50
The same command resumes an interrupted run. Guide: docs/imagenet.md.

`--data` is a folder with `train` and `val`, each with one folder per class, or
the name of a TFDS data set. `--network` is any classifier of
`keras_pyconv.ARCHITECTURES`.

Setting (paper, section 5, Tables 1 and 3): SGD with a learning rate of 0.1 for
a batch of 256, momentum 0.9, L2 of 1e-4 on every weight, 90 epochs, the rate
divided by 10 after epochs 30, 60 and 80; random crops of 224 and flips.

Paper's result, top-1 / top-5 error in percent: ResNet-50 23.88 / 7.06,
PyConvHGResNet-50 21.52 / 5.94, PyConvResNet-50 22.12 / 6.20, -101 20.99 /
5.53, -152 20.48 / 5.27.
Our result: not run, because we had no ImageNet.
Device: GPUs of one or more machines. We did not measure time and memory, and
the paper does not report them.

Deviations, where the paper, the authors' code and this recipe disagree:
- The rate drops after epochs 30, 60 and 80, as in the paper. The authors' code
  steps the scheduler before each epoch, so with PyTorch 1.1 or newer the rate
  drops one epoch early.
- Batch normalization uses the images of one device, 32 on 8 devices as in the
  authors' code. On fewer devices, use `--accumulate` to get smaller parts.
- Images that do not fill a batch are left out of an epoch: 5,004 steps.
- Crops and flips follow the authors' code; the paper does not specify them.
  Neither uses warm-up, label smoothing or color jitter.
"""

import dataclasses
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .settings import Part


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    variant: str = groups.variant("PyConvResNet50")
    falls: tuple[Part, ...] = groups.falls(30 / 90, 60 / 90, 80 / 90)
    data: groups.Images = groups.Images("imagenet2012", side=224)
    augmentation: groups.ImageAugmentation = groups.ImageAugmentation()
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.1, rate_batch=256, momentum=0.9, weight_decay=1e-4
    )
    training: groups.ClassifierTraining = groups.ClassifierTraining(
        batch_size=256, epochs=90
    )
    run: groups.Run = groups.Run(pathlib.Path("runs/classify_imagenet"))


SETTINGS = Settings()
PRESETS = groups.presets(
    variant="PyConvResNetMini", data={"side": 64}, training={"batch_size": 8}
)


def make_model(settings, classes, steps_per_epoch):
    """The network with the authors' initialization, compiled."""
    model = networks.make_classifier(settings, classes)
    rate = fitting.falling(settings, steps_per_epoch)
    optimizer = fitting.make_optimizer(settings, rate)
    model.compile(optimizer, **fitting.loss_and_metrics(settings, classes))
    return model


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    model, data = fitting.prepare(settings, sources.image_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data))
    return results.keep_classifier(settings, model, run, data)


if __name__ == "__main__":
    command_line.from_shell(main)
