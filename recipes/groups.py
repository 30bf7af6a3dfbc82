"""Groups of settings that recipes share; a recipe gives them its values."""

import dataclasses
import functools
import pathlib
from typing import Literal

from .settings import (
    Anywhere,
    Decay,
    Magnitude,
    Natural,
    Part,
    Positive,
    Rate,
    Share,
    option,
)

# What says where and for how long, and cannot change the result.
_where = functools.partial(option, decides=False)
data = functools.partial(option, flag="data", decides=False, is_data=True)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where it runs."""

    workdir: pathlib.Path = _where(
        pathlib.Path("runs"),
        "output folder of the run, on this machine",
        recorded=False,
    )
    data_dir: Anywhere | None = _where(
        None, "folder of prepared TFDS data sets; default: the one of TFDS"
    )
    smoke: bool = option(
        False,
        "quick test: run every step on a few generated examples, with small "
        "defaults",
    )


@dataclasses.dataclass(frozen=True)
class Run(Place):
    """Where it runs, and for how long."""

    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = _where(
        "auto", "distribution over devices; auto uses all GPUs and machines"
    )
    devices: Positive | None = _where(
        None, "number of devices to use; default: all"
    )
    save_every: Positive | None = _where(
        None, "steps between checkpoints; default: one epoch"
    )
    stop_after: Positive | None = _where(
        None,
        "save and stop after N steps; the same command resumes. Default: run "
        "to the end",
        recorded=False,
    )
    track: Literal["wandb", "mlflow"] | None = _where(
        None, "also log to Weights & Biases or MLflow, see docs/tracking.md"
    )
    export_root: Anywhere | None = _where(
        None,
        "export the trained model to this folder, such as saved_models/pets or "
        "gs://bucket/models/pets; "
        "the server's files go to its parent. Default: no export",
        metavar="FOLDER",
    )


@dataclasses.dataclass(frozen=True)
class Report:
    """Report of what is right and wrong."""

    wanted: bool = _where(
        False,
        "write tables, figures and report.html: per class, confusion, curves, "
        "calibration, size, worst mistakes",
        flag="report",
        recorded=False,
    )
    folder: pathlib.Path | None = _where(
        None,
        "folder of the report; default: report, in --workdir",
        flag="output",
        metavar="FOLDER",
        recorded=False,
    )


@dataclasses.dataclass(frozen=True)
class Training:
    """Training."""

    batch_size: Positive = option(
        256, "global batch size: examples per update, over all devices"
    )
    epochs: Positive = option(90, "number of epochs")
    steps_per_epoch: Positive | None = option(
        None, "updates per epoch; default: one pass over the data"
    )
    accumulate: Positive = option(
        1,
        "gradient accumulation: split each device's batch into N parts, to "
        "save memory",
    )
    ema: Part | None = option(
        None,
        "decay of an exponential moving average of the weights, such as "
        "0.9999; validation and export use the average. Default: off",
        metavar="DECAY",
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "Keras dtype policy"
    )
    seed: Natural = option(1, "random seed of weights and data")
    keep_best: str | None = option(
        None,
        "also save the weights of the best epoch by this metric, such as "
        "val_loss, and export those. Default: off",
        metavar="METRIC",
    )
    patience: Positive | None = option(
        None,
        "early stopping after N evaluations without improvement of "
        "--keep-best, or of the recipe's main metric. Default: off",
    )


@dataclasses.dataclass(frozen=True)
class ClassifierTraining(Training):
    """Training."""

    label_smoothing: Share = option(
        0.0, "label smoothing: share of each target spread over all classes"
    )
    class_weights: Literal["balanced"] | None = option(
        None,
        "balanced: weight the loss so that every class counts equally. "
        "Default: every example counts equally",
    )


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Optimizer and learning rate."""

    name: Literal["sgd", "adamw"] = option(
        "sgd",
        "SGD as in PyTorch, or AdamW, whose defaults are a learning rate of "
        "0.001 and a weight decay of 0.05",
        flag="optimizer",
    )
    rate: Rate = option(
        0.1,
        "peak learning rate at the batch size --rate-batch",
        flag="learning-rate",
        was="rate",
    )
    rate_batch: Positive = option(256, "batch size that --learning-rate is for")
    scaled_rate: bool = option(
        True, "scale the learning rate in proportion to the batch size"
    )
    momentum: Share = option(0.9, "momentum of SGD")
    weight_decay: Decay = option(
        1e-4, "L2 regularization with SGD, decoupled weight decay with AdamW"
    )
    no_decay: str | None = option(
        None,
        "regular expression: variables without weight decay, such as "
        "'gamma|beta|bias'. Default: none",
        metavar="PATTERN",
    )


