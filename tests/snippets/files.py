"""What the snippets read, made on the spot, each by a function of its path."""

import numpy as np
from PIL import Image

import keras_pyconv
from keras_pyconv.weights import files, torch_names, torch_shapes
from tests.datasets import mask_folders
from tests.reference import rule
from tests.tasks.video import films
from tests.weights import torch_writer


def image(path, seed=0):
    """A small picture of coarse patches."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (4, 4, 3)).astype("uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((48, 40)).save(path)


def class_folder(root, count=24):
    for number in range(count):
        image(root / ("cat", "dog")[number % 2] / f"{number}.jpg", number)


def image_folder(root):
    for number in range(3):
        image(root / f"{number}.jpg", 100 + number)


def split_folder(count):
    """Writes classes below `train` and `val`, of so many images together."""

    def write(root):
        for split in ("train", "val"):
            class_folder(root / split, count)

    return write


def ade20k(root):
    """Masks of 150 classes."""
    for split in ("training", "validation"):
        mask_folders.write(root, split)


def two_classes(root):
    """Masks of two classes from 0."""
    ade20k(root)
    for file in root.glob("annotations/*/*.png"):
        pixels = np.asarray(Image.open(file)) % 2
        Image.fromarray(pixels).save(file)


def film(path):
    films.film(path)


def videos(root):
    for split in ("train", "val"):
        for name in ("jump", "run"):
            place = root / split / name
            place.mkdir(parents=True)
            films.film(place / "0.mp4")


def weights_of(build):
    """Writes Keras's file of what a function builds."""

    def write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        build().save_weights(path)

    return write


def of_authors(variant, write=files.write_arrays):
    """Writes a file with the authors' names, and made-up values."""

    def write_it(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if variant in keras_pyconv.ARCHITECTURES:
            shapes = torch_shapes(variant)
        else:
            shapes = _shapes_of_segmenter(variant)
        write(path, rule.weights(shapes))

    return write_it


def _shapes_of_segmenter(variant):
    backbone = variant.removeprefix("PyConvSegNet")
    model, shapes = keras_pyconv.PyConvSegNet(backbone), {}
    names = torch_names(model)
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            shape = (shape[-1], shape[-2], *shape[:-2])
        if variable.path in names:
            shapes[names[variable.path]] = shape
    return shapes


def checkpoint(variant):
    """Writes what PyTorch writes, as `of_authors`."""
    return of_authors(variant, torch_writer.save)


CACHE = "keras/models/keras_pyconv"


def published(*names):
    """Files of the cache, by variant and set, as `NAME:SET`."""
    pairs = (name.split(":") for name in names)
    return {f"{CACHE}/{v.lower()}_{s}.npz": of_authors(v) for v, s in pairs}
