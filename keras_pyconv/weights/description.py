"""The record of what a model answers with; it needs no framework."""

import dataclasses

from keras_pyconv import arguments
from keras_pyconv.reading import explained

TASKS = ("classification", "detection", "segmentation", "video")


@dataclasses.dataclass(frozen=True)
class Description:
    """Class names and preprocessing of a model.

    Attributes:
        task: one of `TASKS`.
        class_names: in label order, without a detector's background, or None.
        shown: fields of the task's own way of showing images: `Preprocessing`,
            of segmentation `Protocol`, of video `Clips`. None for the default.
        weights: what it came with, such as the name of weights in the package;
            None for what the model's owner said.
    """

    task: str
    class_names: tuple[str, ...] | None = None
    shown: dict | None = None
    weights: str | None = None

    def __post_init__(self):
        arguments.check_fields(self)
        arguments.one_of("task", self.task, TASKS)

    def to_json(self):
        """Its fields, as JSON can hold them."""
        return {key: x for key, x in vars(self).items() if x is not None}

    @classmethod
    def of_json(cls, row):
        """The one of such fields; a ValueError for anything else."""
        with explained("the model's description is damaged"):
            return cls(**arguments.plain(row))