# Single settings of several recipes.


def variant(default, help="name of a classifier"):
    """Whose name the network's record has."""
    return option(default, help, flag="network", was="variant")


def falls(*parts):
    """Where the rate of `fitting.falling` falls."""
    return option(
        parts,
        "fractions of the run at which the learning rate drops to a tenth",
    )


backbone_weights = functools.partial(
    option,
    None,
    "imagenet, or a classifier's weights file; default: random weights",
)
held_back = functools.partial(
    option, 0.2, "validation share of each class, without train and val"
)
several_labels = functools.partial(
    option,
    None,
    "several labels per image, each with a sigmoid; default: if a row of a "
    "CSV has several, or none",
)


@dataclasses.dataclass(frozen=True)
class Images:
    """Images."""

    source: str | None = data(
        None,
        "folder with one folder per class, CSV, TFRecord or TFDS name",
        needed=True,
    )
    side: Positive = option(224, "image size in pixels")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Augmentation.

    RandAugment and AutoAugment need tf-models-official.
    """

    randaugment: bool = option(
        False, "RandAugment: some random operations on each image"
    )
    layers: Positive = option(
        2, "operations of RandAugment on an image", flag="randaugment-layers"
    )
    magnitude: Magnitude = option(
        10.0, "magnitude of RandAugment, 0 to 10", flag="randaugment-magnitude"
    )
    autoaugment: str | None = option(
        None,
        "AutoAugment with this policy: v0 and reduced_imagenet are for "
        "photographs, detection_v0 for objects. Default: off",
        metavar="POLICY",
    )


@dataclasses.dataclass(frozen=True)
class ImageAugmentation(Augmentation):
    """Augmentation.

    RandAugment, AutoAugment and random erasing need tf-models-official.
    """

    mixup: Rate | None = option(
        None,
        "Mixup with this alpha of the Beta distribution, such as 0.2. "
        "Default: off",
        metavar="ALPHA",
    )
    random_erasing: Share = option(
        0.0, "probability of erasing a box of an image", metavar="P"
    )


@dataclasses.dataclass(frozen=True)
class Masks:
    """Images and masks."""

    source: str | None = data(None, "folder, TFRecord or TFDS name")
    classes: tuple[str, ...] | None = data(
        None,
        "class names, in label order; default: those of the data set or its "
        "classes.txt, else ADE20K's 150",
        flag="classes",
    )
    label_rule: Literal["from_one", "from_zero", "binary"] | None = option(
        None,
        "how masks number classes: from 1 (0 is ignored), from 0 (255 is "
        "ignored), or 0 and 1 or 255. Default: the rule of the data set; "
        "from_one for a folder, from_zero for TFRecord",
    )


@dataclasses.dataclass(frozen=True)
class Segmenter:
    """The network."""

    backbone: str = option("PyConvResNet50", "name of a classifier")
    head: str = option("pyconv", "segmentation head: pyconv, ppm, aspp or conv")
    head_width: Positive | None = option(
        None,
        "channels of the head, fewer for small backbones; a multiple of 64 "
        "for pyconv. Default: the paper's",
    )
    output_stride: Literal[8, 16] = option(8, "output stride of the backbone")


@dataclasses.dataclass(frozen=True)
class Detector:
    """The network."""

    head: Literal["PyConvSSD", "SSD"] = option("PyConvSSD", "detector")
    backbone: str | None = option(
        None, "name of a classifier; default: PyConvResNet50, ResNet50 for SSD"
    )
    side: Positive = option(300, "input image size in pixels")


@dataclasses.dataclass(frozen=True)
class Scenes:
    """Images and boxes."""

    source: str | None = data(None, "COCO folder, TFRecord or TFDS name")


def smoke(**small):
    """The preset of `--smoke`: small settings, by group."""
    return "run.smoke", True, small


def presets(training, **small):
    """Presets of a training recipe: two steps for `--smoke`; AdamW's values."""
    training = {"epochs": 1, "steps_per_epoch": 2, **training}
    return smoke(training=training, **small), _ADAMW


# Loshchilov and Hutter's rate, and the decay that is usual for networks
# trained on ImageNet.
_OF_ADAMW = {"rate": 0.001, "weight_decay": 0.05, "no_decay": "gamma|beta|bias"}
_ADAMW = "optimizer.name", "adamw", {"optimizer": _OF_ADAMW}
