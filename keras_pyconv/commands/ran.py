"""What stands in the folder of a recipe's run."""

import pathlib

from keras_pyconv.reading import read_json

_CONSTANTS = "constants.json"


def is_run(folder) -> bool:
    """Whether a path is the folder of a run."""
    return pathlib.Path(folder, _CONSTANTS).is_file()


def constants_of(folder):
    """What a recipe's run was made with, by the paths of its settings."""
    return read_json(pathlib.Path(folder, _CONSTANTS))["constants"]


def weights_of_run(folder):
    """The file of weights that a run left: the best ones, or the last."""
    files = sorted(pathlib.Path(folder).glob("*.weights.h5"))
    if not files:
        raise ValueError(
            f"{folder} holds no weights yet: its training has not ended; the "
            "same command goes on"
        )
    best = [file for file in files if file.name.endswith(".best.weights.h5")]
    return (best or files)[0]
