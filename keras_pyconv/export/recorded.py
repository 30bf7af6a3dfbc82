"""What an export remembers of how its answers are made.

The server does not read `assets.extra/keras_pyconv.json`. The checker does,
to ask the Keras model for the same answers, and so may clients.
"""

import dataclasses
import json
import pathlib

from keras_pyconv.tasks.preprocessing import Preprocessing

FILE = "assets.extra/keras_pyconv.json"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """The arguments of an export that its answers depend on.

    Attributes:
        preprocessing: `Preprocessing`, or None.
        labels: tuple of class names, or None.
        top_k: number of best classes.
    """

    preprocessing: Preprocessing | None = None
    labels: tuple | None = None
    top_k: int = 5


def write(folder, preprocessing, labels, top_k):
    """Writes the record into the folder of a SavedModel.

    Args:
        folder: of the version.
        preprocessing: `Preprocessing`, or None.
        labels: sequence of class names, or None.
        top_k: number of best classes.
    """
    record = Recorded(preprocessing, labels and tuple(labels), top_k)
    file = pathlib.Path(folder, FILE)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(dataclasses.asdict(record), indent=1) + "\n")


def read(path):
    """The record of a SavedModel.

    Args:
        path: folder of one version.

    Returns:
        `Recorded`, or None where the version has none.

    Raises:
        ValueError: the record is damaged.
    """
    file = pathlib.Path(path, FILE)
    if not file.is_file():
        return None
    try:
        row = json.loads(file.read_text())
        made = row["preprocessing"]
        if made is not None:
            pairs = ("mean", tuple(made["mean"])), (
                "deviation",
                tuple(made["deviation"]),
            )
            made = Preprocessing(**{**made, **dict(pairs)})
        return Recorded(
            made, row["labels"] and tuple(row["labels"]), row["top_k"]
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file} is damaged: {error!r}") from error
