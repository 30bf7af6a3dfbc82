"""What do drawings of answers and of a training look like, all of them?

One sheet of what `draw()` of the results of all tasks draws, and of the curves
that a run leaves. The images are of the embedded data set, and what is drawn on
them are its labels, with a score of 1; the curves are of the training of the
classifier in the package.

    python -m benchmarks.drawings --write docs/drawings.png
"""

import argparse
import pathlib
import tempfile

import numpy as np
from PIL import Image

from keras_pyconv import datasets, tasks
from keras_pyconv.datasets.digit_scenes import MOTIONS
from keras_pyconv.weights import shipped
from recipes import pictures

DIGITS = tuple(map(str, range(10)))
WIDTH = 1400  # pixels of the sheet


def example(task, data_dir=None):
    """A test example of a task, as arrays."""
    splits = datasets.load_digits_in_photos(
        task, data_dir=data_dir, train_examples=1, test_examples=2
    )
    return list(splits["test"].as_numpy_iterator())[-1]


def results(data_dir=None):
    """What each task says of its example if it is right."""
    sure = np.ones(1)
    one = example("classification", data_dir)
    label = np.array([one["label"]])
    yield tasks.Classification(label, sure, DIGITS, one["image"])
    one = example("detection", data_dir)
    image, objects = one["image"], one["objects"]
    boxes = tasks.detection.to_pixels(objects["bbox"], *image.shape[:2])
    scores = np.ones(len(boxes))
    yield tasks.Detections(boxes, objects["label"], scores, DIGITS, image)
    one = example("segmentation", data_dir)
    labels = one["segmentation_mask"][..., 0]
    names = ("background", *DIGITS)
    yield tasks.Segmentation(one["image"], labels, None, names)
    one = example("video", data_dir)
    label = np.array([one["label"]])
    names = tuple(MOTIONS)
    yield tasks.Recognition(label, sure, names, one["video"], 1, (), "clip.mp4")


def curves(folder):
    """The curves of a training, as its run draws them."""
    history = shipped.shipped_weights()[0].training["curve"]
    drawn = pictures.curves({"": history}, folder / "curves.png")
    with Image.open(drawn) as image:
        height = image.height * WIDTH // image.width
        return image.convert("RGB").resize((WIDTH, height))


def sheet(images):
    """Images beside and below each other, on white."""
    places, x, y, tallest = [], 0, 0, 0
    for image in images:
        if x and x + image.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        places.append((x, y))
        x, tallest = x + image.width, max(tallest, image.height)
    drawing = Image.new("RGB", (WIDTH, y + tallest), "white")
    for image, place in zip(images, places):
        drawing.paste(image, place)
    return drawing


def main(arguments=None):
    """Writes the sheet; returns its path."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=pathlib.Path, required=True)
    parser.add_argument("--data-dir", type=pathlib.Path)
    options = parser.parse_args(arguments)
    images = [Image.fromarray(one.draw()) for one in results(options.data_dir)]
    with tempfile.TemporaryDirectory() as folder:
        images.append(curves(pathlib.Path(folder)))
    sheet(images).save(options.write, optimize=True)
    print(options.write)
    return options.write


if __name__ == "__main__":
    main()
