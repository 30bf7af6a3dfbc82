"""`saved_model`: a built Keras model becomes a version that TF Serving takes.

The file is float32 with batch normalization folded into the kernels, and
keeps its variables as variables. A bfloat16 model is written as float32 too:
servers choose bfloat16 by a flag where their processor has it.
"""

import contextlib
import dataclasses
import errno
import importlib.metadata
import os
import pathlib
import re

import keras
import numpy as np

from keras_pyconv.export import ledger, recorded
from keras_pyconv.export.audit import audit, read_signatures
from keras_pyconv.export.entry_points import (
    check_signatures,
    serving_module,
    write_methods,
)
from keras_pyconv.export.guide import guide, write_guide
from keras_pyconv.export.pictures import choose_preprocessing
from keras_pyconv.export.server_files import (
    check_server_files,
    refuse_folder_of_models,
    write_server_files,
)
from keras_pyconv.export.serving_form import running_size, serving_form
from keras_pyconv.export.signatures import (
    choose_task,
    classifier_signatures,
    raw_signatures,
    scales_pixels,
)
from keras_pyconv.export.versions import check_destination, publish
from keras_pyconv.export.warmup import check_examples, write_warmup
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.models.nesting import all_models, is_graph

NAMES_SHOWN = 5
GRAPH_BYTES = 8_000_000  # room for the graph beside the variables
FILE_BYTES = 2**31  # the most that a saved_model.pb can hold
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
PACKAGES = ("keras", "tensorflow", "keras_pyconv")


def check_model(model):
    """Refuses what is not a built functional or sequential model."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "A SavedModel is written with Keras on the TensorFlow backend. "
            f"This process runs {keras.backend.backend()!r}: save the "
            "weights, and export in a process with KERAS_BACKEND=tensorflow."
        )
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a keras.Model. Received: "
            f"{type(model).__module__}.{type(model).__name__}"
        )
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            f"The model {model.name!r} is not built: its input shape is not "
            "known. Begin it with keras.Input, or call model.build."
        )
    if not is_graph(model):
        raise ValueError(
            f"The model {model.name!r} is a subclass whose inputs are not "
            "known. Wrap it: inputs = keras.Input(shape); "
            "keras.Model(inputs, model(inputs))."
        )


def check_finite(model):
    """Refuses a model that holds NaN or infinity, naming the variables."""
    bad = []
    for variable in model.weights:
        values = variable.numpy()
        if "float" in values.dtype.name:
            if not np.isfinite(values.astype(np.float32)).all():
                bad.append(variable.path)
    if bad:
        more = len(bad) - NAMES_SHOWN
        names = ", ".join(bad[:NAMES_SHOWN])
        raise ValueError(
            f"{len(bad)} variables of {model.name!r} hold NaN or infinity: "
            + names
            + (f" and {more} more." if more > 0 else ".")
        )


def _layers_named_in(model, node):
    """The model's layers whose names stand in a node's path, in words."""
    # A scope that is entered again has a number behind the layer's name.
    parts = node.split("/")
    names = {*parts, *(re.sub(r"_\d+$", "", part) for part in parts)}
    found = []
    for owner in all_models(model):
        for layer in owner.layers:
            if layer.name in names and not is_graph(layer):
                groups = getattr(layer, "groups", None)
                more = f", groups={groups}" if isinstance(groups, int) else ""
                found.append(f"{layer.name!r} ({type(layer).__name__}{more})")
    return "layer " + " or ".join(found) if found else node


def _check_findings(model, findings):
    if findings:
        lines = {
            f"{_layers_named_in(model, finding.where)}: {finding.kind}; "
            f"{finding.cure}": None
            for finding in findings
        }
        raise ValueError(
            f"Stock TF Serving would refuse the model {model.name!r}:\n  "
            + "\n  ".join(lines)
        )


def _check_numbers(top_k, batch_sizes):
    wrong = [
        f"{name}={value!r}"
        for name, values in {
            "top_k": [top_k],
            "batch_sizes": batch_sizes,
        }.items()
        for value in values
        if not isinstance(value, int) or isinstance(value, bool) or value < 1
    ]
    if wrong or not batch_sizes:
        raise ValueError(
            "`top_k` must be a positive integer, and `batch_sizes` some of "
            f"them. Received: {', '.join(wrong) or 'no batch_sizes'}"
        )


def _check_freezing(model, freeze):
    size = 4 * model.count_params() + GRAPH_BYTES
    if freeze and size > FILE_BYTES:
        raise ValueError(
            f"With freeze=True the weights of {model.name!r} stand in one "
            f"file, which can hold {FILE_BYTES / 1e9:.1f} GB. They need "
            f"{size / 1e9:.1f} GB: export with freeze=False."
        )


def _own_signatures(model, labels, top_k, task, preprocessing):
    """The signatures of a model by itself, and what is recorded of them."""
    task = choose_task(model, task, labels)
    if preprocessing == "auto" and task == "raw":
        preprocessing = None
    preprocessing = choose_preprocessing(
        model, preprocessing, scales_pixels(model)
    )
    if task == "raw":
        return raw_signatures(model), recorded.Recorded(top_k=top_k)
    made = classifier_signatures(model, labels, top_k, preprocessing)
    names = None if labels is None else tuple(labels)
    return made, recorded.Recorded(preprocessing, names, top_k)


def _given_signatures(signatures, labels, top_k, task):
    """The signatures of the caller, and what is recorded of them."""
    if labels is not None or task is not None:
        raise ValueError(
            "`labels` and `task` belong to the signatures that are made "
            "here; with `signatures` the given ones are written as they are."
        )
    signatures = check_signatures(signatures)
    records = (signature.recorded for signature in signatures)
    default = recorded.Recorded(top_k=top_k)
    return signatures, next(filter(None, records), default)


@contextlib.contextmanager
def _os_errors():
    """TensorFlow's own errors of writing become OSError."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        raise OSError(
            errno.ENOSPC if full else errno.EIO,
            f"The model could not be written: {error.message}",
        ) from error


