"""Train PyConvResNet3D on Kinetics as in the paper.

Command: python -m recipes.recognize_kinetics --data-dir data
The same command resumes an interrupted run. Guide: docs/video.md.

`--data` is a folder of videos, a CSV, or the name of a TFDS data set.
`--only-test WEIGHTS` tests a trained network.

Setting (paper's supplement, section 2, Tables 2 and 3): SGD with a learning
rate of 0.1 for a batch of 64 clips on 8 devices, momentum 0.9, L2 of 1e-4 on
every weight, 90 epochs, the rate divided by 10 after epochs 30, 60 and 80,
dropout 0.5. A clip is 16 frames, every fourth of the video from a random
start; its short side is resized to 256 to 320 pixels, a random square of 224
cropped, and half of the clips mirrored. The final test averages the softmax of
at most ten clips of each video, three squares of 256 each.

Paper's result, top-1 / top-5 error in percent: ResNet3D-50 37.01 / 15.41,
PyConvResNet3D-50 34.56 / 13.34.
Our result: not run, because we had no Kinetics. For what the same recipe
learns on a small set of videos, see benchmarks/README.md.
Device: GPUs of one or more machines. We did not measure time and memory, and
the paper does not report them.

Deviations, where the paper leaves something open:
- Batch normalization uses the clips of one device, 8 on 8 devices. On fewer
  devices, use `--accumulate` to get smaller parts.
- A video that is shorter than a clip repeats from its start.
- The test squares are 256 pixels, as large as the short side; the paper says
  that they "cover the spatial dimensions".
- Validation during training uses the central square of one clip per video; the
  paper's curves show "independent clips".
"""

import dataclasses
import pathlib

from . import command_line, fitting, groups, reporting, videos
from .settings import Part, option
from .videos import make_network


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, on what, and how."""

    variant: str = groups.variant(
        "PyConvResNet3D50", "name of a video classifier"
    )
    falls: tuple[Part, ...] = groups.falls(30 / 90, 60 / 90, 80 / 90)
    only_test: str | None = option(
        None, "only test these weights", metavar="WEIGHTS"
    )
    data: videos.Videos = videos.Videos(
        "kinetics", frames=16, stride=4, side=224, short_sides=(256, 320)
    )
    test: videos.Test = videos.Test(side=256, clips=10, crops=3)
    report: groups.Report = groups.Report()
    optimizer: groups.Optimizer = groups.Optimizer(
        rate=0.1, rate_batch=64, momentum=0.9, weight_decay=1e-4
    )
    training: groups.ClassifierTraining = groups.ClassifierTraining(
        batch_size=64, epochs=90
    )
    run: groups.Run = groups.Run(pathlib.Path("runs/recognize_kinetics"))


SETTINGS = Settings()
PRESETS = groups.presets(
    variant="PyConvResNet3DMini",
    data={"frames": 4, "stride": 2, "side": 32, "short_sides": (36, 44)},
    test={"side": 32, "clips": 2},
    training={"batch_size": 4},
)


def make_model(settings, classes, steps_per_epoch):
    """The network, compiled."""
    model = make_network(settings, classes)
    rate = fitting.falling(settings, steps_per_epoch)
    optimizer = fitting.make_optimizer(settings, rate)
    model.compile(optimizer, **fitting.loss_and_metrics(settings, classes))
    return model


def only_test(settings):
    """Tests the weights of a file; returns no figures, and the errors."""
    with command_line.before_the_work():
        reporting.require(settings)
        fitting.start(settings)
        _, validation = videos.open_videos(settings)
        classes = len(validation.classes)
        model = make_network(settings, classes, settings.only_test)
    return [], videos.test(model, validation, settings)


def main(argv=None):
    """Trains and tests; returns the figures of each epoch and the errors."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    if settings.only_test:
        return only_test(settings)
    model, data = fitting.prepare(settings, videos.load_data, make_model)
    with fitting.run(settings, model, data) as run:
        model.fit(**fitting.fit_arguments(settings, run, data))
    errors = None
    if run.finished and fitting.is_first(model):
        videos.keep(model, settings, data.train.classes)
        errors = videos.test(model, data.validation, settings)
    return run.history, errors


if __name__ == "__main__":
    command_line.from_shell(main)
