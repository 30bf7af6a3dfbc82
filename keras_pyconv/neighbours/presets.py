"""Presets: folders in KerasHub's format, which hubs of models store.

A preset is the configuration of a model beside its weights. It needs Keras
alone; KerasHub opens it, and uploads it, too.
"""

import datetime
import json
import pathlib

import keras

from keras_pyconv import arguments, provenance, storage
from keras_pyconv.models.nesting import check_readable
from keras_pyconv.reading import check_file, one_line, read_json
from keras_pyconv.typing import PathLike
from keras_pyconv.weights import load
from keras_pyconv.weights.sources import refused
from keras_pyconv.writing import making_folder

CONFIG, METADATA = storage.PRESET, "metadata.json"
WEIGHTS, TASK = "model.weights.h5", "task.json"
_FORMS = {
    "hf": "hf://USER/NAME",
    "kaggle": "kaggle://USER/MODEL/FRAMEWORK/VARIATION",
}


def save_to_preset(model: keras.Model, folder: PathLike) -> pathlib.Path:
    """Writes a model as a preset in KerasHub's format.

    The folder has the network, its weights and what `describe` told it, but
    neither optimizer nor loss. `keras_hub.upload_preset` brings it to a hub.

    Args:
        model: a built functional or sequential model, such as those of the
            package's builders; it stays unchanged.
        folder: where to write: a new folder, or an empty one.

    Returns:
        The folder.

    Raises:
        FileExistsError: something is there.
        ValueError: the model could not be loaded again: it has a `Lambda`
            layer, or a class that is not registered with Keras.

    Example:

    >>> keras_pyconv.save_to_preset(model, "presets/pets")
    >>> keras_pyconv.from_preset("presets/pets")
    """
    check_readable(arguments.model("model", model))
    folder = arguments.new_folder("folder", folder)
    config = _plain(keras.saving.serialize_keras_object(model))
    with arguments.told("model", model, "what can be loaded again"):
        # As it will be read, with lists for tuples.
        _model_of(json.loads(json.dumps(config)))
    with making_folder(folder) as beside:
        (beside / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
        about = json.dumps(_metadata(model), indent=1) + "\n"
        (beside / METADATA).write_text(about)
        model.save_weights(beside / WEIGHTS)
    return folder


def _plain(config):
    """A configuration without what the preset does not keep."""
    if isinstance(config, (list, tuple)):
        return [_plain(one) for one in config]
    if not isinstance(config, dict):
        return config
    left_out = ("compile_config", "build_config")
    return {k: _plain(v) for k, v in config.items() if k not in left_out}


def _metadata(model):
    return {
        "keras_version": keras.version(),
        "keras_hub_version": provenance.version("keras-hub"),
        "keras_pyconv_version": provenance.version("keras_pyconv"),
        "parameter_count": model.count_params(),
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "tasks": [],
    }


def from_preset(source: PathLike) -> keras.Model:
    """Loads the model of a preset, from a folder or a hub.

    Code in a preset is never run: Keras's safe mode refuses `Lambda` layers,
    and only classes of Keras, of this package and those that you registered
    are made.

    Args:
        source: a folder that `save_to_preset` wrote, also one of `gs://`;
            `"hf://USER/NAME"`, which needs huggingface_hub; or `"kaggle://
            USER/MODEL/FRAMEWORK/VARIATION"`, which needs kagglehub.

    Returns:
        The model, not compiled. `classify`, `detect`, `segment` or `recognize`
        know its class names and preprocessing, if it was described.

    Raises:
        FileNotFoundError: there is no such preset.
        ConnectionError: the hub cannot be reached, or lacks the preset.
        ImportError: the hub's library is not installed.
        ValueError: the preset is damaged, unsafe, or of another kind.

    Example:

    >>> model = keras_pyconv.from_preset("presets/pets")
    >>> keras_pyconv.classify(model, "cat.jpg")
    """
    found = arguments.path("source", source, anywhere=True)
    if is_of_hub(source):
        found = _fetched(source)
    with storage.fetched(found) as folder:
        return _loaded(pathlib.Path(folder))


def _loaded(folder):
    if not is_preset(folder):
        raise FileNotFoundError(
            f"`source` {folder} is no preset: it has no {CONFIG}. "
            "save_to_preset writes presets; those of hubs are "
            f"{' or '.join(_FORMS.values())}"
        )
    config, weights = folder / CONFIG, check_file(folder / WEIGHTS)
    if (folder / TASK).exists():
        raise ValueError(
            f"{folder} is a preset of a task of KerasHub: open it with "
            "from_preset of that task, such as keras_hub.models.ImageClassifier"
        )
    row = read_json(config)
    with refused(config):
        model = _model_of(row)
    return load(model, weights)


def _model_of(config):
    """The model of a configuration, with random weights."""
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise ValueError("it does not describe a model")
    return model


def is_preset(folder) -> bool:
    """Whether a folder holds the configuration of a preset."""
    return pathlib.Path(folder, CONFIG).is_file()


# Hubs ------------------------------------------------------------------------


def is_of_hub(source) -> bool:
    """Whether a source is the address of a preset on a hub."""
    return str(source).partition("://")[0] in _FORMS and "://" in str(source)


def _fetched(source):
    """The folder on this machine of a preset that was downloaded."""
    hub, _, handle = str(source).partition("://")
    parts = handle.split("/")
    form = _FORMS[hub]
    few = form.count("/") - 1
    if not all(parts) or len(parts) not in (few, few + (hub == "kaggle")):
        arguments.refuse("source", source, f"of the form {form}")
    download = {"hf": _of_hugging_face, "kaggle": _of_kaggle}[hub]
    try:
        return pathlib.Path(download(handle))
    except ImportError as error:
        library = {"hf": "huggingface_hub", "kaggle": "kagglehub"}[hub]
        raise ImportError(
            f"{source} needs {library}, which is not installed: pip install "
            f"{library}"
        ) from error
    # The hubs, requests and the system have errors of their own.
    except Exception as error:
        raise ConnectionError(
            f"Could not download {source}: {one_line(error)}. The name may be "
            "wrong, the preset private, or the hub out of reach"
        ) from error


def _of_hugging_face(handle):
    import huggingface_hub

    wanted = [CONFIG, METADATA, WEIGHTS, TASK]
    return huggingface_hub.snapshot_download(handle, allow_patterns=wanted)


def _of_kaggle(handle):
    import kagglehub

    return kagglehub.model_download(handle)
