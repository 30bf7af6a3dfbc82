"""Telling a model the names of its classes and how it is shown images."""

import dataclasses
from collections.abc import Sequence

import keras

from keras_pyconv import arguments
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.tasks.detection.default_boxes import box_layer, is_detector
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.tasks.results import check_names
from keras_pyconv.tasks.segmentation.windows import Protocol
from keras_pyconv.tasks.video.averaging import Clips
from keras_pyconv.weights.described import can_be_saved, known, note
from keras_pyconv.weights.description import Description

# How each task shows images.
KINDS = {
    "classification": Preprocessing,
    "detection": Preprocessing,
    "segmentation": Protocol,
    "video": Clips,
}


def task_of_model(model) -> str:
    """The task that a network's shapes fit, one of `KINDS`, or ""."""
    if is_detector(model):
        return "detection"
    model = inference_model(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return ""
    if len(model.inputs[0].shape) == 5:
        return "video"
    of_ranks = {2: "classification", 4: "segmentation"}
    return of_ranks.get(len(model.outputs[0].shape), "")


def describe(
    model: keras.Model,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | Protocol | Clips | None = None,
) -> keras.Model:
    """Tells a model the names of its classes and how it is shown images.

    `classify`, `detect`, `segment` and `recognize` then need nothing else.
    Both stand in every `.keras` file, preset, LiteRT, ONNX and OpenVINO file,
    and in exports for a server.

    Args:
        model: a functional model of one of the four tasks; it is changed.
        class_names: names of the classes in label order, without a detector's
            background; None leaves those that the model has.
        preprocessing: a `Preprocessing`; of a segmentation network a
            `Protocol`, of a video network `Clips`. None leaves what it has.

    Returns:
        The model.

    Raises:
        ValueError: the model has no such task, or another number of classes.

    Example:

    >>> model = keras_pyconv.PyConvResNet18(classes=3)
    >>> keras_pyconv.describe(model, ["cat", "dog", "fox"])
    >>> model.save("pets.keras")
    """
    task = task_of_model(arguments.model("model", model))
    rule = "a functional model of classification, detection, segmentation or "
    rule += "video, such as PyConvResNet50"
    arguments.check("model", model, task and can_be_saved(model), rule)
    names = checked_names(model, task, class_names)
    if preprocessing is not None:
        kind = KINDS[task]
        rule = f"a `{kind.__name__}`, as of {task}, or None"
        arguments.instance("preprocessing", preprocessing, kind, rule)
    tell(model, task, names, preprocessing)
    return model


def checked_names(model, task, class_names):
    """The names as a tuple, or those of the model; as many as its classes."""
    if task == "detection":
        classes = box_layer(model, "logits").width - 1
        return check_names(class_names, classes, " and the background", model)
    classes = inference_model(model).output_shape[-1]
    return check_names(class_names, classes, model=model)


def tell(model, task, names, preprocessing=None):
    """Notes names and preprocessing of a model; None keeps what it has."""
    found = known(model) or Description(task)
    if names not in (None, found.class_names):
        found = dataclasses.replace(found, class_names=names, weights=None)
    if preprocessing is not None:
        shown = dataclasses.asdict(preprocessing)
        found = dataclasses.replace(found, shown=shown, weights=None)
    note(model, found)
