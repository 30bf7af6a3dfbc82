"""Weights that the package holds itself, so that nothing is fetched.

Small networks that learned from `digits_in_photos`. Each stands in the folder
of that name as a file of Keras of 16-bit numbers with its checksum, beside a
record that says which network it is of, how images are shown to it, what it
answers, how it was trained and how right it is.
"""

import dataclasses
import functools
import pathlib

from keras_pyconv.arguments import plain
from keras_pyconv.reading import nearest, read_json
from keras_pyconv.weights.description import TASKS, Description

SET = "digits_in_photos"
FOLDER = pathlib.Path(__file__).with_name(SET)


@dataclasses.dataclass(frozen=True)
class Shipped:
    """One file of weights in the package.

    Attributes:
        task: one of `TASKS`.
        variant: the record's name.
        build: arguments of the task's general builder beside the record's
            name, such as `classes` and `input_shape`.
        class_names: in the order of the labels, without a background of boxes.
        shown: fields of the task's own way of showing images: `Preprocessing`,
            of segmentation `Protocol`, of video `Clips`.
        test: the recipe that measures them, and its options.
        figures: measured on the whole test split, by the name of the quantity.
        training: command, commit, date, machine, versions, seeds and curve.
    """

    task: str
    variant: str
    build: dict
    class_names: tuple[str, ...]
    shown: dict
    test: tuple[str, ...]
    figures: dict[str, float]
    training: dict
    set: str = SET

    @property
    def name(self) -> str:
        """What `--model` takes."""
        return SET if self.task == TASKS[0] else f"{SET}/{self.task}"

    @property
    def path(self) -> pathlib.Path:
        """The file of weights."""
        return FOLDER / f"{self.task}.weights.h5"

    @property
    def description(self) -> Description:
        """What a model with all these weights answers with."""
        return Description(self.task, self.class_names, self.shown, self.set)


@functools.cache
def shipped_weights() -> tuple[Shipped, ...]:
    """The rows, the classifier first; only of tasks that have one."""
    files = (FOLDER / f"{task}.json" for task in TASKS)
    found = (read_json(file) for file in files if file.is_file())
    return tuple(
        Shipped(**{**plain(row), "training": row["training"]}) for row in found
    )


def shipped_named(name) -> Shipped | None:
    """The row that `--model` calls so; a ValueError for none of this set."""
    name = str(name)
    own, _, task = name.partition("/")
    if own != SET:
        return None
    found = [row for row in shipped_weights() if row.name == name]
    if not found and name != f"{SET}/{TASKS[0]}":
        known = [row.name for row in shipped_weights()]
        raise ValueError(
            f"There is no {name}.{nearest(name, known)} With the package "
            f"come: {', '.join(known)}"
        )
    return found[0] if found else shipped_weights()[0]
