"""Groups of settings that recipes share; a recipe gives them its values."""

import dataclasses
import functools
import pathlib
from typing import Literal

from .settings import Decay, Natural, Part, Positive, Rate, Share, option

# What says where and for how long, and cannot change the result.
_where = functools.partial(option, decides=False)
data = functools.partial(option, flag="data", decides=False, is_data=True)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where it runs."""

    workdir: pathlib.Path = _where(
        pathlib.Path("runs"), "folder for what the run writes", recorded=False
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
    devices: Positive | None = _where(None, "how many of them; default: all")
    save_every: Positive | None = _where(
        None, "steps between checkpoints; default: an epoch"
    )
    stop_after: Positive | None = _where(
        None,
        "save and stop after so many steps; the same command goes on. "
        "Default: run to the end",
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

    batch_size: Positive = option(
        256, "examples of one update, on all devices together"
    )
    epochs: Positive = option(90, "length of the run")
    steps_per_epoch: Positive | None = option(
        None, "updates of an epoch; default: as many as see every example once"
    )
    accumulate: Positive = option(
        1,
        "small batches on each device whose gradients make one update; saves "
        "memory",
    )
    ema: Part | None = option(
        None,
        "average the weights with this decay, such as 0.9999, and evaluate "
        "the average; default: do not",
        metavar="DECAY",
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "Keras's policy for the layers"
    )
    seed: Natural = option(1, "of weights and data")
    keep_best: str | None = option(
        None,
        "keep the weights of the epoch that is best by this metric, such as "
        "val_loss, beside the last ones, and export them; default: do not",
        metavar="METRIC",
    )
    patience: Positive | None = option(
        None,
        "stop after so many evaluations without a better value of the metric "
        "of --keep-best, or of the recipe's own; default: do not",
    )


@dataclasses.dataclass(frozen=True)
class ClassifierTraining(Training):
    """Training."""

    label_smoothing: Share = option(
        0.0, "share of a target that is spread over all classes"
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
        "SGD as the authors' framework computes it, or AdamW, with a rate of "
        "0.001 and a weight decay of 0.05 where none is named",
        flag="optimizer",
    )
    rate: Rate = option(
        0.1,
        "for as many examples of an update as --rate-batch says",
        flag=("learning-rate", "rate"),
    )
    rate_batch: Positive = option(
        256, "examples of an update that the rate is for"
    )
    scaled_rate: bool = option(
        True,
        "the rate is in proportion to the batch; else it is taken as it is",
    )
    momentum: Share = option(0.9, "of SGD")
    weight_decay: Decay = option(
        1e-4, "of SGD added to the gradient, also called L2; of AdamW decoupled"
    )
    no_decay: str | None = option(
        None,
        "pattern of the names of variables that do not decay, such as "
        "'gamma|beta|bias'; default: all do",
        metavar="PATTERN",
    )


@dataclasses.dataclass(frozen=True)
class Images:
    """Images."""

    source: str | None = data(
        None, "folder of classes, or TFDS name", needed=True
    )
    side: Positive = option(224, "of a crop, in pixels")


@dataclasses.dataclass(frozen=True)
class Masks:
    """Images with masks."""

    source: str | None = data(None, "TFDS name or folder")
    classes: tuple[str, ...] | None = data(
        None,
        "names in the order of the masks; default: as the set or its "
        "classes.txt says, else ADE20K's 150",
        flag="classes",
    )
    label_rule: Literal["from_one", "from_zero", "binary"] | None = option(
        None,
        "whether masks count classes from 1, 0 being no class, or from 0; "
        "default: as the set says, of folders the first",
    )


@dataclasses.dataclass(frozen=True)
class Segmenter:
    """The network."""

    backbone: str = option("PyConvResNet50", "a classifier's name")
    head: str = option("pyconv", "pyconv, ppm, aspp or conv")
    head_width: Positive | None = option(
        None,
        "narrower, for small backbones; of the pyconv head a multiple of 64; "
        "default: the paper's",
    )
    output_stride: Literal[8, 16] = option(8, "of the backbone")


@dataclasses.dataclass(frozen=True)
class Detector:
    """The network."""

    head: Literal["PyConvSSD", "SSD"] = option("PyConvSSD", "of the detector")
    backbone: str | None = option(None, "default: of 50 layers")
    side: Positive = option(300, "of its images, in pixels")


@dataclasses.dataclass(frozen=True)
class Scenes:
    """Images with boxes."""

    source: str | None = data(None, "TFDS name or folder")


def smoke(**small):
    """The preset of `--smoke`: small values, by group."""
    return "run.smoke", True, small


def presets(training, **small):
    """Those of recipes that train: two steps for `--smoke`, and AdamW's own."""
    training = {"epochs": 1, "steps_per_epoch": 2, **training}
    return smoke(training=training, **small), _ADAMW


# Loshchilov and Hutter's rate, and the decay that is usual for networks
# trained on ImageNet.
_OF_ADAMW = {"rate": 0.001, "weight_decay": 0.05, "no_decay": "gamma|beta|bias"}
_ADAMW = "optimizer.name", "adamw", {"optimizer": _OF_ADAMW}
