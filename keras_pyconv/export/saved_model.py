"""`saved_model`: a built Keras model becomes a version that TF Serving takes.

The file is float32 with batch normalization folded into the kernels, and
keeps its variables as variables. A bfloat16 model is written as float32 too:
servers choose bfloat16 by a flag where their processor has it.
"""

import pathlib
import re

import keras
import numpy as np

from keras_pyconv.export.audit import audit
from keras_pyconv.export.serving_form import serving_form
from keras_pyconv.export.signatures import choose_task, serving_module
from keras_pyconv.export.versions import check_destination, publish
from keras_pyconv.models.nesting import all_models, is_graph

NAMES_SHOWN = 5
GRAPH_BYTES = 8_000_000  # room for the graph beside the variables


def _check_model(model):
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


def _check_finite(model):
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


def saved_model(
    model,
    root,
    version=None,
    *,
    labels=None,
    top_k=5,
    task=None,
    fold=True,
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

    Args:
        model: built functional or sequential `keras.Model`; it is not
            changed. A mixed-precision model is written as float32.
        root: the model's folder, such as `saved_models/digits`; made where
            it is missing.
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
    _check_model(model)
    if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1:
        raise ValueError(
            f"`top_k` must be a positive integer. Received: top_k={top_k!r}"
        )
    task = choose_task(model, task, labels)
    root = pathlib.Path(root)
    size_bytes = 4 * model.count_params() + GRAPH_BYTES
    check_destination(root, version, size_bytes)
    _check_finite(model)
    served = serving_form(model, fold)
    module, signatures = serving_module(served, labels, top_k, task)

    def write(folder):
        import tensorflow as tf

        tf.saved_model.save(module, str(folder), signatures=signatures)
        _check_findings(model, audit(folder))

    return publish(root, version, write)
