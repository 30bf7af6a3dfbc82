"""Compute the top-1 and top-5 error of a classifier.

Command: python -m recipes.evaluate --network PyConvResNet50 --weights imagenet
Also: python -m recipes.evaluate --model saved_models/mine/1 --per-class

The model is a network of `keras_pyconv.ARCHITECTURES` with published weights or
a weights file, a `.keras` file, or an exported SavedModel, which is evaluated
through its own signature.

Protocol (paper, section 5, Tables 1 to 3): one center crop of 224 pixels from
an image whose short side is 256, and the same at 320.

Paper's result: printed beside ours if the variant has published weights; at
320, for the CutMix weights only.
Our result: none here; we had no ImageNet.
Device: one GPU; a CPU processes a few images per second and core.

Deviations: the authors do not say how images are resized for 320; we use 366,
the ratio of 256 to 224. An unreadable image is named and left out of the count.
"""

import dataclasses
import pathlib

from . import command_line, groups, pictures, reporting, results, sources
from .lazy import datasets, keras_pyconv, tasks
from .settings import Anywhere, Part, Positive, Share, option


@dataclasses.dataclass(frozen=True)
class Images:
    """Images."""

    source: str | None = groups.data(None, "folder, CSV, TFRecord or TFDS name")
    split: str = option("validation", "split to evaluate")
    held_back: Part = groups.held_back()
    multi_label: bool | None = groups.several_labels()
    threshold: Share = option(0.5, "lowest score of one of several labels")
    sides: tuple[Positive, ...] = option((224, 320), "crop sizes in pixels")
    batch_size: Positive = option(64, "batch size")
    pixels: bool = option(
        False, "feed pixels in [0, 255], for models that scale them themselves"
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is evaluated, and on what."""

    variant: str = groups.variant("PyConvResNet50")
    weights: str | None = option(
        None, "imagenet, imagenet_cutmix or a weights file"
    )
    model: Anywhere | None = option(
        None, "a .keras file or a SavedModel, instead of --weights"
    )
    per_class: bool = option(False, "list the worst classes")
    confusion: bool = option(False, "draw the confusion matrix")
    report: groups.Report = groups.Report()
    data: Images = Images("imagenet2012")
    run: groups.Place = groups.Place(pathlib.Path("runs/evaluate"))


SETTINGS = Settings()
SMOKE = groups.smoke(
    variant="PyConvResNetMini", data={"sides": (64, 80), "batch_size": 8}
)


def preparation(settings):
    """How images are shown, a function of the side."""
    if settings.data.pixels:
        return tasks.preprocessing.pixels_as_they_are
    if settings.weights in [
        row.set for row in keras_pyconv.weights.shipped_weights()
    ]:
        rule = tasks.preprocessing_of(settings.weights)
        return lambda side: dataclasses.replace(rule, size=side, resize=side)
    return tasks.preprocessing.imagenet_preprocessing


def measure(settings, validation, scores, sides):
    """`{side: Answers}`; writes the report of each side where it is wanted."""
    prepare = preparation(settings)
    from . import classifiers

    found, several = {}, validation.multi_label
    broken = datasets.BrokenPictures.among(validation)
    for side in sides:
        batches = datasets.evaluation_pictures(
            validation,
            prepare(side),
            batch_size=settings.data.batch_size,
            broken=broken,
        )
        about = scores, batches, len(validation.classes)
        wanted = settings.report.wanted
        kept = reporting.Scores() if wanted or several else None
        found[side] = classifiers.answers(*about, kept)
        if kept:
            title = f"{validation.name}: crops of {side} pixels"
            least = settings.data.threshold if several else None
            made = kept.report(found[side].labels, validation, title, least)
            found[side] = made if several else found[side]
        if wanted:
            part = str(side) if len(sides) > 1 else ""
            reporting.write(made, settings, part)
    for name, reason in broken.reasons.items():
        print(f"Left out, as it cannot be read: {name} ({reason})")
    return found


def main(argv=None):
    """Evaluates; returns `{side: Answers}`, or of several labels reports."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    with command_line.before_the_work():
        if not (settings.weights or settings.model or settings.run.smoke):
            raise ValueError(
                "add --weights or --model: random weights are at chance"
            )
        from . import classifiers

        [validation] = sources.open_images(settings, [settings.data.split])
        classes, sides = validation.classes, settings.data.sides
        several = validation.multi_label
        if several and settings.confusion:
            raise ValueError("--confusion is for one label per image")
        reporting.require(settings, also=settings.confusion or several)
        scores, only, name = classifiers.load(settings, validation)
    if only and set(sides) != {only}:
        print(f"{name} takes images of {only} pixels and is shown no others.")
        sides = (only,)
    found = measure(settings, validation, scores, sides)
    variant = settings.variant if settings.model is None else None
    print(
        f"\n{validation.name}: {classifiers.judged(found)} images, one centre "
        "crop, bilinear and antialiased resizing"
    )
    shown = preparation(settings)
    print(classifiers.table(name, found, len(classes), variant, shown))
    for side, result in found.items():
        if settings.per_class:
            worst = classifiers.worst_classes(result, classes)
            print(f"\nWorst classes at {side}\n{worst}")
        if settings.confusion:
            path = settings.run.workdir / f"confusion_{side}.png"
            print(pictures.confusion(result.confusion(), classes, path))
    results.write_record(
        settings.run.workdir / "results.json",
        model=name,
        weights=settings.weights,
        data=validation.name,
        **classifiers.figures(found),
    )
    return found


if __name__ == "__main__":
    command_line.from_shell(main)
