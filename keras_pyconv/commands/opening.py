"""`open_model`: a trained model of any kind, and all that its answers need.

Files of other runtimes become layers of a Keras model, so that `classify`,
`segment` and `recognize` ask them as they ask a network of the package.
"""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from keras_pyconv import models, storage, weights
from keras_pyconv.architectures import (
    RECORDS,
    Detector,
    Segmenter,
    VideoArchitecture,
    get_detector,
    make_segmenter,
)
from keras_pyconv.architectures.detection import backbone_of
from keras_pyconv.datasets.coco_labels import COCO_NAMES
from keras_pyconv.diverted import without_gradients
from keras_pyconv.export.runtimes import about
from keras_pyconv.export.runtimes.litert import open_litert
from keras_pyconv.export.runtimes.onnx import open_onnx_runtime
from keras_pyconv.export.runtimes.openvino import open_openvino
from keras_pyconv.export.serving.audit import FILES, audit
from keras_pyconv.export.signatures import recorded
from keras_pyconv.finished import constants_of, is_run, task_of, weights_of_run
from keras_pyconv.lazy import tf
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.models.classifiers import BUILDERS
from keras_pyconv.neighbours.presets import from_preset, is_of_hub, is_preset
from keras_pyconv.reading import nearest, one_line, plain, read_text
from keras_pyconv.tasks.description import checked_names, task_of_model, tell
from keras_pyconv.tasks.detection import DecodeDetections, detection_model
from keras_pyconv.tasks.detection.default_boxes import box_layer
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.weights.described import note
from keras_pyconv.weights.loading import is_published, is_torch_file
from keras_pyconv.weights.shipped import SET, shipped_named
from keras_pyconv.weights.sources import checksum_path, verify

