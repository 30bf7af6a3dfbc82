"""PyConv networks on ImageNet, as the paper trains them from nothing.

What: section 5 of the paper, Tables 1 and 3. SGD at 0.1 for a batch of 256,
momentum 0.9, L2 of 1e-4 on every weight, 90 epochs, a tenth of the rate from
epochs 30, 60 and 80 on; random crops of 224 and flips. Any classifier of
`keras_pyconv.ARCHITECTURES`, any labelled pictures: `--data` names a set of
TFDS, or a folder with `train` and `val` that have a folder for each class.

Paper's number, top-1 / top-5 error at 224 in per cent: ResNet-50 23.88 / 7.06,
PyConvHGResNet-50 21.52 / 5.94, PyConvResNet-50 22.12 / 6.20, -101 20.99 /
5.53, -152 20.48 / 5.27.
Ours: not run; ImageNet was not at hand. What the same command learns on a
small set is in benchmarks/README.md.
Device: GPUs of one machine or more; hours and memory not measured. The paper
does not give them either.
Command: python -m recipes.classify_imagenet --workdir runs/pyconvresnet50
The same command goes on after an interruption. docs/imagenet.md is the walk.

Deviations, where paper, authors' code and this recipe are not of one mind:
- The rate falls with epochs 30, 60, 80 as in the paper. In the authors' code
  the scheduler is stepped before an epoch, so that with PyTorch 1.1 or newer
  it falls one epoch early.
- Batch normalization sees the pictures of one device, 32 on 8 devices as in
  the authors' code. On fewer devices, `--accumulate` makes the parts smaller.
- The pictures that do not fill a batch are left out of an epoch: 5,004 steps.
- Crops and flips are those of the authors' code; the paper does not name
  them. There is no warm-up, label smoothing or colour jitter in either.
"""

import dataclasses
import pathlib

from . import command_line, fitting, groups, networks, results, sources
from .lazy import tasks
from .settings import Part, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    variant: str = option("PyConvResNet50", "a classifier's name")
    falls: tuple[Part, ...] = option(
        (30 / 90, 60 / 90, 80 / 90),
        "parts of the run from which on the rate is a tenth",
    )
    data: groups.Images = groups.Images("imagenet2012", side=224)
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
    model.compile(
        optimizer=fitting.make_optimizer(settings, rate),
        loss=tasks.Crossentropy(settings.training.label_smoothing),
        weighted_metrics=[tasks.TopKError(1), tasks.TopKError(5)],
    )
    return model


def main(argv=None):
    """Trains; returns the model and the figures of each epoch."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    model, data = fitting.prepare(settings, sources.image_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(
            **run.fit_arguments,
            validation_data=data.judged,
            class_weight=data.class_weight,
            callbacks=run.callbacks(fitting.callbacks(settings, run, data)),
        )
    return results.keep_classifier(settings, model, run, data)


if __name__ == "__main__":
    command_line.from_shell(main)
