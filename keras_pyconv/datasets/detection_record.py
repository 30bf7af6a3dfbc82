"""One split of a data set of pictures with boxes, wherever it comes from.

Boxes are (ymin, xmin, ymax, xmax) as
fractions of the picture, labels count from 0.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from keras_pyconv.tasks.detection import GroundTruth
from keras_pyconv.tasks.detection.annotations import Annotations
from keras_pyconv.tasks.image import decode_image, image_sides
from keras_pyconv.tasks.orientation import turn

# What each object of an example has.
FIELDS = {
    "boxes": tf.TensorSpec((None, 4), tf.float32),
    "labels": tf.TensorSpec((None,), tf.int64),
    "crowds": tf.TensorSpec((None,), tf.bool),
    "areas": tf.TensorSpec((None,), tf.float32),
}


@dataclasses.dataclass(frozen=True, eq=False)
class DetectionSet:
    """One split of a data set of pictures with boxes.

    Attributes:
        name: of the data set and split, for messages.
        classes: names of the classes in the order of the labels.
        categories: their ids in files of results, in the same order.
        count: how many pictures there are.
        examples: function of an order, an int64 scalar tensor or None, to a
            `tf.data.Dataset` of dicts: `picture`, `name`, `id`, and of each
            object `boxes`, `labels`, `crowds` and `areas`, in pixels or -1
            where they are not known. `id` is an integer or a text. Of files
            there is `orientation`, from 1 to 8 as EXIF counts them, by which
            a picture is turned for its boxes.
        are_files: whether `picture` is a path; else it is encoded.
        problems: how many annotations were skipped or changed, by reason.
        annotations: the `Annotations` that they are from, or None.
        digest: text that is another where names or objects are; see
            `training_stream`.
    """

    name: str
    classes: tuple[str, ...]
    categories: tuple[int | str, ...]
    count: int
    examples: Callable
    are_files: bool
    problems: Mapping = dataclasses.field(default_factory=dict)
    annotations: Annotations | None = None
    digest: str | None = None

    def encoded(self, example):
        """The bytes of an example's file, a string scalar."""
        if self.are_files:
            return tf.io.read_file(example["picture"])
        return example["picture"]

    def turned(self, picture, example):
        """A decoded picture as its boxes are meant."""
        return turn(picture, example.get("orientation"))

    def decoded(self, example):
        """An example's picture as its boxes are meant.

        Returns:
            uint8 `(height, width, 3)`.
        """
        return self.turned(decode_image(self.encoded(example)), example)

    def truth(self, box_areas: bool = False) -> GroundTruth:
        """What a detector is judged by: the rows of the file, if there is one.

        Else all examples are read, and their pictures' sizes with them; boxes
        without height or width are left out, as in training.

        Args:
            box_areas: take the boxes' areas for those of the objects.
        """
        if self.annotations is not None:
            return GroundTruth.of_annotations(
                self.annotations, self.categories, box_areas
            )
        truth = GroundTruth(self.categories)
        sized = self.examples(None).map(
            lambda example: (example, image_sides(self.encoded(example)))
        )
        for example, sides in sized.as_numpy_iterator():
            scale = np.tile(sides, 2).astype("float32")
            boxes = example["boxes"] * scale
            size = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
            known = (example["areas"] >= 0) & (not box_areas)
            areas = np.where(known, example["areas"], size)
            columns = (boxes, example["labels"], example["crowds"], areas)
            used = (boxes[:, 2:] > boxes[:, :2]).all(1)
            truth.add(example["id"], sides, *(x[used] for x in columns))
        return truth