_RUNTIMES = {
    ".tflite": open_litert,
    ".onnx": open_onnx_runtime,
    ".xml": open_openvino,
}
_BUILDERS = {
    **BUILDERS,
    Segmenter: models.build_segmenter,
    Detector: models.build_detector,
}
# Functions of the package that build these.
_FULL = {
    **{head: f"{head}{backbone_of(head)}" for head in ("PyConvSSD", "SSD")},
    "PyConvSegNet": "PyConvSegNetPyConvResNet50",
}


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model that can be asked.

    Attributes:
        name: what the user called it.
        task: "classification", "detection", "segmentation" or "video".
        model: a `keras.Model`; None for detectors and segmentation networks
            that are no Keras models.
        class_names: of all classes, or None.
        preprocessing: the `Preprocessing`, or None for the task's own.
        of_files: function of a batch of encoded images to the outputs of
            `serve_bytes`, of a SavedModel without `model`.
        of_batch: of a detector, function of a batch of its images to what
            `DecodeDetections` gives.
        side: of a detector's images, in pixels.
        threshold: lowest score of a class that an export of several labels
            names, or None.
    """

    name: str
    task: str
    model: keras.Model | None = None
    class_names: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None
    of_files: Callable | None = None
    of_batch: Callable | None = None
    side: int | None = None
    threshold: float | None = None


def open_model(
    name, network=None, weights_of=None, classes=None, side=None
) -> Opened:
    """Opens whatever can answer; arguments are those of `keras-pyconv predict`.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: it is no model, or more must be said to open it.
    """
    names = class_names(classes)
    path = pathlib.Path(name)
    row = None if _is_folder_of(name) else shipped_named(name)
    if row:
        opened = of_shipped(row, side)
    elif name in RECORDS or name in _FULL:
        opened = _of_network(name, weights_of, names, side)
    elif is_of_hub(name):
        opened = of_keras(from_preset(name), str(name), names)
    elif storage.is_remote(name):
        opened = _of_remote(name, network, names, side)
    elif not path.exists():
        near = nearest(name, [*RECORDS, *_FULL, SET])
        raise FileNotFoundError(
            f"{name} does not exist.{near} A model is the name of a network "
            f"(keras-pyconv networks lists them), {SET}, a file, the folder of "
            "a run, a preset or a SavedModel, or hf://USER/NAME"
        )
    elif path.is_dir():
        opened = _of_folder(path, names, side)
    else:
        opened = _of_file(path, network, names, side)
    if isinstance(names, tuple):
        _check_names(opened, names)
        opened = dataclasses.replace(opened, class_names=names)
    return opened


def _is_folder_of(name):
    """Whether a name of the package's weights is written as a folder's."""
    if not os.path.isdir(name):
        return False
    if "/" in str(name):
        return True
    if shipped_named(name):
        told = "%s is the weights of that name; the folder is %s/"
        logging.getLogger("keras_pyconv").warning(told, name, name)
    return False


def _check_names(opened, names):
    """Refuses names that are not as many as the classes, if those are known."""
    known = opened.class_names
    if opened.model is None or opened.task == "detection":
        count = known and len(known)
    else:
        count = opened.model.outputs[0].shape[-1]
    if count not in (None, len(names)):
        raise ValueError(
            f"{opened.name} has {count} classes. Received {len(names)} names: "
            f"--classes {plain(','.join(names))}"
        )


def class_names(classes):
    """The names of a file or a list, a number of classes, or None."""
    if classes is None or isinstance(classes, (int, tuple)):
        return classes
    if isinstance(classes, str) and classes.isdigit():
        return int(classes)
    if storage.is_remote(classes) or os.path.isfile(classes):
        classes = read_text(classes).strip().replace("\n", ",")
    return tuple(name.strip() for name in classes.split(","))


# Networks of the package -----------------------------------------------------


def of_shipped(row, side=None):
    """The network of weights that come with the package, as it was trained."""
    build, record = dict(row.build), RECORDS.get(row.variant)
    if record is None:
        record = make_segmenter(build.pop("backbone"), **build.pop("network"))
    if side:
        *frames, _, _, channels = build["input_shape"]
        build["input_shape"] = (*frames, side, side, channels)
    if isinstance(record, Segmenter):
        build["auxiliary"] = False
    model = _BUILDERS[type(record)](record, weights=row.set, **build)
    return of_keras(model, row.name)


def _of_network(name, weights_of, names, side):
    sets = weights.published_sets(_FULL.get(name, name))
    if weights_of is None and not sets:
        raise ValueError(
            f"{name} has no published weights: pass a weights file with "
            "--weights. keras-pyconv networks --has-weights lists the "
            "networks with published weights"
        )
    # Published weights know their own classes, whose number names must fit.
    known = weights_of is None or is_published(weights_of)
    source = weights_of or sets[0]
    if source == SET:
        return of_shipped(weights.get_published(name, SET), side)
    return _built(name, source, None if known else names, side)


def _built(network, source, names, side=None, **options):
    """A network by its record or its name, with its weights."""
    record = RECORDS.get(_FULL.get(network, network), network)
    if type(record) not in _BUILDERS:
        raise ValueError(
            f"Unknown network {network!r}; keras-pyconv networks lists the "
            "known ones"
        )
    count = len(names) if isinstance(names, tuple) else names
    if count is not None:
        options["classes"] = count + isinstance(record, Detector)
    if side:
        frames = (16,) * isinstance(record, VideoArchitecture)
        options.setdefault("input_shape", (*frames, side, side, 3))
    model = _BUILDERS[type(record)](record, weights=source, **options)
    return of_keras(model, str(network), names)


def of_keras(model, name, names=None, preprocessing=None) -> Opened:
    """What is known of a Keras model by its shapes."""
    model = inference_model(model)
    task = task_of_model(model)
    if not task:
        shapes = [tuple(one.shape) for one in model.outputs]
        raise ValueError(
            f"{name} does not fit any task: its input shape is "
            f"{model.input_shape}, its output shapes are {shapes}"
        )
    names = names if isinstance(names, tuple) else None
    names = checked_names(model, task, names)
    if names is None and task == "detection":
        is_coco = box_layer(model, "logits").width == 81
        names = COCO_NAMES if is_coco else None
    own = preprocessing if task == "classification" else None
    tell(model, task, names, own)
    opened = Opened(name, task, model, names, preprocessing)
    return opened if task != "detection" else _detecting(opened)


def _detecting(opened):
    model = decoded = opened.model
    if "offsets" in model.output:
        decoded = detection_model(model)
    return dataclasses.replace(
        opened, of_batch=decoded.predict_on_batch, side=model.input_shape[1]
    )


# Files and folders -----------------------------------------------------------


def _of_file(path, network, names, side):
    ending = path.suffix.lower()
    if ending == ".keras":
        try:
            verify(path)
            model = keras.models.load_model(path, safe_mode=True)
            return of_keras(model, str(path), names)
        # Archives, HDF5 and Keras have many errors.
        except Exception as error:
            raise ValueError(
                f"Keras cannot load {path}: {one_line(error)}"
            ) from error
    if ending in _RUNTIMES:
        return _of_runtime(path)
    if is_torch_file(path) and network is None:
        arrays = weights.read_arrays(path)
        network = weights.find_variant(arrays)
    if network is None and is_run(path.parent):
        return _of_run(path.parent, path, names, side)
    if network is None:
        raise ValueError(
            f"{path} contains weights but not the name of their network: add "
            "--network, and --classes if they differ from the published ones"
        )
    return _built(network, path, names, side)


def _of_remote(name, network, names, side):
    """What is elsewhere, by a copy; of a SavedModel the newest version."""
    place = storage.place(name)
    beside = [checksum_path(place)]
    if place.endswith(".xml"):
        beside.append(place.removesuffix(".xml") + ".bin")
    if storage.is_folder(place) and not storage.is_model(place):
        # A version is there when its graph is, which is sent last.
        found = (
            one.path
            for one in storage.entries(place)
            if one.name.isdigit() and storage.is_model(one.path)
        )
        place = newest(found) or place
        if not storage.is_model(place):
            raise ValueError(
                f"{name} is no SavedModel and no preset; runs are opened on "
                "this machine"
            )
    with storage.fetched(place, *beside) as copy:
        if copy.is_dir():
            opened = _of_folder(copy, names, side)
        else:
            opened = _of_file(copy, network, names, side)
    return dataclasses.replace(opened, name=str(name))


def _of_folder(path, names, side):
    if is_run(path):
        return _of_run(path, None, names, side)
    if is_preset(path):
        return of_keras(from_preset(path), str(path), names)
    if not (path / storage.GRAPH).is_file():
        versions = [one.parent for one in path.glob(f"*/{storage.GRAPH}")]
        path = pathlib.Path(newest(versions) or path)
    if not (path / storage.GRAPH).is_file():
        raise ValueError(
            f"{path} is neither the folder of a run, a preset nor a SavedModel"
        )
    return _of_saved_model(path)


def newest(versions):
    """Of folders the one whose name is the largest number; None without."""
    numbered = {
        int(name): folder
        for folder in versions
        if (name := os.path.basename(folder)).isdigit()
    }
    return numbered[max(numbered)] if numbered else None


def _of_run(folder, file, names, side):
    made = constants_of(folder)
    task, file = task_of(made), file or weights_of_run(folder)
    names = names or tuple(made.get("classes", ())) or None
    if task == "video":
        # The test's squares are larger than those of the training.
        shape = (made["data.frames"], side, side, 3)
        return _built(made["variant"], file, names, input_shape=shape)
    side = side or made.get("data.side", made.get("network.side"))
    if task == "classification":
        several = {"classifier_activation": "sigmoid"}
        several = several if made.get("data.multi_label") else {}
        return _built(made["variant"], file, names, side, **several)
    if task is None:
        raise ValueError(
            f"The run in {folder} was not made by a known recipe: pass its "
            "weights file, and --network"
        )
    head, backbone = made["network.head"], made["network.backbone"]
    if task == "detection":
        small = bool(made.get("run.smoke"))
        record = get_detector(head, backbone or backbone_of(head, small))
        return _built(record, file, names, side)
    record = make_segmenter(
        backbone,
        head,
        made["network.output_stride"],
        head_width=made["network.head_width"],
    )
    return _built(record, file, names, side)


# Other runtimes --------------------------------------------------------------


class _Asked(keras.layers.Layer):
    """Answers by a function that Keras does not know."""

    def __init__(self, ask, shape, activation):
        super().__init__()
        self._ask, self._shape = ask, shape
        if activation:
            self.activation = keras.activations.get(activation)

    def call(self, inputs):
        return tf.ensure_shape(self._ask(inputs), self._shape)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self._shape, "float32")


def _as_model(ask, input_shape, output_shape, activation):
    inputs = keras.Input(input_shape[1:])
    layer = _Asked(ask, (None, *output_shape[1:]), activation)
    return keras.Model(inputs, layer(inputs))


def _of_saved_model(path):
    # A graph may come from anywhere, and loading one can run parts of it.
    for found in audit(path):
        if found.kind == FILES:
            raise ValueError(f"{path} is not opened: {found}")
    with without_gradients():
        loaded = tf.saved_model.load(str(path))
    record, signatures = recorded.read(path), loaded.signatures
    record = record or recorded.Recorded()
    default = signatures.get("serving_default")
    if default is None:
        raise ValueError(f"{path} has no signature serving_default")
    outputs = default.structured_outputs
    (key, spec), *others = default.structured_input_signature[1].items()
    names = record.labels and tuple(record.labels)
    if "probabilities" in outputs and not others:

        def ask(inputs):
            return default(**{key: inputs})["probabilities"]

        ask.keeps = loaded  # its variables go when nothing holds it
        about = spec.shape, outputs["probabilities"].shape, _activation(record)
        model = _as_model(ask, *about)
        task = "video" if len(spec.shape) == 5 else "classification"
        found = Opened(str(path), task, model, names, record.preprocessing)
        return dataclasses.replace(found, threshold=record.threshold)
    tasks = {"num_detections": "detection", "labels": "segmentation"}
    task = next((t for name, t in tasks.items() if name in outputs), None)
    if task is None or "serve_bytes" not in signatures:
        raise ValueError(
            f"{path} was not exported by this package for one of its tasks: "
            f"its outputs are {', '.join(sorted(outputs))}"
        )

    def of_files(files):
        return signatures["serve_bytes"](image_bytes=tf.constant(files))

    of_files.keeps = loaded
    rule = record.preprocessing
    return Opened(str(path), task, None, names, rule, of_files=of_files)


def _of_runtime(path):
    """A LiteRT or ONNX file, as `keras_pyconv.export` writes them."""
    record, boxes, description = about.read(path)
    names = record.labels and tuple(record.labels)
    ask, key, (rows, *sides) = _opened_runtime(path)
    sides = [record.size if n is None else n for n in sides]

    def answer(batch):
        return _by_rows(ask, key, np.asarray(batch, "float32"), rows)

    example = answer(np.zeros((1, *sides)))
    if {"offsets", "logits"} <= set(example):
        if boxes is None:
            raise ValueError(
                f"{path} lacks the default boxes of a detector: write it with "
                "keras-pyconv export"
            )
        decode, rule = DecodeDetections(**boxes), record.preprocessing
        return Opened(
            str(path),
            "detection",
            None,
            names,
            rule,
            of_batch=lambda batch: decode(answer(batch)),
            side=sides[0],
        )
    ((name, output),) = example.items()
    # The file does not say whether it ends in a softmax.
    first = output.reshape(-1, output.shape[-1])[0]
    is_probability = first.min() >= 0 and abs(first.sum() - 1) < 1e-3
    activation = _activation(record, is_probability)

    def in_graph(inputs):
        return tf.numpy_function(
            lambda batch: answer(batch)[name], [inputs], tf.float32
        )

    model = _as_model(in_graph, (1, *sides), output.shape, activation)
    if description is not None:
        note(model, description)
    found = of_keras(model, str(path), names, record.preprocessing)
    return dataclasses.replace(found, threshold=record.threshold)


def _activation(record, is_probability=True):
    """The name of what an export ends in, or None for logits."""
    if record.threshold is not None:
        return "sigmoid"
    return "softmax" if is_probability else None


def _opened_runtime(path):
    """A function of named arrays, and the name and shape of its input."""
    _, ask = _RUNTIMES[path.suffix.lower()](path)
    if len(ask.inputs) != 1:
        raise ValueError(f"{path} has several inputs: {sorted(ask.inputs)}")
    ((name, shape),) = ask.inputs.items()
    known = [n if isinstance(n, int) and n > 0 else None for n in shape]
    return ask, name, known


def _by_rows(ask, key, batch, rows):
    """The answers to a batch, of a file that takes so many rows at a time."""
    step = rows or len(batch)
    parts = []
    for begin in range(0, len(batch), step):
        part = batch[begin : begin + step]
        missing = [(0, step - len(part))] + [(0, 0)] * (batch.ndim - 1)
        answer = ask({key: np.pad(part, missing)})
        parts.append({k: v[: len(part)] for k, v in answer.items()})
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
