"""What stands in the folder of a recipe's run, read without TensorFlow."""

import pathlib

from keras_pyconv.reading import read_json

CONSTANTS = "constants.json"


def is_run(folder) -> bool:
    """Whether a path is the folder of a run."""
    return pathlib.Path(folder, CONSTANTS).is_file()


def constants_of(folder):
    """What a recipe's run was made with, by the paths of its settings."""
    return read_json(pathlib.Path(folder, CONSTANTS))["constants"]


def task_of(constants):
    """The task that a recipe's run was trained for; None of other runs."""
    if "data.frames" in constants:
        return "video"
    if "variant" in constants:
        return "classification"
    head = constants.get("network.head")
    detects = head in ("PyConvSSD", "SSD")
    return head and ("detection" if detects else "segmentation")


def weights_of_run(folder):
    """The file of weights that a run left: the best ones, or the last."""
    files = sorted(pathlib.Path(folder).glob("*.weights.h5"))
    if not files:
        raise ValueError(
            f"{folder} has no weights yet, because its training has not "
            "finished; run the same command again to resume it"
        )
    best = [file for file in files if file.name.endswith(".best.weights.h5")]
    return (best or files)[0]
