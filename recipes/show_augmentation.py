"""Draw what augmentation makes of images.

Command: python -m recipes.show_augmentation --randaugment --output sheet.png

Each row of the sheet has an image and what several draws make of it, with the
operations and their amounts; those of distances are for 224 pixels. With
`--task detection` boxes move along, with `--task segmentation` masks, where
white is ignored. The options are those of the recipes that train.

Paper's result: none. Our result: the sheet.
Device: a CPU, under a minute.
Deviations from the paper: it uses none of these.
"""

import dataclasses
import pathlib
from typing import Literal

from . import command_line, groups, pictures, sources
from .lazy import datasets, np, tf
from .settings import Natural, Positive, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is drawn."""

    task: Literal["classification", "detection", "segmentation"] = option(
        "classification", "what moves with the images: nothing, boxes or masks"
    )
    images: pathlib.Path | None = option(
        None,
        "folder of images, for classification; default: digits in photographs",
        metavar="FOLDER",
    )
    rows: Positive = option(4, "number of images")
    draws: Positive = option(5, "number of draws for each image")
    side: Positive = option(224, "image size in pixels")
    seed: Natural = option(1, "random seed of the draws")
    output: pathlib.Path | None = option(
        None, "PNG to write; default: sheet.png in the workdir"
    )
    augmentation: groups.ImageAugmentation = groups.ImageAugmentation()
    run: groups.Place = groups.Place(pathlib.Path("runs/show_augmentation"))


SETTINGS = Settings()
SMOKE = groups.smoke(rows=2, draws=1, side=64, augmentation={"mixup": 0.2})


def load_examples(settings):
    """Dictionaries of an `image` (side, side, 3) and its `boxes` or `mask`."""
    if settings.images:
        found = sources.unlabelled(settings.images, option="--images")[1]
    else:
        made = datasets.prepare_digits_in_photos(
            settings.task,
            data_dir=settings.run.data_dir,
            train_examples=settings.rows,
            test_examples=1,
            image_size=settings.side,
        ).as_dataset(split="train")
        found = map(_of_digits, made)
    sides = (settings.side, settings.side)
    return [
        {**example, "image": tf.image.resize(example["image"], sides)}
        for _, example in zip(range(settings.rows), found)
    ]


def _of_digits(example):
    """An example with what moves along, under our names."""
    image = example["image"]
    if "segmentation_mask" in example:
        return {"image": image, "mask": example["segmentation_mask"][..., 0]}
    if "objects" in example:
        return {"image": image, "boxes": example["objects"]["bbox"]}
    return {"image": image}


def chain(chosen):
    """Functions of an example and a seed to the example and what was done."""
    distort, erase = sources.distortion(chosen), chosen.random_erasing
    erase = erase and datasets.random_erasing(erase)

    def distorted(example, seed):
        (image, *moving), said = example.values(), distort.describe(seed)
        if "boxes" in example:
            image, boxes, _ = distort.with_boxes(image, *2 * moving, seed)
            return {"image": image, "boxes": boxes}, said
        if "mask" in example:
            image, mask = distort.with_mask(image, *moving, seed)
            return {"image": image, "mask": mask}, said
        return {"image": distort(image, seed)}, said

    def erased(example, seed):
        # As in training, on images of a deviation near 1.
        image = example["image"] / 64 - 2
        found = erase(image, seed)
        said = () if np.all(found == image) else ("RandomErasing",)
        return {"image": 64 * (found + 2)}, said

    wanted = (distort, distorted), (erase, erased)
    return [function for asked, function in wanted if asked]


def draw(settings, functions, examples, number):
    """One draw for each example, and what was done to it."""
    found, alpha = [], settings.augmentation.mixup
    for row, example in enumerate(examples):
        words, seed = [], [settings.seed, number * len(examples) + row]
        for function in functions:
            example, said = function(example, tf.constant(seed, tf.int64))
            words += said
        found.append((example, words))
    if not alpha:
        return found
    images = tf.stack([example["image"] for example, _ in found])
    seed = tf.constant([settings.seed, number], tf.int64)
    images, shares = datasets.mixup(alpha)(images, tf.eye(len(found)), seed)
    said = f"Mixup {1 - shares[0, 0]:.2f}"
    return [
        ({"image": image}, [*words, said])
        for image, (_, words) in zip(images, found)
    ]


def check(settings):
    """Refuses what shows nothing, or belongs to another task."""
    chosen = settings.augmentation
    alone = chosen.mixup or chosen.random_erasing
    if not (chosen.randaugment or chosen.autoaugment or alone):
        raise ValueError("Name what to show, such as --randaugment.")
    if settings.task != "classification" and (settings.images or alone):
        refused = "--images, --mixup and --random-erasing"
        raise ValueError(f"{refused} move no boxes or masks; leave out --task")


def main(argv=None):
    """Writes the sheet; returns what was done, row by row."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    with command_line.before_the_work():
        command_line.require("matplotlib", extra="recipes")
        check(settings)
        functions = chain(settings.augmentation)
        examples = load_examples(settings)
        columns = [[(example, ["original"]) for example in examples]]
        for number in range(settings.draws):
            columns += [draw(settings, functions, examples, number)]
    path = settings.output or settings.run.workdir / "sheet.png"
    rows = list(zip(*columns))
    print(f"Sheet: {pictures.augmentation_sheet(rows, path)}")
    return [[words for _, words in row[1:]] for row in rows]


if __name__ == "__main__":
    command_line.from_shell(main)
