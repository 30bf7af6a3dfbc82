"""COCO's twelve numbers of a detector, beside the paper's row, with pictures.

What: supplement, section 1, Table 1. A score above 0.05, suppression within a
class from an overlap of 0.5, 200 boxes a picture; the numbers are computed by
pycocotools itself. `--data` names a folder as COCO unpacks, or any set of TFDS
with boxes. Writes pictures with what was found in them.

Paper's number: printed beside the measured row, for the networks of Table 1.
Ours: none here; it prints what it measures. COCO was not at hand.
Device: one GPU; on a CPU some pictures a second, see benchmarks/README.md.
Command: python -m recipes.evaluate_detection --weights FILE

Deviations: the reference looks at the 200 best boxes of each class before it
suppresses; all above the score are looked at here. From TFDS the areas of
objects are whole numbers, which can move one from one size to the next.
"""

import dataclasses
import json
import pathlib

from . import command_line, groups, networks, results, sources
from .lazy import datasets, keras_pyconv, tasks
from .settings import Natural, Positive, Share, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is judged, and by what."""

    weights: str | None = option(
        None, "file of the whole detector's weights", needed=True
    )
    split: str = option("validation", "of the data")
    batch_size: Positive = option(32, "images at once")
    images: Natural = option(8, "to draw", flag=("images", "pictures"))
    score: Share = option(0.4, "of what is drawn, at least")
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
    folder = settings.run.workdir / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
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
    written = draw(model, scenes, settings)
    print("\nImages:", *written, sep="\n  ")
    return numbers


if __name__ == "__main__":
    command_line.from_shell(main)