def _entry(place, name, model, signatures, source):
    """The version's line of the ledger."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return ledger.Entry(
        name=name,
        version=int(place.name),
        network=model.name,
        parameters=model.count_params(),
        checksum=ledger.checksum(place),
        source="" if source is None else str(source),
        signatures=tuple(signature.name for signature in signatures),
        size_bytes=ledger.size_bytes(place),
        made_with=versions,
    )


def saved_model(
    model,
    root,
    version=None,
    *,
    labels=None,
    top_k=5,
    task=None,
    fold=True,
    freeze=False,
    preprocessing="auto",
    signatures=None,
    batch_sizes=BATCH_SIZES,
    source=None,
    server_files=True,
):
    """Writes a model as `<root>/<version>/` for TF Serving.

    The version appears complete or not at all: it is written beside its
    place and renamed. An existing version is never overwritten. The graph
    needs no flag of the server, since it holds no function that XLA must
    compile, no Python function and no device.

    The signature `serving_default` takes what `model.predict` takes: one
    float input of rank 4 is called `images`, of rank 5 `clips`, and others
    have the names of the model's inputs. The batch is any size, and so is
    every axis that the model leaves open. A classifier gives, best class
    first:

    | output | shape | type |
    |---|---|---|
    | `scores` | `(batch, k)` | float32 |
    | `classes` | `(batch, k)` | int64 |
    | `labels` | `(batch, k)` | string |
    | `probabilities` | `(batch, classes)` | float32 |

    Probabilities are the model's output where its last layer applies softmax
    or sigmoid, and the softmax of it where the last layer is linear. One unit
    with a sigmoid is the probability `p` of the second of two classes, and
    `probabilities` are `[1 - p, p]`; `task="raw"` gives `p` alone. Every
    other model gives its own outputs under their names, as float32.

    A classifier of pictures also has `serve_bytes`, which takes `image_bytes`
    of shape `(batch,)`, JPEG or PNG files, prepares them as the evaluation
    does, and gives `scores`, `classes` and `labels`; and `classify`, the
    same for tf.Example with the file as `image/encoded`. A file that cannot
    be read gets class -1, an empty label and score 0, and the others of its
    batch their answers. An empty batch gets an answer of no rows.

    Beside the graph stand requests that warm each signature up for each of
    `batch_sizes`, and in `root` a README of the signatures.

    Args:
        model: built functional or sequential `keras.Model`; it is not
            changed. A mixed-precision model is written as float32.
        root: the model's folder, such as `saved_models/digits`; made where
            it is missing. Its name is the model's in the server.
        version: positive integer, or None for one more than the largest.
        labels: sequence of class names, two for one unit with a sigmoid, or
            None for the indices as text.
        top_k: how many of the best classes `scores`, `classes` and `labels`
            hold; at most all.
        task: "classification", "raw", or None to decide from the model: a
            classifier ends in softmax, sigmoid, or a Dense layer without an
            activation, of at least two units, or of one with a sigmoid.
        fold: whether batch normalization is folded into the kernels. The
            folded model is compared with the given one first.
        freeze: whether the weights are written as constants. On a CPU with
            oneDNN a batch of 1 is then about 1.3 times as fast in float32
            and twice in bfloat16, larger batches are not; a model of 25
            million parameters takes three times the memory, more for every
            further signature that is used, and seconds at the first request.
            At most 2 GiB.
        preprocessing: `keras_pyconv.tasks.preprocessing.Preprocessing`, how
            a picture becomes the model's input; None for no signatures of
            files; "auto" to decide: a model that begins by rescaling or
            normalizing gets the whole central square in [0, 255], every
            other the ImageNet evaluation. The README says which.
        signatures: sequence of `keras_pyconv.export.Signature` that are
            written in place of all of the above, or None.
        batch_sizes: positive integers; the server's batching file allows
            them, where it is written here.
        source: the run or file that the weights came from, for the ledger.
        server_files: whether the folder above `root` gets the ledger, and
            the files that a server is started with where they are missing.

    Returns:
        `pathlib.Path` of the version's folder.

    Raises:
        TypeError: `model` is not a `keras.Model`.
        ValueError: the model is not built, holds NaN or infinity, or has a
            graph that the server would refuse; an argument is wrong.
        FileExistsError: the version exists.
        NotADirectoryError, PermissionError, OSError: `root` is a file, or
            cannot be written, or the disk is full.

    Example:

    ```python
    path = keras_pyconv.export.saved_model(model, "saved_models/digits")
    # saved_models/digits/1
    ```
    """
    check_model(model)
    model = inference_model(model)
    _check_numbers(top_k, batch_sizes)
    root = pathlib.Path(root)
    name = pathlib.Path(os.path.abspath(root)).name
    if signatures is None:
        own = model, labels, top_k, task, preprocessing
        signatures, record = _own_signatures(*own)
    else:
        given = signatures, labels, top_k, task
        signatures, record = _given_signatures(*given)
    check_examples(signatures)
    _check_freezing(model, freeze)
    size_bytes = 4 * model.count_params() + GRAPH_BYTES
    check_destination(root, version, size_bytes)
    refuse_folder_of_models(root)
    if server_files:
        check_server_files(root, name)
    check_finite(model)
    served = serving_form(model, fold)
    module, functions = serving_module(served, signatures, freeze)
    size = running_size(served)
    record = dataclasses.replace(record, size=size)

    def write(folder):
        import tensorflow as tf

        with _os_errors():
            tf.saved_model.save(module, str(folder), signatures=functions)
            write_methods(folder, signatures)
            _check_findings(model, audit(folder))
            write_warmup(folder, name, signatures, batch_sizes, size)
            recorded.write(folder, record)

    place = publish(root, version, write)
    entry = _entry(place, name, model, signatures, source)
    specs = read_signatures(place)
    write_guide(root, guide(entry, signatures, specs, record))
    if server_files:
        write_server_files(root, batch_sizes, entry)
    return place
