"""What the functions of all tasks answer: results that draw and describe."""

import dataclasses
import json
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.lazy import tf
from keras_pyconv.models.nesting import Graph, head_layer
from keras_pyconv.renamed import GOES, warn
from keras_pyconv.tasks.drawing import with_bars
from keras_pyconv.typing import PathLike
from keras_pyconv.weights.described import known
from keras_pyconv.writing import replacing, write_atomically

_BARS = 3  # classes under a drawing
TOP = 5  # classes that an answer names, unless it names each by its score
THRESHOLD = 0.5  # least score of one of several labels


class Result:
    """What a network says of one image or video."""

    class_names: tuple[str, ...] | None

    def __post_init__(self):
        arguments.array("labels", self.labels, 1)
        arguments.array("scores", self.scores, 1)
        if self.class_names is not None:
            arguments.texts("class_names", self.class_names)

    def draw(self, path: PathLike | None = None) -> np.ndarray:
        """Draws the answer, uint8 `(height, width, 3)`; enlarges small images.

        Args:
            path: a file to write as well, of a kind that Pillow knows by its
                ending, such as PNG or JPEG.
        """
        from PIL import Image

        if path is not None:
            arguments.image_file("path", path)
        drawn = self._drawn()
        if path is not None:
            with replacing(path) as beside:
                Image.fromarray(drawn).save(beside)
        return drawn

    def to_dict(self) -> dict:
        """The answer in numbers, lists and text, as JSON can hold it."""
        raise NotImplementedError

    def save(self, path: PathLike) -> None:
        """Writes `to_dict` as JSON to a .json path, or else the drawing."""
        if arguments.new_file("path", path).suffix.lower() == ".json":
            write_atomically(path, json.dumps(self.to_dict(), indent=1) + "\n")
        else:
            self.draw(path)

    def _drawn(self):
        raise NotImplementedError

    def name(self, label: int) -> str:
        """The name of a class, or its number."""
        names = self.class_names
        most = arguments.MOST if names is None else len(names) - 1
        label = arguments.integer("label", label, 0, most)
        return str(label) if names is None else names[label]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The old name of `class_names`."""
        warn(
            "`names` is called `class_names` now, and goes with version "
            f"{GOES}."
        )
        return self.class_names

    def _rows(self):
        return [
            {"label": int(n), "name": self.name(n), "score": float(score)}
            for n, score in zip(self.labels, self.scores)
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking(Result):
    """The classes that score highest, best first.

    Attributes:
        labels: int `(n,)`, from 0.
        scores: float `(n,)`, probabilities, descending.
        class_names: of all classes, or None.
    """

    labels: np.ndarray
    scores: np.ndarray
    class_names: tuple[str, ...] | None

    @property
    def label(self) -> str:
        """The name of the best class, or its number; "" if none was found."""
        return self.name(self.labels[0]) if len(self.labels) else ""

    @property
    def score(self) -> float:
        """The score of the best class; 0 if none was found."""
        return float(self.scores[0]) if len(self.scores) else 0.0

    def __str__(self):
        rows = zip(self.labels, self.scores)
        return "\n".join(f"{self.name(n)} {share(score)}" for n, score in rows)

    def to_dict(self) -> dict[str, Any]:
        return {"classes": self._rows()}

    def _with_bars(self, image, title=""):
        """An image of Pillow's with a bar for each of the best classes."""
        rows = [
            (f"{share(row['score'])}  {row['name']}", row["score"])
            for row in self._rows()[:_BARS]
        ]
        return np.asarray(with_bars(image, rows, title))


def best(scores, top, threshold=None):
    """Labels and scores of the `top` highest, or of all, best first.

    With a threshold only those whose score is at least as high.
    """
    labels = np.argsort(-scores, kind="stable")[:top]
    if threshold is not None:
        labels = labels[scores[labels] >= threshold]
    return labels, scores[labels]


def is_multi_label(model) -> bool:
    """Whether a classifier scores each class by itself, by a sigmoid."""
    _, activation = head_layer(Graph(model))
    return activation == "sigmoid" and model.output_shape[-1] > 1


def chosen(model, top=None, threshold=None):
    """The arguments of `best` for a model where the user named none.

    A model of several labels names every class from a score of 0.5 on.
    """
    if is_multi_label(model):
        return top, THRESHOLD if threshold is None else threshold
    return top or TOP, threshold


def check_names(class_names, classes, also="", model=None):
    """The names as a tuple, or None; refused unless as many as the classes.

    Of None those that a `model` has itself, where it has any.
    """
    if class_names is None and (found := known(model)):
        class_names = found.class_names
    if class_names is None:
        return None
    names = arguments.texts("class_names", class_names)
    if len(names) != classes:
        raise ValueError(
            f"The model has {classes} classes{also}. Received {len(names)} "
            f"names: class_names={arguments.shown(class_names)}"
        )
    return names


def traced(model, key, make):
    """What `make` made of a model and a key before, kept with the model."""
    # Not by an attribute: Keras would follow what it holds.
    kept = vars(model).setdefault("_keras_pyconv_traced", {})
    if key not in kept:
        kept[key] = make()
    return kept[key]


def probabilities(model, prepare):
    """A traced function of a batch of pixels to float32 probabilities."""
    _, activation = head_layer(Graph(model))
    gives_logits = activation not in ("softmax", "sigmoid")

    @tf.function(autograph=False, reduce_retracing=True)
    def scores(pixels):
        outputs = model(prepare(pixels), training=False)
        outputs = tf.cast(outputs, tf.float32)
        return tf.nn.softmax(outputs) if gives_logits else outputs

    return scores
