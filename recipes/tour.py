"""How the quickstart shows what came out: table, verdict, curves, images."""

import math

import numpy as np

import keras_pyconv
from keras_pyconv.complexity.grid import grid
from keras_pyconv.datasets import SIZE_CLASSES
from keras_pyconv.figures import share

from . import pictures

SHOWN = 32  # test images that are drawn


def verdict(predictions, labels):
    """Who won, in words, by a paired comparison on the test images.

    `predictions` are the classes (N,) of two networks, `labels` the truth.
    """
    names = list(predictions)
    rights = [predictions[name] == labels for name in names]
    only_first, only_second = (
        int((a & ~b).sum()) for a, b in (rights, rights[::-1])
    )
    gap = 100 * (only_first - only_second) / len(labels)
    # Standard error of a difference of paired proportions (McNemar).
    error = 100 * np.sqrt(max(only_first + only_second, 1)) / len(labels)
    winner = names[0] if gap > 0 else names[1]
    said = f"{abs(gap):.1f} points (standard error {error:.1f}, one seed)"
    if abs(gap) < 2 * error:
        return f"No clear winner: {winner} is ahead by {said}."
    return f"{winner} wins by {said}."


def row(name, classes, test, seconds):
    """One row of the table, from the predicted classes (N,)."""
    images, labels, sizes = test
    right = classes == labels
    by_size = {
        size: float(right[sizes == number].mean())
        for number, size in enumerate(SIZE_CLASSES)
        if (sizes == number).any()
    }
    cost = keras_pyconv.complexity.complexity(
        name, images.shape[1:], classes=int(labels.max()) + 1
    )
    return {
        "network": name,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "accuracy": float(right.mean()),
        **by_size,
        "seconds_a_step": seconds,
    }


def table(rows):
    """The networks side by side."""
    sizes = [size for size in SIZE_CLASSES if size in rows[0]]
    heads = ["parameters", "multiply-adds", "accuracy", *sizes, "s/step"]
    lines = []
    for row in rows:
        seconds = row["seconds_a_step"]
        lines.append(
            [
                row["network"],
                f"{row['parameters']:,}",
                f"{row['multiply_adds']:,}",
                *(share(row[name]) for name in ("accuracy", *sizes)),
                "-" if math.isnan(seconds) else f"{seconds:.3f}",
            ]
        )
    return grid(["network", *heads], lines, words=("network",))


def show(rows, predictions, histories, test, settings):
    """Prints and draws all of it; returns the verdict."""
    print(f"\n{table(rows)}")
    result = verdict(predictions, test[1])
    print(result)
    workdir = settings.run.workdir
    some = {name: classes[:SHOWN] for name, classes in predictions.items()}
    sizes = [size for size in SIZE_CLASSES if size in rows[0]]
    shown = *(values[:SHOWN] for values in test[:2]), some
    print(
        "\nImages:",
        pictures.curves(histories, workdir / "curves.png"),
        pictures.accuracy_by_size(rows, sizes, workdir / "sizes.png"),
        pictures.prediction_grid(*shown, workdir / "predictions.png"),
        sep="\n  ",
    )
    return result


def export_and_ask(model, root, test):
    """Exports, asks the export about the first test image; its answer."""
    path = keras_pyconv.export.saved_model(model, root)
    print(f"\nExported {model.name} to {path}/")
    image = test[0][:1].astype("float32")
    answer = keras_pyconv.export.answer_in_clean_process(path, image)
    label, score = answer["labels"][0, 0].decode(), answer["scores"][0, 0]
    print(
        f"A clean process, asked for the first test image, says {label} "
        f"with score {score:.3f}; the truth is {test[1][0]}."
    )
    return int(label)
