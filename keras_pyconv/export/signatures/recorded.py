"""How an export makes its answers, in a file that the server does not read.

The checker asks the Keras model for the same answers by it; clients may too.
"""

import dataclasses
import json
import pathlib

from keras_pyconv.arguments import plain
from keras_pyconv.reading import explained, read_json
from keras_pyconv.tasks.preprocessing import Preprocessing

FILE = "assets.extra/keras_pyconv.json"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The arguments of an export that its answers depend on.

    Attributes:
        preprocessing: `Preprocessing`, or None. Where there are `steps`, its
            mean and deviation count alone.
        labels: tuple of class names, or None.
        top_k: number of best classes.
        size: pixels of a side at which a model of any size runs.
        steps: in words, how the sides of an image become those of the
            model's input; empty where `preprocessing` says it.
        threshold: lowest score of a class that an answer names, of a model
            of several labels; None for any other.
        bfloat16: whether it may compute in bfloat16.
    """

    preprocessing: Preprocessing | None = None
    labels: tuple | None = None
    top_k: int = 5
    size: int = 64
    steps: str = ""
    threshold: float | None = None
    bfloat16: bool = False

    def write(self, folder):
        """Writes the record into the folder of a SavedModel."""
        file = pathlib.Path(folder, FILE)
        file.parent.mkdir(exist_ok=True)
        file.write_text(self.as_text())

    def as_text(self):
        """The record as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def read(path):
    """The record of a version, or None; a ValueError for a damaged one."""
    file = pathlib.Path(path, FILE)
    if not file.is_file():
        return None
    return of_row(read_json(file), file)


def of_row(row, file):
    """The record of what its JSON held; `file` is for messages."""
    with explained(f"{file} is damaged"):
        row = plain(row)
        if made := row["preprocessing"]:
            # Versions from before this was recorded turn nothing.
            row["preprocessing"] = Preprocessing(**{"exif": False, **made})
        return Recorded(**row)
