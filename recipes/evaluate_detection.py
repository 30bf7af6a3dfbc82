"""Compute COCO's metrics of a detector.

Command: python -m recipes.evaluate_detection --weights FILE

`--data` is a COCO folder (train2017, val2017, annotations) or any TFDS data
set with boxes. Prints COCO's twelve numbers beside the paper's row, and draws
some images with their detections.

Protocol (paper's supplement, section 1, Table 1): scores above 0.05,
non-maximum suppression per class at an overlap of 0.5, 200 boxes per image.
pycocotools computes the metrics.

Paper's result: printed beside ours for the networks of Table 1.
Our result: none here; we had no COCO.
Device: one GPU; a CPU processes a few images per second, see
benchmarks/README.md.

Deviations: the reference keeps the 200 best boxes of each class before
suppression; we keep all above the score. TFDS stores object areas as whole
numbers, which can move an object to another size range.
"""

import dataclasses
import json
import pathlib

from . import command_line, groups, networks, reporting, results, sources
from .lazy import datasets, keras_pyconv, tasks, writing
from .settings import Natural, Positive, Share, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is evaluated, and how."""

    weights: str | None = option(
        None, "weights file of the detector", needed=True
    )
    split: str = option("validation", "split to evaluate")
    batch_size: Positive = option(32, "batch size")
    images: Natural = option(8, "number of images to draw", was="pictures")
    score: Share = option(0.4, "minimum score of drawn boxes")
    report: groups.Report = groups.Report()
    network: groups.Detector = groups.Detector("PyConvSSD", side=300)
    data: groups.Scenes = groups.Scenes("coco/2017")
    run: groups.Place = groups.Place(pathlib.Path("runs/evaluate_detection"))


SETTINGS = Settings()
PRESETS = (groups.smoke(network={"side": 64}),)


def paper_numbers(model):
    """The paper's row for this network in per cent; None if it has none."""
    from keras_pyconv.tables import TABLES

    for row in TABLES["s1"].rows:
        if row.network.lower() == model.name.replace("-", "").lower():
            return [float(number) for number in row.accuracy]
    return None


def print_table(numbers, paper):
    """Measured and printed, in per cent."""
    rows = {"measured": [100 * x for x in numbers.values()], "paper": paper}
    # pycocotools says -1 where no object is of that size.
    lines = [
        [name, *(f"{x:.2f}" if x >= 0 else "-" for x in row)]
        for name, row in rows.items()
        if row is not None
    ]
    grid = keras_pyconv.complexity.grid.grid
    print(f"\n{grid(['', *numbers], lines, words=('',))}")


def draw(model, scenes, settings):
    """What is found in the first images, as PNG files."""
    folder = writing.make_folder(settings.run.workdir / "pictures")
    written = []
    some = scenes.examples(None).take(settings.images)
    for number, example in some.enumerate():
        # A text may be no name of a file.
        is_text = example["id"].dtype == "string"
        path = folder / f"{int(number if is_text else example['id'])}.png"
        image = scenes.decoded(example).numpy()
        found = keras_pyconv.detect(
            model, image, scenes.classes, score_threshold=settings.score
        )
        found.draw(path)
        written.append(path)
    return written


def main(argv=None):
    """Evaluates; returns the twelve numbers."""
    settings = command_line.parse(__doc__, SETTINGS, argv, PRESETS)
    workdir, side = settings.run.workdir, settings.network.side
    with command_line.before_the_work():
        reporting.require(settings)
        scenes = sources.open_scenes(settings, settings.split)
        truth = scenes.truth()
        truth.coco()
        model = networks.make_detector(
            settings, len(scenes.classes), weights=settings.weights
        )
    batches = datasets.evaluation_scenes(
        scenes, (side, side), batch_size=settings.batch_size
    )
    found = tasks.detection.collect_detections(model, batches)
    numbers = tasks.coco_numbers(truth, found)
    print_table(numbers, paper_numbers(model))
    results.write_record(
        workdir / "numbers.json",
        network=model.name,
        weights=settings.weights,
        data=scenes.name,
        numbers=numbers,
    )
    keras_pyconv.writing.write_atomically(
        workdir / "detections.json", json.dumps(found.rows(truth))
    )
    if settings.report.wanted:
        made = reporting.of_boxes(truth, found, scenes, settings.score)
        reporting.write(made, settings)
    written = draw(model, scenes, settings)
    print("\nImages:", *written, sep="\n  ")
    return numbers


if __name__ == "__main__":
    command_line.from_shell(main)
