"""Compute mean IoU and pixel accuracy of a network.

Command: python -m recipes.evaluate_segmentation --weights ade20k --multi-scale
Also: python -m recipes.evaluate_segmentation --weights FILE --data FOLDER

Prints a table by class, draws images like Figures 3 and 4 of the supplement,
and with `--submission` writes the files for ADE20K's test server.
`--multi-scale --window 617` is the dagger of the paper's Table 5 (45.99 /
82.49); add `--unlabelled FOLDER --submission FOLDER` for the test images.

Protocol (paper, section 5): the long side of the image is resized to 512, or
to 0.5 to 1.75 times that with `--multi-scale`. The network sees windows of 473
pixels, 316 apart, and their mirror images; probabilities are averaged and
resized to the size of the original image. Both metrics are over the whole set.

Paper's result, mean IoU / pixel accuracy in percent, multi-scale: ResNet-50
42.88 / 80.97, PyConvResNet-50 43.31 / 81.18, -101 44.58 / 81.77, -152 45.64 /
82.36.
Our result: none here; we had no ADE20K.
Device: one GPU; on a CPU an image takes minutes, see benchmarks/README.md.

Deviations: none known. TensorFlow resizes as OpenCV does, in float32.
"""

import dataclasses
import pathlib

from . import (
    command_line,
    groups,
    networks,
    pictures,
    reporting,
    results,
    sources,
)
from .lazy import keras_pyconv, tasks
from .settings import Natural, Positive, option


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows and scales."""

    window: Positive = option(473, "window size in pixels")
    base_size: Positive | None = option(
        512, "long side of the resized image in pixels"
    )
    windows_at_once: Positive = option(1, "batch size in windows")
    multi_scale: bool = option(False, "average over six scales")
    flip: bool = option(True, "average over mirror images")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is evaluated, and how."""

    weights: str | None = option(None, "ade20k, or a weights file", needed=True)
    split: str = option("validation", "split to evaluate")
    images: Natural = option(6, "number of images to draw", was="pictures")
    submission: pathlib.Path | None = option(
        None, "folder for the test server's files", metavar="FOLDER"
    )
    unlabelled: pathlib.Path | None = option(
        None,
        "folder of images without masks, such as ADE20K's test images, to "
        "predict instead of --data; needs --submission",
        metavar="FOLDER",
    )
    report: groups.Report = groups.Report()
    network: groups.Segmenter = groups.Segmenter()
    data: groups.Masks = groups.Masks("ade20k")
    protocol: Windows = Windows()
    run: groups.Place = groups.Place(pathlib.Path("runs/evaluate_segmentation"))


SETTINGS = Settings()
SMOKE = groups.smoke(
    network={"backbone": "ResNetMini", "head_width": 64},
    protocol={"window": 64, "base_size": 96},
)


def make_protocol(wanted):
    """The windows and scales that the settings ask for."""
    known = tasks.segmentation
    return dataclasses.replace(
        known.MULTI_SCALE if wanted.multi_scale else known.SINGLE_SCALE,
        window=wanted.window,
        base_size=wanted.base_size,
        flip=wanted.flip,
        batch=wanted.windows_at_once,
    )


def main(argv=None):
    """Evaluates; returns the `Evaluation`."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    with command_line.before_the_work():
        reporting.require(settings, also=True)
        masks, images = sources.open_whole(settings)
        model = keras_pyconv.build_segmenter(
            networks.segmenter(settings.network),
            weights=settings.weights,
            classes=len(masks.classes),
        )
    shown, protocol = [], make_protocol(settings.protocol)
    regions = reporting.regions(settings, masks.classes)

    def show(example, labels):
        if regions:
            regions.add(example, labels)
        if len(shown) < settings.images:
            image, truth = example["image"], example.get("labels")
            known = {} if truth is None else {"truth": truth}
            overlay = tasks.segmentation.overlay(image, labels)
            answer = {"answer": labels, "overlay": overlay}
            shown.append({"image": image, **known, **answer})

    found = tasks.segmentation.evaluate_segmentation(
        model,
        images,
        protocol,
        class_names=masks.classes,
        total=masks.count,
        submission=settings.submission,
        on_picture=show,
        on_scores=regions and regions.add_scores,
    )
    figures = found if found.matrix.any() else "labelled"
    print(f"\n{masks.name}: {found.pictures} images\n{figures}")
    if regions:
        reporting.write(regions.report(masks.name), settings)
    workdir = settings.run.workdir
    if shown:
        path = workdir / "pictures.png"
        print(pictures.label_maps(shown, masks.classes, path))
    results.write_record(
        workdir / "results.json",
        model=model.name,
        weights=settings.weights,
        data=masks.name,
        protocol=dataclasses.asdict(protocol),
        mean_iou=found.mean_iou,
        pixel_accuracy=found.pixel_accuracy,
        classes=found.rows(),
    )
    return found


if __name__ == "__main__":
    command_line.from_shell(main)
