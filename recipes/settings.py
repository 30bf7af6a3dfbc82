"""Groups of settings that recipes share; what they mean, not what is best.

A recipe gives each of them its own values. Nothing here imports TensorFlow.
"""

import dataclasses
import functools
import pathlib
from typing import Literal

from recipes.command_line import option

# What says where and for how long, and cannot change the result.
_where = functools.partial(option, decides=False)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where it runs."""

    workdir: pathlib.Path = _where(
        pathlib.Path("runs/recipe"),
        "folder for what the run writes",
        recorded=False,
    )
    data_dir: pathlib.Path | None = _where(
        None, "folder for prepared data; default: that of TFDS"
    )
    smoke: bool = option(
        False,
        "the same steps on very little data that is made here, and small "
        "values for what no option names, to see that everything works",
    )


@dataclasses.dataclass(frozen=True)
class Run(Place):
    """Where it runs, and for how long."""

    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = _where(
        "auto", "devices to train on; auto takes all that there are"
    )
    devices: int | None = _where(
        None, "how many of them; default: all", bounds={"at least": 1}
    )
    save_every: int | None = _where(
        None,
        "steps between checkpoints; default: an epoch",
        bounds={"at least": 1},
    )
    stop_after: int | None = _where(
        None,
        "save and stop after so many steps; the same command goes on. "
        "Default: run to the end",
        bounds={"at least": 1},
        recorded=False,
    )
    export_root: pathlib.Path | None = _where(
        None,
        "export to saved_models/NAME; the server's files go beside NAME; "
        "default: do not",
        metavar="FOLDER",
    )


@dataclasses.dataclass(frozen=True)
class Training:
    """Training."""

    batch_size: int = option(
        256,
        "examples of one update, on all devices together",
        bounds={"at least": 1},
    )
    epochs: int = option(90, "length of the run", bounds={"at least": 1})
    steps_per_epoch: int | None = option(
        None,
        "updates of an epoch; default: as many as see every example once",
        bounds={"at least": 1},
    )
    accumulate: int = option(
        1,
        "small batches on each device whose gradients make one update; saves "
        "memory",
        bounds={"at least": 1},
    )
    ema: float | None = option(
        None,
        "average the weights with this decay, such as 0.9999, and evaluate "
        "the average; default: do not",
        metavar="DECAY",
        bounds={"above": 0, "below": 1},
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "Keras's policy for the layers"
    )
    seed: int = option(1, "of weights and data", bounds={"at least": 0})
    keep_best: str | None = option(
        None,
        "keep the weights of the epoch that is best by this metric, such as "
        "val_loss, beside the last ones, and export them; default: do not",
        metavar="METRIC",
    )
    patience: int | None = option(
        None,
        "stop when the metric of --keep-best, or else val_loss, has not been "
        "better for so many epochs; default: do not",
        bounds={"at least": 1},
    )


@dataclasses.dataclass(frozen=True)
class ClassifierTraining(Training):
    """Training."""

    label_smoothing: float = option(
        0.0,
        "share of a target that is spread over all classes",
        bounds={"at least": 0, "below": 1},
    )
    class_weights: Literal["balanced"] | None = option(
        None,
        "balanced: examples of rare classes count more in the loss, so that "
        "every class counts as much; default: every example does",
    )


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Optimizer and rate."""

    name: Literal["sgd", "adamw"] = option(
        "sgd",
        "SGD as the authors' framework computes it, or AdamW, which has a "
        "rate of 0.001 and a weight decay of 0.05 where none is named",
        flag="optimizer",
    )
    rate: float = option(
        0.1,
        "for as many examples of an update as --rate-batch says",
        flag="learning-rate",
        bounds={"above": 0},
    )
    rate_batch: int = option(
        256,
        "examples of an update that the rate is for",
        bounds={"at least": 1},
    )
    scaled_rate: bool = option(
        True,
        "the rate is in proportion to the batch; else it is taken as it is",
    )
    momentum: float = option(0.9, "of SGD", bounds={"at least": 0, "below": 1})
    weight_decay: float = option(
        1e-4,
        "of SGD added to the gradient, also called L2; of AdamW decoupled",
        bounds={"at least": 0},
    )


# What goes with `--optimizer adamw`: Loshchilov and Hutter's rate, and the
# decay that is usual for networks trained on ImageNet.
ADAMW = (
    "optimizer.name",
    "adamw",
    {"optimizer": {"rate": 0.001, "weight_decay": 0.05}},
)


def smoke(**small):
    """The preset of `--smoke`: small values, by group."""
    return "run.smoke", True, small
