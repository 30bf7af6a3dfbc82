"""The whole set under the paper's protocol: one confusion matrix, one table."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.segmentation.classes import (
    names_of_classes,
    number_of_classes,
)
from keras_pyconv.tasks.segmentation.losses_and_metrics import (
    ConfusionMatrix,
    class_iou,
    mean_iou,
    pixel_accuracy,
)
from keras_pyconv.tasks.segmentation.windows import (
    SINGLE_SCALE,
    Protocol,
    SlidingWindows,
)
from keras_pyconv.typing import Array, ArrayLike, PathLike
from keras_pyconv.writing import make_folder


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What a network got right on a set.

    Attributes:
        matrix: int64 `(classes, classes)`, pixels by truth and prediction.
        class_names: A name for each class.
        pictures: How many images were evaluated.
    """

    matrix: np.ndarray
    class_names: tuple[str, ...]
    pictures: int

    @property
    def mean_iou(self) -> float:
        """Mean over the classes that occur in truth or prediction."""
        return mean_iou(self.matrix)

    @property
    def pixel_accuracy(self) -> float:
        """Right pixels over all valid ones."""
        return pixel_accuracy(self.matrix)

    def __post_init__(self):
        matrix = arguments.array("matrix", self.matrix, 2)
        names = arguments.texts("class_names", self.class_names)
        rule = f"of a row and a column for each of {len(names)} `class_names`"
        good = matrix.shape == (len(names),) * 2
        arguments.check("matrix", matrix, good, rule)
        arguments.integer("pictures", self.pictures, 0, 2**63)

    def rows(self) -> list[dict]:
        """`class`, `iou`, `accuracy`, `pixels` of the truth, for each class.

        The accuracy is the part of the class's pixels that were found; NaN,
        as the IoU, where there is nothing to divide by.
        """
        pixels, hits = self.matrix.sum(axis=1), np.diag(self.matrix)
        columns = (self.class_names, class_iou(self.matrix), hits, pixels)
        return [
            {
                "class": name,
                "iou": float(iou),
                "accuracy": float(hit / count) if count else float("nan"),
                "pixels": int(count),
            }
            for name, iou, hit, count in zip(*columns)
        ]

    def __str__(self):
        width = max(map(len, (*self.class_names, "mean of classes")))
        lines = [f"{'':{width}}      IoU  accuracy         pixels"]
        mean = {
            "class": "mean of classes",
            "iou": self.mean_iou,
            "accuracy": self.pixel_accuracy,
            "pixels": int(self.matrix.sum()),
        }
        lines += [
            f"{row['class']:{width}} {_percent(row['iou'])}  "
            f"{_percent(row['accuracy'])}  {row['pixels']:13,}"
            for row in (*self.rows(), mean)
        ]
        lines.append("The last accuracy is that of all pixels.")
        return "\n".join(lines)


def _percent(part):
    """In eight characters; a dash for what never occurs."""
    return f"{'-' if np.isnan(part) else share(part, 2):>8}"


def _checked(labels, image, name):
    labels = np.asarray(labels)
    if labels.shape not in (image.shape[:2], (*image.shape[:2], 1)):
        raise ValueError(
            f"The mask of {name} has shape {labels.shape}, its image "
            f"{image.shape}."
        )
    return labels.reshape(image.shape[:2])


def evaluate_segmentation(
    model: keras.Model,
    examples: Iterable[Mapping[str, Any]],
    protocol: Protocol = SINGLE_SCALE,
    *,
    class_names: Sequence[str] | None = None,
    total: int | None = None,
    submission: PathLike | None = None,
    on_picture: Callable[[Mapping[str, Any], Array], Any] | None = None,
    on_scores: Callable[..., Any] | None = None,
    verbose: int = 1,
) -> Evaluation:
    """Evaluates a network on images of any sizes (paper, section 5).

    Args:
        model: A network of `PyConvSegNet`, or any other to logits.
        examples: Iterable of dictionaries: `image` `(height, width, 3)` in
            [0, 255]; `labels` `(height, width)`, from 0, 255 for what does
            not count, or None; `name`, of the image.
        protocol: `SINGLE_SCALE`, `MULTI_SCALE`, or another.
        class_names: As in `segment`.
        total: How many images there are, for the progress bar.
        submission: Folder for the test server's files, or None.
        on_picture: Function (example, predicted labels), after each image.
        on_scores: Function (example, first row, probabilities `(rows, width,
            classes)`), called for each strip of an image.
        verbose: 0 for silence, 1 for a progress bar.

    Returns:
        An `Evaluation`, whose matrix is 0 where no image had labels.

    Raises:
        ValueError: a mask of another size, or no segmentation network.
    """
    classes = number_of_classes(model)
    windows = SlidingWindows(model, protocol)
    names = names_of_classes(classes, class_names)
    arguments.one_of("verbose", verbose, (0, 1))
    arguments.function("on_picture", on_picture, optional=True)
    arguments.function("on_scores", on_scores, optional=True)
    arguments.integer("total", total, optional=True)
    if submission is not None:
        arguments.new_folder("submission", submission)
    arguments.iterable("examples", examples)
    counts = ConfusionMatrix(classes)
    progress = keras.utils.Progbar(
        total, stateful_metrics=["mean_iou", "pixel_accuracy"], verbose=verbose
    )

    def show(number, **options):
        if verbose:
            results = {k: float(v) for k, v in counts.result().items()}
            progress.update(number, results.items(), **options)

    number = 0
    for number, example in enumerate(examples, 1):
        image, name = read_image(example["image"]), example.get("name", number)
        watch = on_scores and functools.partial(on_scores, example)
        found = windows.labels(image, watch)
        if example.get("labels") is not None:
            counts.update_state(_checked(example["labels"], image, name), found)
        if submission is not None:
            write_submission(submission, name, found)
        if on_picture is not None:
            on_picture(example, found)
        show(number)
    show(number, finalize=True)
    matrix = keras.ops.convert_to_numpy(counts.matrix).astype("int64")
    return Evaluation(matrix, names, number)


def write_submission(
    folder: PathLike, name: str, labels: ArrayLike
) -> pathlib.Path:
    """Writes a file for ADE20K's test server: gray PNG, classes from 1.

    Args:
        folder: Where to; made where it is missing.
        name: Of the picture, such as `"ADE_test_00000001.jpg"`.
        labels: Integers `(height, width)` from 0.
    """
    from PIL import Image

    arguments.new_folder("folder", folder)
    if not arguments.is_integer(name, 0, 2**63):
        arguments.text("name", name)
    labels = arguments.array("labels", labels, 2, "iub")
    low, high = labels.min(initial=0), labels.max(initial=0)
    rule = "from 0 to 254, as a gray PNG holds, without "
    rule += f"label {low if low < 0 else high} for {name}"
    arguments.check("labels", labels, 0 <= low and high <= 254, rule)
    # Of a name such as "train.tfrecord-00000__7" nothing may be cut off.
    stem = re.sub(r"\.(jpe?g|png)$", "", str(name), flags=re.IGNORECASE)
    path = pathlib.Path(folder) / f"{stem}.png"
    make_folder(path.parent)
    Image.fromarray((labels + 1).astype("uint8")).save(path)
    return path
