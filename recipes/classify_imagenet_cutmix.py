"""Train PyConv networks on ImageNet with CutMix.

Command: python -m recipes.classify_imagenet_cutmix --workdir runs/cutmix
The same command resumes an interrupted run. Guide: docs/imagenet.md.

Setting (the "+ augment" rows of the paper's section 5, and the README of the
authors' code): CutMix, batch 1024, a cosine schedule from a learning rate of
0.4, 300 epochs, mixed precision. The rest is as in
recipes/classify_imagenet.py.

Paper's result, top-1 / top-5 error in percent, at 224 and at 320:
PyConvResNet-50 20.56 / 5.31 and 19.41 / 4.75, PyConvResNet-101 19.42 / 4.87
and 18.51 / 4.28.
Our result: not run, because we had no ImageNet.
Device: GPUs of one or more machines. We did not measure time and memory, and
the paper does not report them.

Deviations, where the sources leave something open:
- Neither paper nor code gives CutMix's alpha and probability. We use 1 and 1,
  as CutMix's authors do on ImageNet, and one box per batch, as in their code.
  Neighboring images swap boxes in pairs instead of at random, so that the
  result does not depend on the number of machines.
- Neither gives a warm-up. We use a linear one over 5 epochs, as is common with
  a batch of 1024.
- "Mixed precision" was float16. We use bfloat16, which needs no loss scaling;
  use `--precision mixed_float16` for float16.
- The authors do not say how images are resized for 320; recipes.evaluate keeps
  the ratio of 256 to 224.
- Batch normalization uses the images of one device, as in the authors' code.
"""

import dataclasses
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .lazy import datasets, training
from .settings import Rate, Share, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    variant: str = groups.variant("PyConvResNet50")
    warmup: Share = option(5 / 300, "fraction of the run with linear warm-up")
    cutmix_alpha: Rate = option(1.0, "alpha of CutMix's Beta distribution")
    cutmix_probability: Share = option(1.0, "probability of mixing a batch")
    data: groups.Images = groups.Images("imagenet2012", side=224)
    augmentation: groups.ImageAugmentation = groups.ImageAugmentation()
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.4, rate_batch=1024, momentum=0.9, weight_decay=1e-4
    )
    training: groups.ClassifierTraining = groups.ClassifierTraining(
        batch_size=1024, epochs=300, precision="mixed_bfloat16"
    )
    run: groups.Run = groups.Run(pathlib.Path("runs/classify_imagenet_cutmix"))


SETTINGS = Settings()
PRESETS = groups.presets(
    variant="PyConvResNetMini",
    data={"side": 64},
    # Few processors have fast bfloat16.
    training={"batch_size": 8, "precision": "float32"},
)


def load_data(settings, strategy):
    """The images, those of training mixed."""
    mix = datasets.cutmix(settings.cutmix_alpha, settings.cutmix_probability)
    return sources.image_data(settings, strategy, one_hot=True, batch_map=mix)


def schedule(settings, steps_per_epoch):
    """The rate over the run: a straight line up and a cosine down to 0."""
    steps = settings.training.epochs * steps_per_epoch
    warmup = round(settings.warmup * steps)
    return training.cosine_decay(fitting.peak_rate(settings), steps, warmup)


def make_model(settings, classes, steps_per_epoch):
    """The network with the authors' initialization, compiled.

    Its errors in training are against the class that has most of the image.
    """
    model = networks.make_classifier(settings, classes)
    rate = schedule(settings, steps_per_epoch)
    optimizer = fitting.make_optimizer(settings, rate)
    model.compile(optimizer, **fitting.loss_and_metrics(settings, classes))
    return model


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    model, data = fitting.prepare(settings, load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data))
    return results.keep_classifier(settings, model, run, data)


if __name__ == "__main__":
    command_line.from_shell(main)
